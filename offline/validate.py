"""Scores of torch models and of plain estimates over whole held-out recordings: no engine, no bundle on disk.

`window_topk` and `text_error` are quick and coarse, for training: candidates are windows of the validation
recordings. `HeldOut` asks exactly what `offline.evaluate` asks of the live engine (same moments, same bank,
same ranking rule) of any estimate that lies at hand whole, and so also of a symmetric model, which cannot
stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models import DecoderNet
from offline.bank import make_bank
from offline.config import Config
from offline.data import Source, prepare_recording
from offline.ridge import apply_filter
from offline.segments import Track
from offline.study import Study, StudyRecording
from offline.truth import decision_time, truth_of
from rtdecode.bundle import SCHEMA, Bundle, BundleSpec, ModelSpec, Training
from rtdecode.errors import StudyError
from rtdecode.retrieve import Bank, RetrievalSpec
from rtdecode.score import cer


def greedy(log_probs: np.ndarray, symbols: Sequence[str]) -> str:
    """(T', V) -> text: best symbol per frame, repeats collapsed, blanks dropped."""
    best = log_probs.argmax(axis=1)
    kept = best[np.flatnonzero(np.diff(best, prepend=-1))]
    return " ".join("".join(symbols[k] for k in kept if k != 0).split())


@torch.no_grad()
def run_track(model: DecoderNet, track: Track) -> dict[str, np.ndarray]:
    """Outputs of the model over a whole recording, batch axis dropped."""
    whole = len(track.x) - len(track.x) % model.config.stride
    out = model(torch.from_numpy(track.x[None, :whole]), torch.tensor([track.subject]))
    return {name: value[0].numpy() for name, value in out.items()}


def text_error(model: DecoderNet, tracks: Sequence[Track], symbols: Sequence[str]) -> float:
    """Corpus-level character error rate over whole recordings."""
    heard = [" ".join(s.text for s in track.sentences) for track in tracks]
    read = [greedy(run_track(model, track)["log_probs"], symbols) for track in tracks]
    return cer(" ".join(read), " ".join(heard))


def window_topk(
    model: DecoderNet, tracks: Sequence[Track], config: Config, k: int = 10, candidates: int = 200
) -> tuple[float, float]:
    """Top-k over windows spread evenly over the validation recordings, and its chance level."""
    n, delay = config.window_frames, config.delay_frames
    estimates, targets = [], []
    total = sum(len(t.y) for t in tracks)
    every = max(n // 2, total // candidates)
    for track in tracks:
        estimate = run_track(model, track)["estimate"]
        for start in range(delay, min(len(estimate), len(track.y)) - n, every):
            if track.scored[start - delay : start - delay + n].any():
                estimates.append(estimate[start : start + n])
                targets.append(track.y[start - delay : start - delay + n])
    return topk(np.stack(estimates), np.stack(targets), k)


def topk(estimates: np.ndarray, targets: np.ndarray, k: int) -> tuple[float, float]:
    """(B, N, F) twice -> share of rows whose own target is among the k best by centred cosine, and chance."""

    def unit(values: np.ndarray) -> np.ndarray:
        flat = (values - values.mean(axis=1, keepdims=True)).reshape(len(values), -1)
        return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12)

    scores = unit(estimates) @ unit(targets).T
    better = (scores > np.diag(scores)[:, None]).sum(axis=1)
    return float((better < k).mean()), min(1.0, k / len(targets))


Ranked = list[tuple[Sequence[int], int | None]]


@dataclass(frozen=True)
class HeldOut:
    """What the live decoder of one subject is asked on the recordings of a split.

    task    a bundle without a model and without files: preprocessing, retrieval and bank
    tracks  the recordings as model samples;  stops  output frames just after the newest of each decision;
            truths  the candidate that was heard then
    """

    task: Bundle
    subject: int
    recordings: tuple[StudyRecording, ...]
    tracks: tuple[Track, ...]
    stops: tuple[np.ndarray, ...]
    truths: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, study: Study, source: Source, config: Config, subject: str, split: str = "test") -> "HeldOut":
        """StudyError when the subject has no recording in this split.

        The bank holds everything held out, test and validation, whichever is scored. Decisions begin when
        window and delay are full, where the ideal observer's begin too.
        """
        recordings = study.select(split, subject)
        if not recordings:
            raise StudyError(f"study {study.name!r} has no {split} recording of subject {subject!r}")
        bank = make_bank(
            study, study.select("test", subject) + study.select("valid", subject), source, config
        )
        row, hop = source.subjects.index(subject), config.hop_samples
        spec = BundleSpec(
            SCHEMA,
            config.name,
            source.contract(),
            source.preprocess(config, row),
            ModelSpec("step", hop, hop, config.model.stride, {}),
            RetrievalSpec(config.window_frames, config.delay_frames, "search", 20.0),
            None,
            Training(source.study, subject, source.hours, "", source.licence, source.times_real),
        )
        task = Bundle(Path(), spec, bank, {})
        tracks = tuple(prepare_recording(r, study, source, config) for r in recordings)
        every = hop // config.model.stride
        first = -(-(config.window_frames + config.delay_frames) // every) * every
        stops, truths = [], []
        for recording, track in zip(recordings, tracks, strict=True):
            truth = truth_of(task, recording)
            asked = [
                (stop, truth.candidate(decision_time(task, stop) - spec.delay_s))
                for stop in range(first, len(track.y) + 1, every)
            ]
            stops.append(np.array([s for s, heard in asked if heard is not None], int))
            truths.append(np.array([heard for _, heard in asked if heard is not None], int))
        return cls(task, row, recordings, tracks, tuple(stops), tuple(truths))

    @property
    def candidates(self) -> int:
        assert self.task.bank is not None
        return len(self.task.bank.candidates)

    def rank(self, estimates: Sequence[np.ndarray]) -> Ranked:
        """Estimates (T', F) of the recordings -> (ten best candidates, truth) of every decision."""
        assert self.task.bank is not None and self.task.spec.retrieval is not None
        n, out = self.task.spec.retrieval.frames, []
        for estimate, stops, truths in zip(estimates, self.stops, self.truths, strict=True):
            scores = bank_scores(np.stack([estimate[stop - n : stop] for stop in stops]), self.task.bank)
            best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
            out += list(zip(best.tolist(), truths.tolist(), strict=True))
        return out

    def by_model(self, model: DecoderNet) -> Ranked:
        return self.rank([run_track(model, track)["estimate"] for track in self.tracks])

    def by_ridge(self, weight: np.ndarray, bias: np.ndarray) -> Ranked:
        """One subject's filter: weight (F, C, taps), bias (F,)."""
        stride = self.task.spec.model.stride
        return self.rank([apply_filter(track.x, weight, bias, stride) for track in self.tracks])


def shuffled(ranked: Ranked) -> Ranked:
    """The same rankings beside the truths of moments half the recordings away: chance, unless something
    leaks.
    """
    half = len(ranked) // 2
    return [(best, ranked[(i + half) % len(ranked)][1]) for i, (best, _) in enumerate(ranked)]


def bank_scores(windows: np.ndarray, bank: Bank) -> np.ndarray:
    """(n, N, F) windows of estimate -> (n, K): what `rtdecode.retrieve.Retriever.scores` gives for each of
    them (align = "search"), all at once.
    """
    n, frames, _ = windows.shape
    z = windows - windows.mean(axis=1, keepdims=True)
    z = z.reshape(n, -1)
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    y = np.lib.stride_tricks.sliding_window_view(np.asarray(bank.timeline, np.float32), frames, axis=0)
    y = (y - y.mean(axis=2, keepdims=True)).transpose(0, 2, 1).reshape(len(y), -1)  # (offsets, N * F)
    offsets = np.full((n, len(y) + 1), -np.inf, np.float32)  # the end marker lets the last span reach the end
    offsets[:, :-1] = z.astype(np.float32) @ y.T / np.maximum(np.linalg.norm(y, axis=1), 1e-6)
    firsts = np.array([c.first for c in bank.candidates])
    lengths = np.array([c.frames for c in bank.candidates])
    low = np.maximum(firsts - frames + 1, 0)
    high = np.minimum(firsts + lengths - frames + 1, len(y))
    return np.maximum.reduceat(offsets, np.stack([low, high], axis=1).ravel(), axis=1)[:, ::2]
