"""Raw samples become model samples: band-pass, resample, scale, clamp. Causal, stateful, exact in pieces.

Every box is `push(x) -> y`, `reset()` and a declared `delay_s`. Feeding a signal in pieces of any size gives
the same bits as feeding it whole: the recursion runs sample by sample, every resampled value is one dot
product of fixed shape, and scaling is pointwise. Training uses these very classes. Knows nothing of channel
names, clocks or models.
"""

from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType

import numpy as np

from rtdecode.filters import butterworth_band_pass, group_delay_s, low_pass_fir, minimum_phase, settled
from rtdecode.kernels import kernels
from rtdecode.recursion import recursion


@dataclass(frozen=True)
class PreprocessSpec:
    """How raw samples become model samples; stored in the bundle.

    sfreq_in     Hz, the stream's nominal rate
    sfreq        Hz, the model's rate; at most sfreq_in
    highpass_hz, lowpass_hz, order   causal Butterworth band-pass; both 0: none (binned spike counts, say)
    center, scale   per channel, in the stream's unit after filtering (median, IQR / 1.349 of training data)
    clamp        values beyond ± this many scales are cut: a single artefact must not own the decision
    adapt_s      0: centre and scale stay; else they follow the signal with this time constant, in seconds
    """

    sfreq_in: float
    sfreq: float
    highpass_hz: float
    lowpass_hz: float
    order: int
    center: tuple[float, ...]
    scale: tuple[float, ...]
    clamp: float = 20.0
    adapt_s: float = 0.0

    def __post_init__(self) -> None:
        filtered = (self.highpass_hz, self.lowpass_hz) != (0, 0)
        if filtered and not 0 < self.highpass_hz < self.lowpass_hz < self.sfreq_in / 2:
            raise ValueError(
                f"need 0 < highpass_hz < lowpass_hz < sfreq_in / 2, got {self.highpass_hz}, "
                f"{self.lowpass_hz} and {self.sfreq_in / 2}"
            )
        if not 0 < self.sfreq <= self.sfreq_in:
            raise ValueError(f"the model's rate must be in (0, {self.sfreq_in}] Hz, got {self.sfreq}")
        if len(self.center) != len(self.scale) or not self.center:
            raise ValueError(
                f"center has {len(self.center)} values and scale {len(self.scale)}: need C of each"
            )
        if not all(s > 0 for s in self.scale):
            raise ValueError("every scale must be positive")
        if not (self.adapt_s == 0 or self.adapt_s * self.sfreq >= 1):
            raise ValueError(
                f"adapt_s must be 0 or at least one sample (1 / {self.sfreq} s), got {self.adapt_s}"
            )


class BandPass:
    """Causal Butterworth band-pass, second-order sections, state carried. (T, C) -> (T, C) float64.

    The state starts as if the first sample had lasted for ever, so that an amplifier's offset of thousands
    of µV does not ring through the first seconds.
    """

    def __init__(self, sfreq: float, highpass_hz: float, lowpass_hz: float, order: int):
        self.sos = butterworth_band_pass(order, highpass_hz, lowpass_hz, sfreq)
        self.settled = settled(self.sos)  # (sections, 2)
        self._state: np.ndarray | None = None
        # The delay users feel is that of the middle of the pass band.
        self.delay_s = group_delay_s(self.sos, np.sqrt(highpass_hz * lowpass_hz), sfreq)

    def reset(self) -> None:
        self._state = None

    def push(self, x: np.ndarray) -> np.ndarray:
        if not len(x):
            return np.empty(x.shape, np.float64)
        if self._state is None:  # (C, sections, 2), contiguous by channel as the loop wants it
            start = self.settled[:, :, None] * x[0].astype(np.float64)
            self._state = np.ascontiguousarray(start.transpose(2, 0, 1))
        by_channel = np.empty(x.shape[::-1])
        by_channel[:] = x.T
        recursion()(self.sos, by_channel, self._state)  # in place, samples and state
        return by_channel.T


SPARE_ROWS = 1024  # samples between two moves of a resampler's past


class Resampler:
    """Rational resampling by up/down with a minimum-phase low-pass. (T, C) -> (T', C) float64.

    Minimum phase: a linear-phase filter of the same steepness would add about ten output samples of delay
    (160 ms at 64 Hz) to every decision; the decoder learns the phase. Output n uses input samples up to
    (n * down) // up, so after T inputs there are ceil(T * up / down) outputs.
    """

    ZEROS = 10  # sinc zero crossings to either side, as scipy's resample_poly

    def __init__(self, sfreq_in: float, sfreq: float):
        ratio = Fraction(sfreq).limit_denominator(10_000) / Fraction(sfreq_in).limit_denominator(10_000)
        self.up, self.down = ratio.numerator, ratio.denominator
        widest = max(self.up, self.down)
        if widest == 1:
            taps = np.ones(1)
        else:
            taps = minimum_phase(low_pass_fir(2 * self.ZEROS * widest + 1, 0.9 / widest, 5.0))
            taps *= self.up / taps.sum()  # unit gain at 0 Hz after inserting up - 1 zeros
        rate = self.up * sfreq_in
        self.delay_s = float((np.arange(len(taps)) * taps).sum() / taps.sum() / rate)
        per_phase = -(-len(taps) // self.up)
        padded = np.pad(taps, (0, per_phase * self.up - len(taps)))
        # (up, L), newest sample last, so that an output is one product with L consecutive inputs
        self.phases = np.ascontiguousarray(padded.reshape(per_phase, self.up).T[:, ::-1])
        self.reset()

    def reset(self) -> None:
        self._seen = 0  # inputs so far
        self._made = 0  # outputs so far
        self._held: np.ndarray | None = None  # inputs, of which the newest L - 1 are needed again
        self._end = 0  # rows of it in use

    def outputs_after(self, inputs: int) -> int:
        return -(-inputs * self.up // self.down)

    def newest_input(self, output: int) -> int:
        """Absolute index of the newest input sample that output `output` uses."""
        return output * self.down // self.up

    def push(self, x: np.ndarray) -> np.ndarray:
        taps = self.phases.shape[1]
        held = self._room(len(x), x.shape[1])
        held[self._end : self._end + len(x)] = x
        base = self._seen - self._end  # absolute index of held[0]
        self._seen += len(x)
        self._end += len(x)
        stop = self.outputs_after(self._seen)
        y = np.empty((stop - self._made, x.shape[1]))
        for i, n in enumerate(range(self._made, stop)):
            newest = self.newest_input(n) - base
            y[i] = self.phases[n * self.down % self.up] @ held[newest - taps + 1 : newest + 1]
        self._made = stop
        return y

    def _room(self, rows: int, channels: int) -> np.ndarray:
        """Storage with room for so many rows behind `_end`: the past moves to its front when it is full."""
        past = self.phases.shape[1] - 1
        held = self._held
        if held is None:
            self._held = np.zeros((max(SPARE_ROWS, rows) + past, channels))
            self._end = past
        elif self._end + rows > len(held):
            room = held if past + rows <= len(held) and 2 * past <= self._end else None
            moved = np.empty((2 * rows + past, channels)) if room is None else room
            moved[:past] = held[self._end - past : self._end]
            self._held, self._end = moved, past
        assert self._held is not None
        return self._held


class Scaler:
    """Robust scaling with a clamp, pointwise. (T, C) -> (T, C) float32, in scales of the training data."""

    delay_s = 0.0

    def __init__(self, center: tuple[float, ...], scale: tuple[float, ...], clamp: float):
        self.center, self.scale = np.array(center, np.float64), np.array(scale, np.float64)
        self.clamp = clamp

    def reset(self) -> None:
        """Nothing to forget."""

    def push(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.center) / self.scale, -self.clamp, self.clamp).astype(np.float32)


class FollowingScaler:
    """A scaler whose centre and scale follow the signal. (T, C) -> (T, C) float32.

    Exponential moving mean and variance, begun at those of the training data. A sample is scaled with what
    came before it; what it adds is cut at the clamp, so that an artefact moves them no further than that. For
    spike counts, whose baselines wander within hours (block-wise z-scoring needs the block's end; this does
    not).
    """

    delay_s = 0.0

    def __init__(self, center: tuple[float, ...], scale: tuple[float, ...], clamp: float, samples: float):
        """samples: the time constant."""
        self._start = np.array(center), np.square(scale)
        self.clamp, self._share = clamp, 1.0 / samples
        self._least = 1e-4 * self._start[1]  # a channel that falls silent is not divided by nothing
        self.reset()

    def reset(self) -> None:
        self._mean, self._variance = self._start[0].copy(), self._start[1].copy()

    def push(self, x: np.ndarray) -> np.ndarray:
        y = np.empty(x.shape, np.float32)
        for i, sample in enumerate(x):  # the recursion is not linear: sample by sample, whatever the pieces
            std = np.sqrt(self._variance)
            z = np.clip((sample - self._mean) / std, -self.clamp, self.clamp)
            y[i] = z
            step = z * std
            self._mean += self._share * step
            self._variance += self._share * (step * step - self._variance)
            np.maximum(self._variance, self._least, out=self._variance)
        return y


class CompiledChain:
    """Band-pass (if any), resampler and scaler in one loop over samples. (T, C) -> (T', C) float32."""

    def __init__(self, kernels: ModuleType, band_pass: BandPass | None, resampler: Resampler, scaler: Scaler):
        self._outputs_after, self._channels = resampler.outputs_after, len(scaler.center)
        self._seen = self._made = 0
        self._chain = kernels.Chain(
            sos=np.empty((0, 6)) if band_pass is None else np.ascontiguousarray(band_pass.sos, np.float64),
            settled=np.empty((0, 2)) if band_pass is None else np.ascontiguousarray(band_pass.settled),
            phases=resampler.phases,
            up=resampler.up,
            down=resampler.down,
            centre=scaler.center,
            scale=scaler.scale,
            clamp=scaler.clamp,
        )

    def reset(self) -> None:
        self._chain.reset()
        self._seen = self._made = 0

    def push(self, x: np.ndarray) -> np.ndarray:
        seen = self._seen + len(x)
        stop = self._outputs_after(seen)
        y = np.empty((stop - self._made, self._channels), np.float32)
        self._chain.push(np.ascontiguousarray(x, None if x.dtype == np.float32 else np.float64), y)
        self._seen, self._made = seen, stop
        return y


class Preprocess:
    """The whole chain, raw to model samples: (T, C) in the bundle's unit -> (T', C) float32."""

    def __init__(self, spec: PreprocessSpec):
        self.spec = spec
        self.resampler = Resampler(spec.sfreq_in, spec.sfreq)
        scaler: Scaler | FollowingScaler
        if spec.adapt_s:
            scaler = FollowingScaler(spec.center, spec.scale, spec.clamp, spec.adapt_s * spec.sfreq)
        else:
            scaler = Scaler(spec.center, spec.scale, spec.clamp)
        self._boxes: tuple[BandPass | Resampler | Scaler | FollowingScaler, ...] = (self.resampler, scaler)
        band_pass = None
        if spec.lowpass_hz:
            band_pass = BandPass(spec.sfreq_in, spec.highpass_hz, spec.lowpass_hz, spec.order)
            self._boxes = (band_pass, *self._boxes)
        compiled = kernels()
        self._chain = (
            CompiledChain(compiled, band_pass, self.resampler, scaler)
            if compiled and isinstance(scaler, Scaler)
            else None
        )

    @property
    def delay_s(self) -> float:
        return sum(box.delay_s for box in self._boxes)

    def reset(self) -> None:
        if self._chain:
            self._chain.reset()
        for box in self._boxes:
            box.reset()

    def push(self, x: np.ndarray) -> np.ndarray:
        if x.ndim != 2 or x.shape[1] != len(self.spec.center):
            raise ValueError(f"expected samples of shape (T, {len(self.spec.center)}), got {x.shape}")
        if self._chain:
            return self._chain.push(x)
        for box in self._boxes:
            x = box.push(x)
        return x


def robust_scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per-channel centre and scale of (T, C): the median, and the IQR over 1.349 (1 for a flat channel).

    IQR / 1.349 equals the standard deviation of a Gaussian and ignores blinks.
    """
    low, center, high = np.percentile(x, [25, 50, 75], axis=0)
    scale = (high - low) / 1.349
    return center, np.where(scale > 0, scale, 1.0)
