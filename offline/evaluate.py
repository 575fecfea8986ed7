"""How good is a bundle? The live engine over held-out recordings, every score beside its alternatives.

Chance, ridge trained on the same data, an untrained model, rankings paired with the wrong moments
("shuffled"), and for simulated studies the ideal observer. Knows nothing of training. Decisions are those
that a live run would give.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from offline.ridge import apply_filter
from offline.study import Study, StudyRecording
from offline.truth import decision_time, preprocessed, truth_of
from rtdecode.bundle import Bundle, Score
from rtdecode.engine import Engine
from rtdecode.engines import Session, open_session
from rtdecode.engines.onnx import OnnxSession
from rtdecode.errors import StudyError
from rtdecode.retrieve import Retriever
from rtdecode.score import TopK, Truth, cer, top_k, wer
from rtdecode.transcribe import TextSpec
from rtdecode.types import Chunk, Decision, StreamInfo

CHUNK_S = 1.0  # pieces of recording given to the engine; the decisions do not depend on it
SHARPNESS = tuple(float(v) for v in np.geomspace(2, 100, 30))


@dataclass(frozen=True)
class Report:
    """Scores of one bundle on the test recordings. `shuffled` should be near chance, or the evaluation leaks.

    texts  (recording, what was heard, what was written)
    """

    scores: tuple[Score, ...]
    candidates: int
    shuffled: TopK | None
    texts: tuple[tuple[str, str, str], ...]

    def lines(self) -> list[str]:
        """One line a score, for people."""
        out = []
        for score in self.scores:
            beside = [
                ("chance", score.chance),
                ("untrained", score.control),
                ("ridge", score.ridge),
                ("ideal observer", score.ideal),
            ]
            known = ", ".join(f"{name} {value:.1%}" for name, value in beside if value is not None)
            out.append(f"{score.name:<18} {score.value:.1%}  ({known}; n = {score.n})")
        if self.shuffled:
            out.append(
                f"{'shuffled top-10':<18} {self.shuffled.top10:.1%}  (chance {self.shuffled.chance10:.1%})"
            )
        return out


Ranked = list[tuple[Sequence[int], int | None]]


def run_engine(bundle: Bundle, recording: StudyRecording, session: Session | None = None) -> list[Decision]:
    """Every decision a live run of this recording would give, in order."""
    spec = bundle.spec
    data = recording.read()
    info = StreamInfo(
        recording.name, "EEG", recording.labels, (recording.unit,) * len(recording.labels), recording.sfreq
    )
    engine = Engine(bundle, spec.stream.bind(info), session or open_session(bundle))
    size = max(1, round(CHUNK_S * recording.sfreq))
    decisions: list[Decision] = []
    for first in range(0, len(data), size):
        piece = data[first : first + size]
        decisions += engine.push(Chunk(piece, (first + np.arange(len(piece))) / recording.sfreq, first))
    if not decisions:
        raise StudyError(
            f"recording {recording.name} lasts {len(data) / recording.sfreq:.1f} s, the bundle's first "
            f"decision needs {engine.first_decision_s:.1f} s"
        )
    return decisions


def evaluate(bundle: Bundle, study: Study, *, subject: str | None = None, ideal: bool = True) -> Report:
    """Score `bundle` on the test recordings of its subject.

    ideal  also run the ideal observer (simulated studies only; it takes the true forward model from
           study.json).
    """
    subject = subject or bundle.spec.training.subject
    recordings = study.select("test", subject)
    if not recordings:
        raise StudyError(
            f"study {study.name!r} has no test recording of subject {subject!r}",
            hint=f"subjects: {', '.join(study.subjects)}",
        )
    trained, control = _runs(bundle, recordings)
    scores: list[Score] = []
    shuffled = None
    if bundle.spec.retrieval and bundle.bank:
        scores_, shuffled = _retrieval(bundle, study, recordings, trained, control, ideal)
        scores += scores_
    texts: list[tuple[str, str, str]] = []
    if bundle.spec.text:
        texts = [
            (r.name, truth_of(bundle, r).text(np.inf), _text(d))
            for r, d in zip(recordings, trained, strict=True)
        ]
        scores += _error_rates("text", texts, control)
        if bundle.spec.text.search:
            found, blind = _runs(_greedy(bundle), recordings)
            both = [(name, truth, _text(d)) for (name, truth, _), d in zip(texts, found, strict=True)]
            scores += _error_rates("greedy text", both, blind)
    count = len(bundle.bank.candidates) if bundle.bank else 0
    return Report(tuple(scores), count, shuffled, tuple(texts))


def _runs(
    bundle: Bundle, recordings: Sequence[StudyRecording]
) -> tuple[list[list[Decision]], list[list[Decision]] | None]:
    """Decisions of every recording, and those of the untrained network where the bundle has one."""
    found = [run_engine(bundle, r) for r in recordings]
    file = bundle.path / "control.onnx"
    if not file.is_file():
        return found, None
    return found, [run_engine(bundle, r, OnnxSession(file, bundle.spec)) for r in recordings]


def _error_rates(
    name: str, texts: Sequence[tuple[str, str, str]], control: list[list[Decision]] | None
) -> list[Score]:
    """Corpus-level character and word error rates of (name, truth, said)."""
    truth, said = " ".join(t for _, t, _ in texts), " ".join(s for _, _, s in texts)
    blind = " ".join(map(_text, control)) if control else None
    rates = {"CER": (cer, len(truth)), "WER": (wer, len(truth.split()))}
    return [
        Score(f"{name} {kind}", rate(said, truth), control=None if blind is None else rate(blind, truth), n=n)
        for kind, (rate, n) in rates.items()
    ]


def _greedy(bundle: Bundle) -> Bundle:
    """The same bundle without its search: what the network alone reads."""
    assert bundle.spec.text is not None
    plain = TextSpec(bundle.spec.text.symbols, delay=bundle.spec.text.delay)
    return replace(bundle, spec=replace(bundle.spec, text=plain))


def fit_sharpness(bundle: Bundle, recordings: Sequence[StudyRecording]) -> float:
    """The sharpness under which what was heard in `recordings` (validation) is most probable."""
    assert bundle.bank is not None
    losses = np.zeros(len(SHARPNESS))
    for recording in recordings:
        estimate = _session_estimate(
            bundle, open_session(bundle), preprocessed(bundle.spec.preprocess, recording, bundle)
        )
        for scores, truth in _scored(bundle, recording, estimate):
            logits = np.array(SHARPNESS)[:, None] * (scores - scores.max())
            losses += np.log(np.exp(logits).sum(axis=1)) - logits[:, truth]
    return round(SHARPNESS[int(np.argmin(losses))], 2)


def _retrieval(
    bundle: Bundle,
    study: Study,
    recordings: Sequence[StudyRecording],
    trained: list[list[Decision]],
    control: list[list[Decision]] | None,
    ideal: bool,
) -> tuple[list[Score], TopK]:
    assert bundle.bank is not None
    count = len(bundle.bank.candidates)
    truths = [truth_of(bundle, r) for r in recordings]
    ranked = _decided(bundle, recordings, truths, trained)
    model = top_k(ranked, count)
    known = [pair for pair in ranked if pair[1] is not None]
    half = len(known) // 2
    moved = [(best, known[(i + half) % len(known)][1]) for i, (best, _) in enumerate(known)]
    baseline = top_k(_decided(bundle, recordings, truths, control), count) if control else None
    ridge = limit = None
    if (bundle.path / "ridge.safetensors").is_file():
        ridge = top_k([p for r in recordings for p in _ridge(bundle, r)], count)
    if ideal and study.gain is not None:
        from offline.observe import ideal_rankings

        limit = top_k([p for r in recordings for p in ideal_rankings(bundle, study, r)], count)

    def score(name: str, pick: str, chance: float) -> Score:
        return Score(
            name,
            getattr(model, pick),
            chance,
            _get(baseline, pick),
            _get(ridge, pick),
            _get(limit, pick),
            model.n,
        )

    return [
        score("retrieval top-1", "top1", model.chance1),
        score("retrieval top-10", "top10", model.chance10),
    ], top_k(moved, count)


def _get(found: TopK | None, name: str) -> Any:
    return None if found is None else getattr(found, name)


def _decided(
    bundle: Bundle, recordings: Sequence[StudyRecording], truths: list[Truth], decisions: list[list[Decision]]
) -> Ranked:
    """(hits, truth) of every decision with a retrieval; the truth lies `delay_s` before its newest sample."""
    out: Ranked = []
    for recording, truth, made in zip(recordings, truths, decisions, strict=True):
        for decision in made:
            if decision.retrieved is not None:
                t = decision.sample / recording.sfreq - bundle.spec.delay_s
                out.append(([hit.candidate for hit in decision.retrieved.hits], truth.candidate(t)))
    return out


def _ridge(bundle: Bundle, recording: StudyRecording) -> Ranked:
    filters = load_file(bundle.path / "ridge.safetensors")
    x = preprocessed(bundle.spec.preprocess, recording, bundle)
    estimate = apply_filter(x, filters["weight"], filters["bias"], bundle.spec.model.stride)
    return [
        (np.argsort(-scores, kind="stable")[:10].tolist(), truth)
        for scores, truth in _scored(bundle, recording, estimate)
    ]


def _session_estimate(bundle: Bundle, session: Session, x: np.ndarray) -> np.ndarray:
    """(T', F) estimate of a whole recording of model samples."""
    hop = bundle.spec.model.hop
    session.reset()
    pieces = [session.run(x[i : i + hop]).estimate for i in range(0, len(x) - hop + 1, hop)]
    return np.concatenate([piece for piece in pieces if piece is not None])


def _scored(
    bundle: Bundle, recording: StudyRecording, estimate: np.ndarray
) -> Iterator[tuple[np.ndarray, int]]:
    """(scores of all candidates, truth) of every hop whose truth is known, from a whole estimate."""
    spec, bank = bundle.spec, bundle.bank
    assert spec.retrieval is not None and bank is not None
    retriever, truth = Retriever(spec.retrieval, bank, spec.frame_rate), truth_of(bundle, recording)
    hop = spec.model.hop // spec.model.stride
    for stop in range(hop, len(estimate) + 1, hop):
        retriever.push(estimate[stop - hop : stop], stop)
        heard = truth.candidate(decision_time(bundle, stop) - spec.delay_s)
        if retriever.ready() and heard is not None:
            yield retriever.scores(), heard


def _text(decisions: Sequence[Decision]) -> str:
    """Everything written in a run, the unfinished word included."""
    last = next((d.text for d in reversed(decisions) if d.text is not None), None)
    return "" if last is None else (last.committed + last.tentative).strip()
