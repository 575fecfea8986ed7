"""Second opinion on the n-best list of a finished utterance, with a hard deadline.

    total = acoustic_scale * acoustic + (1 - alpha) * ngram + alpha * llm - length_penalty * tokens

A slow or broken language model never holds up the text: past the deadline the first-pass best stands, and
what is late is thrown away, or kept as a correction where that was asked for. Knows no model, no search; the
scorer is any function, run in one worker thread (it must let others run, as torch and onnxruntime do).
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rtdecode.errors import ConfigError
from rtdecode.text.commit import Final
from rtdecode.text.ngram import LN10
from rtdecode.text.search import Path, SearchSpec

Score = Callable[[list[str]], list[float]]
"""Texts -> natural-log probability of each, in the same order."""

_CORRECTIONS = 16  # late results kept for a caller that does not collect them


@dataclass(frozen=True)
class RescoreSpec:
    """How the scores are weighed, and what becomes of a late one.

    alpha           share of the scorer's log-probability; 1 - alpha is the n-gram's
    length_penalty  nats per token, taken off
    correct_late    keep results past the deadline for `corrections()`
    """

    acoustic_scale: float = 1.0
    alpha: float = 0.5
    length_penalty: float = 0.0
    correct_late: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.alpha <= 1.0:
            raise ConfigError(f"rescoring has alpha {self.alpha}, valid: 0 (n-gram only) to 1 (model only)")
        if not self.acoustic_scale > 0 or not math.isfinite(self.acoustic_scale + self.length_penalty):
            raise ConfigError(
                f"rescoring has acoustic_scale {self.acoustic_scale} "
                f"and length_penalty {self.length_penalty}, valid: above 0, and a finite number"
            )


@dataclass(frozen=True)
class Candidate:
    """A text of the first pass: its two log-probabilities in nats, unweighted, and how many units it has."""

    text: str
    acoustic: float
    ngram: float
    tokens: int


@dataclass(frozen=True)
class Rescored:
    """What became of one list.

    number      of the call, from 0; a correction has that of the call it mends
    best        the text that stands
    index       its place in the list; 0 is the first pass's
    in_time     was the scorer done by the deadline?
    problem     why the first pass stands though a result was there, in words; else ""
    totals      one a candidate, empty where nothing was scored; confidence  softmax of the best's total, or
                nan
    seconds     from the call to the answer
    """

    number: int
    best: Candidate
    index: int
    in_time: bool
    problem: str = ""
    totals: tuple[float, ...] = ()
    confidence: float = math.nan
    seconds: float = 0.0


def candidates(paths: Sequence[Path], search: SearchSpec) -> list[Candidate]:
    """The hypotheses of a search as candidates: its weights are taken off again; a token is a word."""
    return [
        Candidate(
            path.text,
            (path.score - search.alpha * LN10 * path.log10 - search.beta * len(path.words))
            / search.acoustic_scale,
            LN10 * path.log10,
            len(path.words),
        )
        for path in paths
    ]


def totals(nbest: Sequence[Candidate], llm: Sequence[float], spec: RescoreSpec) -> tuple[float, ...]:
    """Total of each candidate in nats. A weight of 0 silences a score, even -inf."""
    return tuple(
        spec.acoustic_scale * one.acoustic
        + ((1 - spec.alpha) * one.ngram if spec.alpha < 1 else 0.0)
        + (spec.alpha * score if spec.alpha else 0.0)
        - spec.length_penalty * one.tokens
        for one, score in zip(nbest, llm, strict=True)
    )


def chosen(
    nbest: Sequence[Candidate], llm: Sequence[float], spec: RescoreSpec
) -> tuple[int, tuple[float, ...], float]:
    """(place of the best, all totals, its share of them). ValueError for scores that are none."""
    if len(llm) != len(nbest):
        raise ValueError(f"{len(llm)} scores for {len(nbest)} texts")
    scored = totals(nbest, llm, spec)
    best = max(scored)
    if any(map(math.isnan, scored)) or not math.isfinite(best):
        wrong = next((s for s in llm if not math.isfinite(s)), best)
        raise ValueError(f"a score is {wrong}, a finite number belongs there")
    return scored.index(best), scored, 1.0 / math.fsum(math.exp(total - best) for total in scored)


@dataclass(frozen=True)
class Sentence:
    """A sentence that ended, and how else it could be read.

    number    of those with words, from 1 within a run
    text      as it stands;  readings  whole sentences, best first; the first one's text is `text`
    """

    number: int
    text: str
    readings: tuple[Candidate, ...]


def sentence(number: int, final: Final, search: SearchSpec, joiner: str) -> Sentence:
    """The end of a sentence with its readings: what was committed before, which all of them share, stands
    before each, so that a model reads whole sentences. A text occurs once.

    joiner  what stands between two words
    """
    found: dict[str, Candidate] = {}
    first = final.nbest[0].text
    before = final.text.removesuffix(first).removesuffix(joiner)
    for one in candidates(final.nbest, search):
        text = joiner.join(part for part in (before, one.text) if part)
        found.setdefault(text, replace(one, text=text))
    return Sentence(number, final.text, tuple(found.values()))


class _Job:
    """One list under way; its fields change under the rescorer's lock only."""

    def __init__(self, number: int, nbest: tuple[Candidate, ...], begun: float):
        self.number, self.nbest, self.begun = number, nbest, begun
        self.result: Rescored | None = None
        self.late = False


class Rescorer:
    """One scorer, one worker thread. Calls come from one thread; `close()` (or `with`) ends the worker.

    skipped  lists the worker never saw, because it was still busy with an earlier one at their deadline
    """

    def __init__(
        self, score: Score, spec: RescoreSpec | None = None, clock: Callable[[], float] = time.monotonic
    ):
        self.spec, self.skipped = spec or RescoreSpec(), 0
        self._score, self._clock = score, clock
        self._changed = threading.Condition()
        self._waiting: _Job | None = None
        self._working: _Job | None = None
        self._late: deque[Rescored] = deque(maxlen=_CORRECTIONS)
        self._number, self._closed = 0, False
        self._worker = threading.Thread(target=self._work, name="rescorer", daemon=True)
        self._worker.start()

    def rescored(self, nbest: Sequence[Candidate], deadline_s: float) -> Rescored:
        """The best of the list, best first as the first pass has it, after `deadline_s` seconds at the
        latest.

        ValueError for an empty list, or a deadline that is none. Whatever the scorer raises is text in
        `problem`.
        """
        if not nbest:
            raise ValueError("an empty n-best list has no best")
        if not 0 <= deadline_s <= threading.TIMEOUT_MAX:
            raise ValueError(f"a deadline of {deadline_s} s is none, from 0 up it is")
        begun = self._clock()
        with self._changed:
            if self._closed:
                raise ValueError("the rescorer is closed")
            job = _Job(self._number, tuple(nbest), begun)
            self._number += 1
            if len(nbest) == 1:  # nothing to choose from
                return Rescored(job.number, nbest[0], 0, True, confidence=1.0)
            self._waiting = job
            self._changed.notify_all()
            self._changed.wait_for(lambda: job.result is not None, deadline_s)
            if job.result is not None:
                return job.result
            job.late = True
            if self._waiting is job:
                self._waiting, self.skipped = None, self.skipped + 1
            return Rescored(job.number, nbest[0], 0, False, seconds=self._clock() - begun)

    def corrections(self) -> list[Rescored]:
        """Late results since the last call that say another text than was given out; never waits."""
        with self._changed:
            found = list(self._late)
            self._late.clear()
        return found

    def idle(self, timeout_s: float) -> bool:
        """Wait until the worker has nothing to do; False where it still has after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._working is self._waiting is None, timeout_s)

    def close(self) -> None:
        """End the worker. One that hangs in its scorer is left behind; it cannot keep the process alive."""
        with self._changed:
            self._closed, self._waiting = True, None
            self._changed.notify_all()

    def __enter__(self) -> "Rescorer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closed)
                if self._waiting is None:
                    return
                job = self._working = self._waiting
                self._waiting = None
            result = self._judge(job)
            with self._changed:
                self._working = None
                job.result = replace(result, in_time=not job.late)
                if job.late and self.spec.correct_late and result.index and not self._closed:
                    self._late.append(job.result)
                self._changed.notify_all()

    def _judge(self, job: _Job) -> Rescored:
        scored: tuple[float, ...] = ()
        index, problem, confidence = 0, "", math.nan
        try:
            llm = [float(score) for score in self._score([one.text for one in job.nbest])]
            index, scored, confidence = chosen(job.nbest, llm, self.spec)
        except BaseException as raised:  # the worker must outlive any scorer
            said = (str(raised).strip().splitlines() or [""])[0]
            problem = f"the rescorer failed: {type(raised).__name__}{': ' if said else ''}{said}"
        seconds = self._clock() - job.begun
        return Rescored(job.number, job.nbest[index], index, True, problem, scored, confidence, seconds)
