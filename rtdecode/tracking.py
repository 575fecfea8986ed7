"""Right or wrong so far? Scores decisions one by one against what was really heard, while they are made.

The figures are those that rtdecode/score.py gives for all decisions at once. They speak of one unbroken run:
where the stream broke, by a gap or by a jump in a replay, they begin anew, so that nothing is counted whose
window the listener did not hear as one. Knows decisions as JSON lines (docs/output.md), no stream, no screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rtdecode.retrieve import Candidate
from rtdecode.score import Heard, TopK, Truth, cer

TEXT_SETTLES_S = 0.5  # a word may be written this long after it ended
FEW_WORDS = 5  # with fewer, the same words in another order are no other text


@dataclass(frozen=True)
class Figures:
    """What may be said of the run so far.

    since_s    second of the recording at which the run began
    ranked     None when nothing was ranked while a candidate was heard
    cer        None while no word was heard completely
    cer_chance error rate of the same text against the heard words in reversed order; None with few words
    characters of what was heard
    heard      what is heard now, "" in silence;  known  it is in the bank
    rank       of what is heard now, from 1; None when it is not among the hits;  hits  how many there were
    """

    since_s: float = 0.0
    ranked: TopK | None = None
    cer: float | None = None
    cer_chance: float | None = None
    characters: int = 0
    heard: str = ""
    known: bool = False
    rank: int | None = None
    hits: int = 0


class Tracking:
    """Running truth.

    events   what was heard, and when (score.heard);  candidates  of the bundle's bank, () without one
    delay_s  by how much a decision speaks of what was heard before its newest sample
    """

    def __init__(self, events: Sequence[Heard], candidates: Sequence[Candidate], delay_s: float = 0.0):
        self.truth = Truth(candidates, events)
        self._index = {candidate.id: index for index, candidate in enumerate(candidates)}
        self._delay_s = delay_s
        self._run: tuple[str, int] | None = None
        self.restart(0.0)

    @property
    def has_truth(self) -> bool:
        return bool(self.truth.sentences or self.truth.words)

    def restart(self, since_s: float) -> None:
        """A new run begins at this second of the recording: nothing was decided in it."""
        self._since_s = self._at_s = since_s
        self._n = self._first = self._ten = 0
        self._said: list[str] = []
        self._tentative = ""
        self._best: Sequence[int] | None = None
        self._next = 0
        self._text: tuple[float | None, float | None, int] = (None, None, 0)

    def take(self, line: dict[str, Any], uid: str, at_s: float, sfreq: float) -> None:
        """One decision. uid: of the stream; at_s: of the recording, just after the decision's newest sample;
        sfreq: of the stream, Hz."""
        run, index = (uid, int(line["run"])), int(line["index"])
        if run != self._run:
            self._run = run
            self.restart(at_s - line["sample"] / sfreq)
        elif index != self._next:  # a hole: what was said in it is not known
            self.restart(at_s)
        self._next = index + 1
        best = None
        if line["retrieved"]:
            best = [self._index[hit["id"]] for hit in line["retrieved"]["hits"] if hit["id"] in self._index]
        text = line["text"] or {}
        self.add(at_s, best, text.get("delta", ""), text.get("tentative", ""))

    def add(self, at_s: float, best: Sequence[int] | None, delta: str = "", tentative: str = "") -> None:
        """best: candidates, best first, None when nothing was ranked; delta: text committed since."""
        self._at_s, self._best, self._tentative = at_s, best, tentative
        if delta:
            self._said.append(delta)
        if best is None:
            return
        truth = self.truth.candidate(at_s - self._delay_s)
        if truth is not None:
            self._n += 1
            self._first += truth in best[:1]
            self._ten += truth in best[:10]

    @property
    def said(self) -> str:
        """What was read in this run."""
        return "".join(self._said) + self._tentative

    def figures(self, fresh: bool = True) -> Figures:
        """As of the newest decision. fresh: False keeps the error rates as they were counted last, for they
        cost the square of the text's length (10 ms for 5000 characters)."""
        if fresh:
            self._text = self._read()
        cer_now, cer_chance, characters = self._text
        at = self._at_s - self._delay_s
        truth = self.truth.candidate(at)
        best = list(self._best or ())
        sentence = next((s for s in self.truth.sentences if s.start <= at < s.stop), None)
        return Figures(
            since_s=self._since_s,
            ranked=self._ranked(),
            cer=cer_now,
            cer_chance=cer_chance,
            characters=characters,
            heard=sentence.text if sentence else "",
            known=truth is not None,
            rank=best.index(truth) + 1 if truth is not None and truth in best else None,
            hits=len(best),
        )

    def _ranked(self) -> TopK | None:
        n = self._n
        return TopK(n, self._first / n, self._ten / n, max(1, len(self._index))) if n else None

    def _read(self) -> tuple[float | None, float | None, int]:
        until = self._at_s - TEXT_SETTLES_S
        words = [w.text for w in self.truth.words if self._since_s <= w.start and w.stop <= until]
        if not words:
            return None, None, 0
        expected, other = " ".join(words), " ".join(reversed(words))
        chance = cer(self.said, other) if len(words) >= FEW_WORDS else None
        return cer(self.said, expected), chance, len(expected)
