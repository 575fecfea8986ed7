"""The table of windows of a prepared study: where each lies, in which split, what is said and heard in it.

Training and validation windows lie on a grid, test windows at the words (`offline.window_rule`). The same
study and configuration give the same table, whose digest a run keeps. Knows neither signals nor features.
"""

import csv
import gzip
import hashlib
import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from offline.contrastive.config import ContrastiveConfig
from offline.disk import whole
from offline.prepare.store import PreparedRecording
from offline.split import AUDIO_TOLERANCE_S, same_text
from offline.study import Event
from offline.window_rule import Anchor, grid_windows, offsets, word_windows
from rtdecode.errors import TrainingError

AFTER_ONSET = 2
"""A window is known by the word that sounds so many samples after its anchor (Défossez et al. 2023)."""
COLUMNS = (
    "recording",
    "subject",
    "split",
    "sample",
    "uid",
    "index",
    "word",
    "stimulus",
    "stimulus_s",
    "pieces",
)
LOOK_BACK = 64
"""Words that can sound at one moment: more than that many before the latest are not looked at."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a window in which one sound is heard.

    anchor_s   where in the sound the window's anchor lies, in seconds; outside of it for a later sound
    first, n   samples of the window, from its first one
    start_s    where in the sound sample `first` lies
    """

    stimulus: str
    anchor_s: float
    first: int
    n: int
    start_s: float


@dataclass(frozen=True, slots=True)
class Window:
    """One window. sample: its anchor, and block_first: where its block begins, at the study's rate.

    uid, index            identity of what is said: the sentence, and the place of the word in it. Where the
                          events do not say, the sound and second of the anchor stand for them, with index -1
    stimulus, stimulus_s  the sound at the anchor, '' in silence, and the second of it
    """

    recording: str
    subject: str
    split: str
    sample: int
    block_first: int
    uid: str
    index: int
    word: str
    stimulus: str
    stimulus_s: float
    pieces: tuple[Piece, ...]

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.recording} sample {self.sample}"


@dataclass(frozen=True)
class Windows:
    """All windows of some splits. silent: windows of the grid in which no sound is heard, left out."""

    windows: tuple[Window, ...]
    silent: int = 0

    def __len__(self) -> int:
        return len(self.windows)

    def of(self, split: str) -> tuple[Window, ...]:
        return tuple(window for window in self.windows if window.split == split)

    def counts(self) -> dict[str, int]:
        """Windows by split, and the silent ones that were left out."""
        splits = dict.fromkeys(window.split for window in self.windows)
        found = {split: sum(w.split == split for w in self.windows) for split in splits}
        return {**found, "silent": self.silent}

    def digest(self) -> str:
        """Changes with anything in the table."""
        lines = hashlib.sha256()
        for window in self.windows:
            lines.update(repr(astuple(window)).encode())
        return lines.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """A gzipped CSV, whole or not at all. StudyError when the disk is full."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for window in self.windows:
            pieces = " ".join(f"{quote(p.stimulus)}@{p.anchor_s:.3f}" for p in window.pieces)
            writer.writerow([*(getattr(window, name) for name in COLUMNS[:-1]), pieces])
        with whole(path) as beside:
            beside.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


@dataclass(frozen=True)
class Learned:
    """What a run was trained and validated on: the sentences, and of each sound the seconds at the anchors
    of its windows, sorted.
    """

    texts: frozenset[str]
    seconds: Mapping[str, np.ndarray]

    def hears(self, window: Window, config: ContrastiveConfig) -> str:
        """What of a window to be tested was learned from: in words, '' if nothing."""
        if window.index >= 0 and same_text(window.uid) in self.texts:
            return f"the sentence {window.uid!r}"
        # Windows of n samples share sound when their anchors are nearer than their length.
        apart = config.n_window / config.signal.sfreq - AUDIO_TOLERANCE_S
        for piece in window.pieces:
            known = self.seconds.get(piece.stimulus, np.empty(0))
            at = int(np.searchsorted(known, piece.anchor_s))
            if any(abs(known[k] - piece.anchor_s) < apart for k in (at - 1, at) if 0 <= k < len(known)):
                return f"the sound {piece.stimulus!r} around {piece.anchor_s:.2f} s"
        return ""


def load_learned(path: Path) -> Learned:
    """From what `Windows.save` wrote. TrainingError when it is missing or damaged."""
    texts: set[str] = set()
    seconds: dict[str, list[float]] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if int(row["index"]) >= 0:
                    texts.add(same_text(row["uid"]))
                for piece in row["pieces"].split():
                    stimulus, _, second = piece.rpartition("@")
                    seconds.setdefault(unquote(stimulus), []).append(float(second))
    except (OSError, EOFError, ValueError, KeyError, TypeError, csv.Error) as problem:
        raise TrainingError(f"cannot read {path}: {problem}", hint="a training run makes it") from problem
    return Learned(frozenset(texts), {k: np.unique(v) for k, v in seconds.items()})


def make_windows(
    recordings: Iterable[PreparedRecording],
    config: ContrastiveConfig,
    *,
    grid: Sequence[str] = (),
    words: Sequence[str] = (),
) -> Windows:
    """Windows of recordings in their order, by time within each: on the grid in the splits `grid`, at the
    words in the splits `words`.
    """
    found: list[Window] = []
    silent = 0
    for recording in recordings:
        heard, spoken = Heard(recording.events), _Spoken(recording.events, recording.sfreq)
        where = (
            recording.blocks,
            recording.sfreq,
            config.window.tmin,
            config.window.tmax,
            recording.n_samples,
        )
        anchors: list[Anchor] = []
        if grid:
            anchors += grid_windows(*where, step_s=config.window.step_s, splits=grid)
        if words:
            anchors += word_windows(recording.events, *where, splits=words)
        for anchor in sorted(anchors, key=lambda a: a.sample):
            window = _window(recording, anchor, heard, spoken, config)
            if window.pieces or window.split in words:
                found.append(window)
            else:
                silent += 1
    return Windows(tuple(found), silent)


def _window(
    recording: PreparedRecording,
    anchor: Anchor,
    heard: "Heard",
    spoken: "_Spoken",
    config: ContrastiveConfig,
) -> Window:
    sfreq = recording.sfreq
    first, _ = offsets(sfreq, config.window.tmin, config.window.tmax)
    pieces = tuple(heard.pieces(anchor.sample, first, config.n_window, sfreq))
    # A sound that only begins in the samples that the offset cuts off is not heard in the window.
    pieces = tuple(piece for piece in pieces if piece.first < config.n_frames)
    stimulus, stimulus_s = heard.at(anchor.sample / sfreq)
    word = spoken.at(anchor.sample + AFTER_ONSET)
    uid, index = (word.sequence, word.index) if word is not None else ("", -1)
    if not uid:
        # The sound's own time is the same for every listener.
        uid, index = f"{stimulus}@{stimulus_s:.2f}", -1
    return Window(
        recording.name,
        recording.subject,
        anchor.split,
        anchor.sample,
        max(0, round(recording.blocks[anchor.block].start * sfreq)),
        uid,
        index,
        "" if word is None else word.text,
        stimulus,
        stimulus_s,
        pieces,
    )


class Heard:
    """Which second of which sound is heard when. Sounds are the events of that kind; where a study has none,
    its sentences, else its words.
    """

    def __init__(self, events: Sequence[Event]):
        sounds: list[Event] = []
        for kind in ("sound", "sentence", "word"):
            sounds = sorted((e for e in events if e.kind == kind and e.stimulus), key=lambda e: e.start)
            if sounds:
                break
        self.sounds = sounds
        self.starts = np.array([e.start for e in sounds])
        self.stops = np.array([e.start + e.duration for e in sounds])

    def at(self, time_s: float) -> tuple[str, float]:
        """The sound at a moment and the second of it, ("", 0.0) in silence."""
        rows = np.flatnonzero((self.starts <= time_s) & (time_s < self.stops))
        if not len(rows):
            return "", 0.0
        sound = self.sounds[rows[-1]]
        return sound.stimulus, time_s - sound.start + sound.offset

    def pieces(self, sample: int, first: int, n: int, sfreq: float) -> Iterator[Piece]:
        """Of the window of n samples that begins `first` samples from its anchor; a later sound is heard
        instead of an earlier one.
        """
        begin = (sample + first) / sfreq
        end = begin + n / sfreq
        rows = np.flatnonzero((self.starts < end) & (self.stops > begin))
        for k, row in enumerate(rows):
            sound = self.sounds[row]
            low, high = max(begin, self.starts[row]), min(end, self.stops[row])
            if k + 1 < len(rows):
                high = min(high, self.starts[rows[k + 1]])
            at = round(low * sfreq) - (sample + first)
            length = min(round(high * sfreq) - round(low * sfreq), n - at)
            if length > 0:
                shift = sound.offset - sound.start
                yield Piece(
                    sound.stimulus, float(sample / sfreq + shift), int(at), int(length), float(low + shift)
                )


class _Spoken:
    """Which word sounds at a sample: of several the one that began last."""

    def __init__(self, events: Sequence[Event], sfreq: float):
        self.words = sorted((e for e in events if e.kind == "word"), key=lambda e: e.start)
        self.firsts = [round(e.start * sfreq) for e in self.words]
        self.lasts = [round(e.stop * sfreq) for e in self.words]

    def at(self, sample: int) -> Event | None:
        newest = bisect_right(self.firsts, sample) - 1
        for row in range(newest, max(-1, newest - LOOK_BACK), -1):
            if sample < self.lasts[row]:
                return self.words[row]
        return None
