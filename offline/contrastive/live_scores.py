"""What a bundle finds in the held-out stretches of a prepared study: its own network, scaling and search.

The stretches come from the prepared signal, which the live decoder's own filters made; scaling, network and
retrieval are the live ones. A decision counts when all of its window lies in one stretch. Knows no bundle
directory and no training.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from offline.contrastive.live_bank import Stretch
from offline.evaluate import SHARPNESS
from rtdecode.bundle import BundleSpec, Score
from rtdecode.engines import Session
from rtdecode.preprocess import PreprocessSpec, Scaler
from rtdecode.retrieve import Bank, Retriever
from rtdecode.score import TopK, top_k

EVERY_S = 0.5  # between two decisions that are scored: neighbours say nearly the same
LEAD = 2  # windows before a stretch, for what a stream remembers

Found = tuple[np.ndarray, int]  # scores of all candidates, the one that was heard


def scaled(spec: PreprocessSpec, signal: np.ndarray) -> np.ndarray:
    """(T, C) prepared samples -> the model's, as the last box of the live chain makes them."""
    return Scaler(spec.center, spec.scale, spec.clamp).push(signal)


def found_in(spec: BundleSpec, session: Session, bank: Bank, stretches: Iterable[Stretch]) -> Iterator[Found]:
    """Every decision in the stretches whose truth is a candidate."""
    assert spec.retrieval is not None
    size, hop, frames, delay = spec.model.size, spec.model.hop, spec.retrieval.frames, spec.retrieval.delay
    every = max(1, round(EVERY_S * spec.preprocess.sfreq / hop))
    streams = spec.model.mode == "step"
    retriever = Retriever(spec.retrieval, bank, spec.frame_rate)
    for stretch in stretches:
        if not stretch.heard:
            continue
        begin = max(0, stretch.low - LEAD * frames) if streams else stretch.low
        x = scaled(spec.preprocess, stretch.recording.signal()[begin : stretch.high])
        session.reset()
        retriever.reset()
        for number, stop in enumerate(range(size, len(x) + 1, hop)):
            due = number % every == 0
            if not (streams or due):
                continue
            estimate = session.run(np.ascontiguousarray(x[stop - size : stop])).estimate
            assert estimate is not None
            retriever.push(estimate, stop)
            heard = begin + stop - delay  # sample after the newest that the estimate speaks of
            if not due or not retriever.ready() or heard - frames < stretch.low:
                continue
            truth = stretch.candidate(heard - 1)
            if truth is not None:
                yield retriever.scores(), truth


def fitted_sharpness(found: Iterable[Found]) -> float | None:
    """The factor before the softmax under which what was heard is most probable; None without a decision."""
    losses, count = np.zeros(len(SHARPNESS)), 0
    for scores, truth in found:
        logits = np.array(SHARPNESS)[:, None] * (scores - scores.max())
        losses += np.log(np.exp(logits).sum(axis=1)) - logits[:, truth]
        count += 1
    return round(SHARPNESS[int(np.argmin(losses))], 2) if count else None


def held_out_scores(found: Iterable[Found], control: Iterable[Found], candidates: int) -> tuple[Score, ...]:
    """Top-1 and top-10 beside chance and the untrained network; () without a decision."""
    own, blind = _top(found, candidates), _top(control, candidates)
    if not own.n:
        return ()
    return (
        Score("retrieval top-1", own.top1, own.chance1, blind.top1, n=own.n),
        Score("retrieval top-10", own.top10, own.chance10, blind.top10, n=own.n),
    )


def _top(found: Iterable[Found], candidates: int) -> TopK:
    ranked: list[tuple[Sequence[int], int | None]] = [
        (np.argsort(-scores, kind="stable")[:10].tolist(), truth) for scores, truth in found
    ]
    return top_k(ranked, candidates)
