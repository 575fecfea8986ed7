"""A cocktail-party bundle on the trial it held out: the live engine's decisions beside chance and a control.

The control is the same decoder on the same EEG, turned round in time: it keeps everything of the EEG and of
the candidates but their alignment. Knows nothing of training.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from offline.cocktail_task import FACTS, FRAMES, HOP, envelope_r
from offline.studies.cocktail import load
from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import Session, open_session
from rtdecode.errors import BundleError
from rtdecode.preprocess import Preprocess
from rtdecode.recordings import Recording, decode
from rtdecode.score import TopK, top_k
from rtdecode.types import Decision

SHIFTS_S = tuple(range(10, 51, 5))  # of the control; a trial has 60 s


@dataclass(frozen=True)
class Evaluation:
    """One trial.

    truth    index of the attended candidate;  r  Pearson's r of the estimate with its envelope
    control  all SHIFTS_S together
    """

    name: str
    decisions: tuple[Decision, ...]
    truth: int
    r: float
    scores: TopK
    control: TopK

    @property
    def independent(self) -> int:
        """Windows without overlap: decisions come more often than they bring wholly new EEG."""
        return -(-self.scores.n * HOP // FRAMES)

    def line(self) -> str:
        """The trial in words, for people."""
        true, turned = self.scores, self.control
        return (
            f"trial {self.name}: "
            f"top-10 {true.top10:.1%} (chance {true.chance10:.1%}, control {turned.top10:.1%}), "
            f"top-1 {true.top1:.1%} (chance {true.chance1:.1%}, control {turned.top1:.1%}), "
            f"envelope r {self.r:.3f}; {true.n} windows, {self.independent} without overlap"
        )


def evaluate(bundle: Bundle, recording: Recording, truth: int) -> Evaluation:
    """Decode a trial with the live engine. truth: index of the attended candidate in the bundle's bank."""
    session = open_session(bundle)
    decisions = _decide(bundle, session, recording)
    turned = []
    for shift_s in SHIFTS_S:
        data = np.roll(recording.data, round(shift_s * recording.sfreq), axis=0)
        turned += _decide(bundle, session, replace(recording, data=data))
    return Evaluation(
        recording.name,
        tuple(decisions),
        truth,
        _correlation(bundle, session, recording, truth),
        _scores(bundle, decisions, truth),
        _scores(bundle, turned, truth),
    )


def evaluate_held_out(bundle_path: str | Path, data_dir: str | Path) -> Evaluation:
    """Evaluate a bundle of `train_cocktail` on the trial it held out."""
    bundle, study = load_bundle(bundle_path), load(data_dir)
    trial = study.trial(held_out(bundle))
    return evaluate(bundle, trial.recording, trial.attended)


def held_out(bundle: Bundle) -> int:
    """Number of the trial the bundle was not trained on; BundleError when it is no cocktail-party bundle."""
    path = bundle.path / FACTS
    try:
        facts = json.loads(path.read_text("utf-8"))
        if facts["study"] == "cocktail":
            return int(facts["held_out"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise BundleError(
        f"{bundle.path} was not trained on the cocktail-party study",
        hint="make one with `offline train --study cocktail`",
    )


def ranked(decisions: Sequence[Decision]) -> list[tuple[int, tuple[str, ...], tuple[float, ...]]]:
    """What a live run must repeat: (newest raw sample, ids best first, their scores) of each ranking."""
    return [
        (d.sample, tuple(hit.id for hit in d.retrieved.hits), tuple(hit.score for hit in d.retrieved.hits))
        for d in decisions
        if d.retrieved is not None
    ]


def total(evaluations: Sequence[Evaluation]) -> tuple[TopK, TopK]:
    """All windows of several trials together: scores, and their control."""
    return _pooled([e.scores for e in evaluations]), _pooled([e.control for e in evaluations])


def _pooled(parts: Sequence[TopK]) -> TopK:
    n = sum(part.n for part in parts)
    return TopK(
        n,
        sum(part.top1 * part.n for part in parts) / n,
        sum(part.top10 * part.n for part in parts) / n,
        parts[0].candidates,
    )


def _decide(bundle: Bundle, session: Session, recording: Recording) -> list[Decision]:
    return decode(Engine(bundle, bundle.spec.stream.bind(recording.info), session), recording)


def _scores(bundle: Bundle, decisions: Sequence[Decision], truth: int) -> TopK:
    assert bundle.bank is not None
    pairs = [
        ([hit.candidate for hit in d.retrieved.hits], truth) for d in decisions if d.retrieved is not None
    ]
    return top_k(pairs, len(bundle.bank.candidates))


def _correlation(bundle: Bundle, session: Session, recording: Recording, truth: int) -> float:
    assert bundle.bank is not None
    x = Preprocess(bundle.spec.preprocess).push(bundle.spec.stream.bind(recording.info).apply(recording.data))
    session.reset()
    frames = [session.run(x[at : at + HOP]).estimate for at in range(0, len(x) - HOP + 1, HOP)]
    session.reset()
    span = bundle.bank.candidates[truth]
    envelope = bundle.bank.timeline[span.first : span.first + span.frames, 0]
    return envelope_r(np.concatenate([frame for frame in frames if frame is not None]), envelope)
