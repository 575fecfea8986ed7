"""Batches of windows: which ones, and their samples and speech frames from memory-mapped files.

`Sampler` draws the same global batch in every process from seed and step alone, and keeps windows of one
sound that lie near each other apart; `Loader` reads. Speech frames stay at their own rate and unscaled, with
one row number per sample of the model: stretching them is the device's work. Knows no models or losses.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline.contrastive.config import ContrastiveConfig
from offline.contrastive.window_features import Features, WindowFeatures
from offline.contrastive.windows import Heard, Window
from offline.prepare.store import PreparedRecording
from offline.speech.place import nearest_rows
from offline.window_rule import offsets
from rtdecode.errors import StudyError, TrainingError

TRIES = 4
"""A batch looks at so many times its size for windows that do not disturb each other."""


@dataclass(frozen=True)
class WindowBatch:
    """B windows of a global batch of K.

    x             (B, T0, C) as prepared, context included, channels padded with zeros
    other         the same of other windows of the same recordings, to mix in; None without
    recording, subject, montage   (B,) rows of the scaling table, the model's subjects and its montages
    lead          (B,) first samples that belong to another block
    frames        (B, W, F) speech frames at their own rate
    rows          (B, T) the frame of each sample of the model, -1 silence
    not_negative  (K, K) bool, of the whole global batch: pairs that hear one sound at nearly one moment
    """

    x: Tensor
    other: Tensor | None
    recording: Tensor
    subject: Tensor
    montage: Tensor
    lead: Tensor
    frames: Tensor
    rows: Tensor
    not_negative: Tensor
    names: tuple[str, ...]


class Sampler:
    """Windows in random order, every one about once a pass; batch `step` follows from `seed` and `step`.

    Windows closer than same_s in one sound do not share a batch while others can be found; those that could
    not come first in the next one.
    """

    def __init__(self, windows: Sequence[Window], size: int, same_s: float, seed: int):
        if len(windows) < size:
            raise TrainingError(
                f"{len(windows)} training windows do not fill a batch of {size}",
                hint="a smaller batch.size, or more data",
            )
        self.windows, self.size, self.same_s, self.seed = windows, size, same_s, seed
        self.per_pass = len(windows) // size
        self._keys = [_cells(window, same_s) for window in windows]
        self._pass = -1
        self._planned: list[np.ndarray] = []
        self._waiting: list[int] = []
        self._order: Iterator[int] = iter(())

    def rows(self, step: int) -> np.ndarray:
        """(size,) indices of the windows of a batch."""
        number, place = divmod(step, self.per_pass)
        if number != self._pass:
            rng = np.random.default_rng([self.seed, number])
            self._pass, self._planned, self._waiting = number, [], []
            self._order = iter(rng.permutation(len(self.windows)).tolist())
        while len(self._planned) <= place:
            self._planned.append(self._plan())
        return self._planned[place]

    def _plan(self) -> np.ndarray:
        taken: list[int] = []
        used: dict[tuple[str, int], list[float]] = {}
        passed_over: list[int] = []
        supply = self._supply()
        for _ in range(TRIES * self.size):
            row = next(supply, None)
            if row is None:
                break
            if self._free(row, used):
                taken.append(row)
                for stimulus, cell, anchor in self._keys[row]:
                    used.setdefault((stimulus, cell), []).append(anchor)
                if len(taken) == self.size:
                    break
            else:
                passed_over.append(row)
        missing = self.size - len(taken)
        self._waiting = passed_over[missing:] + self._waiting
        # too little sound for so many: these are masked in the loss
        return np.array(taken + passed_over[:missing])

    def _supply(self) -> Iterator[int]:
        while self._waiting:
            yield self._waiting.pop(0)
        yield from self._order

    def _free(self, row: int, used: Mapping[tuple[str, int], list[float]]) -> bool:
        return not any(
            abs(anchor - other) < self.same_s
            for stimulus, cell, anchor in self._keys[row]
            for near in (cell - 1, cell, cell + 1)
            for other in used.get((stimulus, near), ())
        )


def _cells(window: Window, same_s: float) -> tuple[tuple[str, int, float], ...]:
    if not same_s:
        return ()
    return tuple((p.stimulus, int(p.anchor_s // same_s), p.anchor_s) for p in window.pieces)


def near(ones: Sequence[Window], others: Sequence[Window], same_s: float) -> np.ndarray:
    """(len(ones), len(others)) bool: pairs that hear one sound less than same_s apart, a window and itself
    included.
    """
    found = np.zeros((len(ones), len(others)), bool)
    if not same_s:
        return found
    sounds: dict[str, int] = {}
    (at, code, anchor), (at2, code2, anchor2) = (_pieces(w, sounds) for w in (ones, others))
    a, b = np.nonzero((code[:, None] == code2[None]) & (abs(anchor[:, None] - anchor2[None]) < same_s))
    found[at[a], at2[b]] = True
    return found


def _pieces(windows: Sequence[Window], sounds: dict[str, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = [
        (at, sounds.setdefault(p.stimulus, len(sounds)), p.anchor_s)
        for at, window in enumerate(windows)
        for p in window.pieces
    ]
    at, code, anchor = zip(*found, strict=True) if found else ((), (), ())
    return np.array(at, int), np.array(code, int), np.array(anchor, float)


def distinct(windows: Sequence[Window], apart_s: float, most: int) -> list[int]:
    """Rows of windows that hear different things: each sound in steps of at least apart_s, spread over all
    of them, at most `most`.
    """
    used: dict[tuple[str, int], list[float]] = {}
    kept = []
    for row, window in enumerate(windows):
        keys = _cells(window, apart_s)
        close = any(
            abs(anchor - other) < apart_s - 1e-6
            for stimulus, cell, anchor in keys
            for nearby in (cell - 1, cell, cell + 1)
            for other in used.get((stimulus, nearby), ())
        )
        if keys and not close:
            kept.append(row)
            for stimulus, cell, anchor in keys:
                used.setdefault((stimulus, cell), []).append(anchor)
    return kept if len(kept) <= most else [kept[i * len(kept) // most] for i in range(most)]


class Loader:
    """Reads windows of some recordings. A recording with fewer channels than the model is padded with zeros.

    subjects, montages  rows of the model by subject id, and by recording
    Raises StudyError for a sound without features, and for a recording with more channels than the model.
    """

    def __init__(
        self,
        recordings: Sequence[PreparedRecording],
        features: Features,
        config: ContrastiveConfig,
        n_channels: int,
        subjects: Mapping[str, int],
        montages: Mapping[str, int],
    ):
        self.config, self.n_channels = config, n_channels
        self.rows = {recording.name: row for row, recording in enumerate(recordings)}
        self.signals = {recording.name: recording.signal() for recording in recordings}
        self.features, self.subjects, self.montages = features, subjects, montages
        self._speech: dict[str, np.ndarray] = {}
        self.first, _ = offsets(config.signal.sfreq, config.window.tmin, config.window.tmax)
        for name, signal in self.signals.items():
            if signal.shape[1] > n_channels:
                raise StudyError(f"{name} has {signal.shape[1]} channels, the model {n_channels}")

    def speech(self, stimulus: str) -> np.ndarray:
        """(T', F) of a sound, memory-mapped."""
        if stimulus not in self._speech:
            self._speech[stimulus] = self.features.features(stimulus)
        return self._speech[stimulus]

    def load(
        self,
        windows: Sequence[Window],
        others: Sequence[Window] | None = None,
        not_negative: np.ndarray | None = None,
        heard: Sequence[Window] | None = None,
    ) -> WindowBatch:
        """Read them. others: windows whose samples are mixed in, one for each; heard: windows whose speech
        takes the place of their own.
        """
        frames, rows = self._frames(windows if heard is None else heard)
        context = self.config.n_context
        lead = [max(0, w.block_first - (w.sample + self.first - context)) for w in windows]
        if not_negative is None:
            not_negative = np.zeros((len(windows), len(windows)), bool)
        return WindowBatch(
            self._samples(windows),
            None if others is None else self._samples(others),
            torch.tensor([self.rows[w.recording] for w in windows]),
            torch.tensor([self.subjects[w.subject] for w in windows]),
            torch.tensor([self.montages[w.recording] for w in windows]),
            torch.tensor(lead),
            frames,
            rows,
            torch.from_numpy(not_negative),
            tuple(w.name for w in windows),
        )

    def _samples(self, windows: Sequence[Window]) -> Tensor:
        context, n = self.config.n_context, self.config.n_window
        out = np.zeros((len(windows), context + n, self.n_channels), np.float32)
        for row, window in enumerate(windows):
            signal = self.signals[window.recording]
            start = window.sample + self.first - context
            skip = max(0, -start)
            out[row, skip:, : signal.shape[1]] = signal[start + skip : start + context + n]
        return torch.from_numpy(out)

    def _frames(self, windows: Sequence[Window]) -> tuple[Tensor, Tensor]:
        n, sfreq, rate = self.config.n_frames, self.config.signal.sfreq, self.features.rate_hz
        rows = np.full((len(windows), n), -1, np.int64)
        parts: list[list[np.ndarray]] = []
        for at, window in enumerate(windows):
            parts.append([])
            held = 0
            for piece in window.pieces:
                if isinstance(self.features, WindowFeatures):
                    speech = self.features.window(piece.stimulus, piece.start_s, piece.n / sfreq)
                    own = nearest_rows(len(speech), rate, 0.0, piece.n, sfreq)[: n - piece.first]
                else:
                    speech = self.speech(piece.stimulus)
                    own = nearest_rows(len(speech), rate, piece.start_s, piece.n, sfreq)[: n - piece.first]
                heard = np.flatnonzero(own >= 0)
                if not len(heard):
                    continue
                low, high = int(own[heard[0]]), int(own[heard[-1]]) + 1
                rows[at, piece.first + heard] = own[heard] - low + held
                parts[-1].append(speech[low:high])
                held += high - low
        longest = max(1, *(sum(map(len, part)) for part in parts))
        frames = np.zeros((len(windows), longest, self.features.n_features), np.float32)
        for at, part in enumerate(parts):
            held = 0
            for piece_frames in part:
                frames[at, held : held + len(piece_frames)] = piece_frames
                held += len(piece_frames)
        return torch.from_numpy(frames), torch.from_numpy(rows)


def stretched(frames: Tensor, rows: Tensor, silence: float) -> Tensor:
    """(B, W, F) frames -> (B, T, F) at the model's rate; where a row is -1, silence."""
    index = rows.clamp(min=0)[:, :, None].expand(-1, -1, frames.shape[2])
    y = frames.gather(1, index)
    return torch.where((rows >= 0)[:, :, None], y, torch.full_like(y[:1, :1], silence))


def spoken_frames(
    recordings: Iterable[PreparedRecording], features: Features, split: str = "train"
) -> Iterator[np.ndarray]:
    """Frames of every sound that fall on a word of the split, each frame once however many heard it.

    One array (n, F) per sound, for the speech scaler.
    """
    heard: dict[str, list[tuple[float, float]]] = {}
    for recording in recordings:
        sounds = Heard(recording.events)
        blocks = [block for block in recording.blocks if block.split == split]
        for event in recording.events:
            if event.kind != "word" or not any(b.start <= event.start < b.stop for b in blocks):
                continue
            stimulus, begin = sounds.at(event.start)
            if stimulus:
                heard.setdefault(stimulus, []).append((begin, begin + event.duration))
    for stimulus in sorted(heard):
        frames = features.features(stimulus)
        mask = np.zeros(len(frames), bool)
        for begin, end in heard[stimulus]:
            mask[max(0, round(begin * features.rate_hz)) : max(0, round(end * features.rate_hz))] = True
        yield frames[mask]
