"""Words are said once: from the beams of a search to text that only grows.

A word is committed when every beam within `agree_nats` of the best has it next, or when the best beam
finished it `age_s` ago. Then the beams that have another word there are dropped, so that what was said and
what is searched never part, and everything before is cut off, so that memory does not grow. Committed text is
therefore a prefix of the final text by construction. With infinite `agree_nats` and `age_s` nothing is
dropped: the final text is that of the search alone.

Decided after every frame, hence the same however frames come in pieces. Knows seconds only as frames.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from rtdecode.text.beam import BeamSearch
from rtdecode.text.prefix import Prefix
from rtdecode.text.search import Path


@dataclass(frozen=True)
class CommitSpec:
    """When to say a word.

    agree_nats  beams this close to the best must agree; inf: all beams
    age_s       seconds after its last frame at which a word of the best beam is said anyway; inf: never
    allow_corrections  keep contradicting beams and let the final text differ, as an explicit correction
    """

    agree_nats: float = 6.0
    age_s: float = 1.5
    allow_corrections: bool = False

    def __post_init__(self) -> None:
        if not (self.agree_nats >= 0 and self.age_s >= 0):
            raise ValueError(
                f"agree_nats is {self.agree_nats} and age_s {self.age_s}, neither can be below 0"
            )


@dataclass(frozen=True)
class Said:
    """A word and what is known of it.

    start, stop  frames [start, stop) it was read in
    confidence   share of the total weight that has this word here (committed: at that moment, before any was
                 dropped)
    shown        frame after which it stood in the best beam;  committed  frame after which it was said, -1:
                 not yet
    """

    text: str
    start: int
    stop: int
    confidence: float
    shown: int
    committed: int = -1


@dataclass(frozen=True)
class Update:
    """`committed` is all text said since reset(); `delta` the words this call added, `tail` those that may
    change.
    """

    committed: str
    delta: tuple[Said, ...]
    tail: tuple[Said, ...]
    partial: str
    frame: int


@dataclass(frozen=True)
class Correction:
    """Words said from place `at` (counted from 0) on were `said` and are now `words`."""

    at: int
    said: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Final:
    """The end of a sentence. `nbest` are whole sentences since the last committed word (since the start if
    corrected).
    """

    text: str
    delta: tuple[Said, ...]
    correction: Correction | None
    nbest: tuple[Path, ...]


@dataclass
class CommitStats:
    """Since reset().

    shown      words that came into the best beam;  revisions  times they changed;  revised  words that did
    tail_sum   sum over frames of the words shown and not said;  tail_most  most at one time
    delays     frames from first shown to said -> words
    """

    frames: int = 0
    committed: int = 0
    shown: int = 0
    revisions: int = 0
    revised: int = 0
    tail_sum: int = 0
    tail_most: int = 0
    dropped: int = 0  # beams that contradicted what was said
    delays: dict[int, int] = field(default_factory=dict)

    def delay(self, share: float) -> float:
        """Quantile of the delay from first shown to said, in frames; NaN before any word."""
        need, total = share * sum(self.delays.values()), 0
        for frames in sorted(self.delays):
            total += self.delays[frames]
            if total >= need:
                return float(frames)
        return math.nan


class Committer:
    """Drives a search. `frame_s`: seconds per frame."""

    def __init__(self, search: BeamSearch, spec: CommitSpec, frame_s: float):
        if not frame_s > 0:
            raise ValueError(f"a frame of {frame_s} s, it must be longer than 0")
        self.search, self.spec, self.frame_s = search, spec, frame_s
        self._age = spec.age_s / frame_s
        self._least = math.exp(-spec.agree_nats)
        self.reset()

    def reset(self) -> None:
        """Begin a new sentence; what was said of the last one is forgotten, and so are the statistics."""
        self.search.reset()
        self.stats = CommitStats()
        self._said: list[str] = []
        self._text = ""
        self._delta: list[Said] = []
        self._home = self.search.frontier.root
        self._tail: list[
            tuple[Prefix, int]
        ] = []  # words of the best beam after the said ones, frame first shown
        self._nodes: list[Prefix] | None = None

    def push(self, log_probs: np.ndarray) -> Update:
        """Take (T, V) log-probabilities, any T. ValueError as BeamSearch.push; nothing has changed then."""
        self._delta = []
        self.search.push(log_probs, self._after)
        best = self.search.best()
        tail = self._shares([node for node, _ in self._tail])
        said = tuple(
            Said(node.word, node.start, node.at + 1, share, shown)
            for (node, shown), share in zip(self._tail, tail, strict=True)
        )
        partial = ("" if self.search.symbols.spelled else " ").join(best.partial)
        return Update(self._text, tuple(self._delta), said, partial, self.search.frame)

    def _after(self) -> None:
        """After each frame."""
        frontier, stats = self.search.frontier, self.stats
        changed = frontier.nodes is not self._nodes
        self._nodes = frontier.nodes
        if changed:
            best = frontier.nodes[0]
            home = best.home or best
            if home is not self._home:
                self._show(home)
        while self._tail:
            node = self._tail[0][0]
            if frontier.frame - node.at < self._age and not (changed and self._agree(node)):
                break
            self._commit()
        stats.frames += 1
        stats.tail_sum += len(self._tail)
        stats.tail_most = max(stats.tail_most, len(self._tail))

    def _show(self, home: Prefix) -> None:
        """The best beam has other finished words than before."""
        self._home = home
        words = home.words()
        if self.spec.allow_corrections:
            said = self._said
            if [node.word for node in words[: len(said)]] != said:
                self._tail = []  # to be corrected at the end; till then there is no more to say
                return
            words = words[len(said) :]
        same = 0
        for (old, _), new in zip(self._tail, words, strict=False):
            if old.word != new.word:
                break
            same += 1
        if same < len(self._tail):
            self.stats.revisions += 1
            self.stats.revised += len(self._tail) - same
        self.stats.shown += len(words) - same
        now = self.search.frame
        self._tail = [(node, self._tail[i][1] if i < same else now) for i, node in enumerate(words)]

    def _agree(self, word: Prefix) -> bool:
        """Do all beams near the best have this word?"""
        frontier = self.search.frontier
        weights = [b + o for b, o in zip(frontier.blanks, frontier.others, strict=True)]
        least = weights[0] * self._least
        for node, weight in zip(frontier.nodes, weights, strict=True):
            if weight < least:
                break
            if not node.follows(word):
                return False
        return True

    def _shares(self, words: list[Prefix]) -> list[float]:
        """Share of the total weight that has each of these words (one line of descent)."""
        frontier = self.search.frontier
        found = dict.fromkeys(words, 0.0)
        whole = 0.0
        for node, blank, other in zip(frontier.nodes, frontier.blanks, frontier.others, strict=True):
            whole += blank + other
            home: Prefix | None = node.home or node
            while home is not None:
                if home in found:
                    found[home] += blank + other
                home = home.parent
        return [min(1.0, found[word] / whole) for word in words]

    def _commit(self) -> None:
        """Say the first word of the tail, and drop the beams that have another."""
        node, shown = self._tail[0]
        frontier, stats = self.search.frontier, self.stats
        share = self._shares([node])[0]
        before = len(frontier.nodes)
        del self._tail[0]
        if not self.spec.allow_corrections:
            frontier.keep(node)
            self._nodes = frontier.nodes
            stats.dropped += before - len(frontier.nodes)
        self._say(Said(node.word, node.start, node.at + 1, share, shown, frontier.frame))

    def _say(self, word: Said) -> None:
        stats = self.stats
        self._delta.append(word)
        self._said.append(word.text)
        self._text += (self.search.joiner if self._text else "") + word.text
        stats.committed += 1
        delay = word.committed - word.shown
        stats.delays[delay] = stats.delays.get(delay, 0) + 1

    def finish(self, n: int = 10) -> Final:
        """End the sentence: score its end, say the rest. Call reset() before the next one."""
        self._delta = []
        paths = self.search.finish(len(self.search.frontier.nodes) * 8)
        words, now = paths[0].words, self.search.frame
        if self.spec.allow_corrections:
            same, said = 0, self._said
            while same < min(len(said), len(words)) and said[same] == words[same].text:
                same += 1
            if same < len(said):
                correction = Correction(same, tuple(said[same:]), tuple(word.text for word in words[same:]))
                return Final(paths[0].text, (), correction, tuple(paths[:n]))
        texts = [tuple(word.text for word in path.words) for path in paths]
        first = len(self._said) if self.spec.allow_corrections else 0
        for i, word in enumerate(words[first:], first):
            share = sum(p.share for p, t in zip(paths, texts, strict=True) if t[: i + 1] == texts[0][: i + 1])
            tail = self._tail[i - first] if i - first < len(self._tail) else None
            shown = tail[1] if tail and tail[0].word == word.text else now
            self._say(Said(word.text, word.start, word.stop, min(1.0, share), shown, now))
        self._tail = []
        return Final(self._text, tuple(self._delta), None, tuple(paths[:n]))
