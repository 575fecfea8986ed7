"""Training crops: stretches of continuous recording with left context, cut into contrastive windows and
sentences.

    | context_s (no loss) | window | window | window |            the estimate, speech features `delay` frames
    earlier
                          | sentence one | sentence two | pad |   the text, whole sentences only

A crop starts shortly before a sentence where the recording has sentences, anywhere where it has none. Knows
nothing of files, models or losses; everything random comes from the generator that the caller passes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline.config import Config
from offline.features import encode_text


@dataclass(frozen=True)
class Sentence:
    """A sentence heard in a recording: output frames [first, stop), and its normalised text."""

    first: int
    stop: int
    text: str


@dataclass(frozen=True)
class Track:
    """One recording, prepared: x (T, C) float32 model samples, y (T', F) float32 scaled features of what was
    heard.

    scored (T',) bool: frames whose stimulus is known.  subject: row of the subject layers.
    """

    id: str
    subject: int
    x: np.ndarray
    y: np.ndarray
    scored: np.ndarray
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Batch:
    """x (B, T, C), subject (B,), y (B * windows, N, F), text spans and targets for CTC (empty without text).

    spans (B, L) frames to read for the text, n_frames (B,) how many of them; targets (B, S), n_symbols (B,).
    context: output frames to skip before the first window; names: recording and second of each crop.
    """

    x: Tensor
    subject: Tensor
    y: Tensor
    context: int
    spans: Tensor
    n_frames: Tensor
    targets: Tensor
    n_symbols: Tensor
    names: tuple[str, ...]


class Crops:
    """An endless supply of batches from tracks; the same generator state gives the same batches."""

    def __init__(self, tracks: list[Track], config: Config, rng: np.random.Generator):
        self.tracks, self.config, self.rng = tracks, config, rng
        optim, rate = config.optim, config.frame_rate
        self.stride = config.model.stride
        self.context = round(optim.context_s * rate)
        self.length = config.window_frames * optim.windows_per_crop
        self.pad, self.late = round(optim.text_pad_s * rate), round(optim.text_late_s * rate)
        lengths = np.array([len(t.y) for t in tracks], float)
        if not len(tracks) or lengths.max() <= self.length:
            raise ValueError(f"no recording is longer than a crop of {self.length / rate:g} s")
        self.weights = lengths / lengths.sum()

    def batch(self) -> Batch:
        """Draw `batch` crops, augmented in the sensors."""
        items = [self._crop() for _ in range(self.config.optim.batch)]
        xs, ys, subjects, spans, texts, names = zip(*items, strict=True)
        n_windows, n = self.config.optim.windows_per_crop, self.config.window_frames
        y = np.stack(ys).reshape(len(items) * n_windows, n, -1)
        n_frames = np.array([stop - first for first, stop in spans])
        index = np.zeros((len(items), max(1, n_frames.max())), np.int64)
        targets = np.zeros((len(items), max(1, *(len(text) for text in texts))), np.int64)
        for row, ((first, stop), text) in enumerate(zip(spans, texts, strict=True)):
            index[row, : stop - first] = np.arange(first, stop)
            targets[row, : len(text)] = text
        return Batch(
            self._augment(torch.from_numpy(np.stack(xs))),
            torch.tensor(subjects),
            torch.from_numpy(y),
            self.context,
            torch.from_numpy(index),
            torch.from_numpy(n_frames),
            torch.from_numpy(targets),
            torch.tensor([len(text) for text in texts]),
            names,
        )

    def _crop(self) -> tuple[np.ndarray, np.ndarray, int, tuple[int, int], np.ndarray, str]:
        track = self.tracks[self.rng.choice(len(self.tracks), p=self.weights)]
        usable = len(track.y) - self.length
        inside = [k for k, s in enumerate(track.sentences) if 0 <= s.first < usable]
        start, span, text = int(self.rng.integers(usable + 1)), (0, 0), ""
        if inside and self.config.output.text:
            k = int(self.rng.choice(inside))
            gap = track.sentences[k].first - (track.sentences[k - 1].stop if k else 0)
            start = max(0, track.sentences[k].first - int(self.rng.integers(max(1, gap))))
            span, text = self._sentences(track, k, start)
        x = _padded(track.x, (start - self.context) * self.stride, (start + self.length) * self.stride)
        if self.config.optim.mix:
            other = int(self.rng.integers(len(track.x) - len(x)))
            x = x + np.float32(self.rng.uniform(0, self.config.optim.mix)) * track.x[other : other + len(x)]
        delay = self.config.delay_frames
        y = _padded(track.y, start - delay, start - delay + self.length)
        name = f"{track.id} at {start / self.config.frame_rate:.1f} s"
        return x, y, track.subject, span, encode_text(text), name

    def _sentences(self, track: Track, k: int, start: int) -> tuple[tuple[int, int], str]:
        """Frames (in the crop, context included) and text of the whole sentences from k on that fit.

        The text of a sound is written up to `late` frames after it, so a span begins and ends that much later
        than its sentences: cutting at the next sentence's first sound would punish every look at the late
        part of a response.
        """
        end, late = start + self.length, self.late
        first = stop = track.sentences[k].first
        texts: list[str] = []
        for sentence, after in zip(track.sentences[k:], [*track.sentences[k + 1 :], None], strict=True):
            last = min(sentence.stop + self.pad, len(track.y) if after is None else after.first + late)
            if last > end:
                break
            stop, texts = last, [*texts, sentence.text + " "]
        offset = self.context - start
        return (min(first + late, stop) + offset, stop + offset), "".join(texts)

    def _augment(self, x: Tensor) -> Tensor:
        optim = self.config.optim
        seed = int(self.rng.integers(2**31))
        generator = torch.Generator().manual_seed(seed)
        if optim.noise:
            x = x + optim.noise * torch.randn(x.shape, generator=generator)
        longest = round(optim.time_mask_s * self.config.signal.sfreq)
        if longest:
            for row in (row for row in x for _ in range(optim.time_masks)):
                length = int(self.rng.integers(longest + 1))
                first = int(self.rng.integers(len(row) - length))
                row[first : first + length] = 0
        return x


def _padded(values: np.ndarray, first: int, stop: int) -> np.ndarray:
    """values[first:stop], with zeros where that reaches outside."""
    out = np.zeros((stop - first, *values.shape[1:]), values.dtype)
    low, high = max(first, 0), min(stop, len(values))
    if low < high:
        out[low - first : high - first] = values[low:high]
    return out
