"""What travels between the rooms of the decoder. Frozen, so that no room can change another's data; named
tuples where a decision waits while they are made.

One alphabet everywhere: B batch, C channels, T samples, T' frames, D width, F speech features,
V vocabulary, K candidates. A *sample* is one time point of the stream; a *frame* is one time point of a
model's output. Sample indices are absolute within a run: the first sample after connecting (or after a
gap) is 0, and only storage wraps, never time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np


def to_samples(seconds: float, sfreq: float) -> int:
    """Seconds become samples here and nowhere else: round half to even, for starts and lengths alike."""
    return round(seconds * sfreq)


@dataclass(frozen=True)
class StreamInfo:
    """What a stream says of itself.

    labels  one name per channel, in stream order;  units  one unit per channel ("" when not stated)
    sfreq   nominal rate in Hz, 0 when irregular;  uid  changes with every start of the outlet
    """

    name: str
    stype: str
    labels: tuple[str, ...]
    units: tuple[str, ...]
    sfreq: float
    source_id: str = ""
    uid: str = ""
    hostname: str = ""
    dtype: str = "float32"


class Chunk(NamedTuple):
    """Consecutive raw samples of one contiguous run.

    data   (T, C) in the stream's own channel order and unit
    t      (T,) seconds on the stream's clock
    first  absolute index of the first sample within the run
    """

    data: np.ndarray
    t: np.ndarray
    first: int


class Window(NamedTuple):
    """One model input.

    x      (T, C) float32, preprocessed, at the model's rate
    start  absolute index (at the model's rate) of the first sample;  stop  start + T
    """

    x: np.ndarray
    start: int
    stop: int


@dataclass(frozen=True)
class Hit:
    """One ranked candidate. `score` is a cosine in [-1, 1]; `prob` a softmax over all candidates."""

    candidate: int
    id: str
    text: str
    source: str
    start: float
    score: float
    prob: float


@dataclass(frozen=True)
class Retrieved:
    """A ranking of the bank for one window. `chance` is the chance level of top-1 (1 / candidates)."""

    hits: tuple[Hit, ...]
    candidates: int
    window_s: float

    @property
    def chance(self) -> float:
        return 1.0 / self.candidates

    @property
    def margin(self) -> float:
        """Probability of the first candidate above the second."""
        return self.hits[0].prob - self.hits[1].prob if len(self.hits) > 1 else 1.0


class Ranked(Retrieved):
    """A ranking in numbers. Its hits are made when first asked for: whoever only passes it on need not wait.

    said           of every candidate of the bank, the fields of Hit that do not change
    order          the first few candidates, best first;  scores, probs  theirs
    """

    said: Sequence[Mapping[str, Any]]
    order: Sequence[int]
    scores: Sequence[float]
    probs: Sequence[float]

    def __init__(
        self,
        said: Sequence[Mapping[str, Any]],
        order: Sequence[int],
        scores: Sequence[float],
        probs: Sequence[float],
        window_s: float,
    ):
        # as a frozen dataclass's own __init__ does, which would want the hits
        own = self.__dict__
        own["said"], own["order"], own["scores"], own["probs"] = said, order, scores, probs
        own["candidates"], own["window_s"] = len(said), window_s

    @cached_property
    def hits(self) -> tuple[Hit, ...]:
        places = zip(self.order, self.scores, self.probs, strict=True)
        return tuple(Hit(**self.said[k], score=score, prob=prob) for k, score, prob in places)

    @property
    def margin(self) -> float:
        return self.probs[0] - self.probs[1] if len(self.probs) > 1 else 1.0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Retrieved):
            return NotImplemented
        return (self.hits, self.candidates, self.window_s) == (other.hits, other.candidates, other.window_s)

    __hash__ = Retrieved.__hash__


@dataclass(frozen=True)
class SpokenWord:
    """A committed word. start, stop: when it was read, in seconds from the newest sample that the decision
    used (negative: before it); confidence in 0..1: share of all hypotheses that had it; delay_s: from when
    it was first shown to when it was committed.
    """

    text: str
    start: float
    stop: float
    confidence: float
    delay_s: float


@dataclass(frozen=True)
class Corrected:
    """Committed words that the end of their sentence changed, where the bundle allows it."""

    said: str
    now: str


@dataclass(frozen=True)
class TextPace:
    """How text came since the run began: seconds from shown to committed, share of shown words that were
    revised, mean number of words that were shown and could still change.
    """

    delay_p50_s: float
    delay_p90_s: float
    revised: float
    tail_words: float


@dataclass(frozen=True)
class Hypothesis:
    """Decoded text. `committed` never changes once said, only grows; `tentative` may still change.

    delta      what this step appended to `committed`;  words: its words
    ended      the rule by which a sentence ended in this step: "silence", "nothing", "long"; "" none did
    corrected  only where the bundle allows corrections: `committed` keeps what was said first
    pace       None before the first word, or when the text is greedy
    """

    committed: str
    tentative: str
    delta: str
    words: tuple[SpokenWord, ...] = ()
    ended: str = ""
    corrected: tuple[Corrected, ...] = ()
    pace: TextPace | None = None


@dataclass(frozen=True, init=False)
class Decision:
    """One answer of the decoder.

    index      counts decisions within a run, from 0
    run        counts contiguous runs of the stream, from 1
    sample     absolute raw sample index just after the newest sample this answer used
    t          seconds on the stream's clock of that newest sample
    retrieved  None while the retrieval window is not full, or when the bundle has no retrieval
    text       None when the bundle has no text
    stage_ms   milliseconds spent per stage in this hop: preprocess, infer, heads
    """

    index: int
    run: int
    sample: int
    t: float
    retrieved: Retrieved | None
    text: Hypothesis | None
    stage_ms: dict[str, float]
    warnings: tuple[str, ...]

    def __init__(
        self,
        index: int,
        run: int,
        sample: int,
        t: float,
        retrieved: Retrieved | None,
        text: Hypothesis | None,
        stage_ms: dict[str, float] | None = None,
        warnings: tuple[str, ...] = (),
    ):
        # as a frozen dataclass's own __init__ does, in a fifth of its time
        own = self.__dict__
        own["index"], own["run"], own["sample"], own["t"] = index, run, sample, t
        own["retrieved"], own["text"], own["warnings"] = retrieved, text, warnings
        own["stage_ms"] = {} if stage_ms is None else stage_ms
