"""The noise floor, eyes open: what every channel measures at rest, after the bundle's own filters.

Channels are judged second by second by the very rules that the live decoder judges them by, so that what is
good here is used there. Pure: samples in, an Outcome out.
"""

from collections import Counter

import numpy as np

from rtdecode.bundle import BundleSpec
from rtdecode.checks.result import Channel, Measure, Outcome, failed, judged
from rtdecode.preprocess import BandPass
from rtdecode.quality import LINE_HZ, USED, WORDS, Thresholds, channel_states
from rtdecode.wording import figure, unit_name

GOOD_SHARE = 0.9  # of the channels: the network was never trained without more than a few
BAD_SHARE = 0.2  # of the seconds: a channel that is bad for longer is bad
SETTLE_S = 1.0  # of the filters
LEAST_S = 2.0
LIMITS = Thresholds()
REMEDIES = {
    "good channels": "Fill gel into the electrodes named, or press them on, and repeat the step.",
    "line noise": "Look for the ground electrode, chargers and power supplies near the head, and repeat.",
}


def filtered(x: np.ndarray, spec: BundleSpec, settle_s: float = SETTLE_S) -> np.ndarray:
    """(T, C) in the bundle's unit -> (T', C) after the bundle's band-pass, without its first `settle_s`."""
    pre = spec.preprocess
    if pre.lowpass_hz:
        x = BandPass(pre.sfreq_in, pre.highpass_hz, pre.lowpass_hz, pre.order).push(x)
    settle = min(round(settle_s * pre.sfreq_in), len(x) // 4)
    return np.asarray(x[settle:], np.float64)


def line_share(raw: np.ndarray, sfreq: float) -> np.ndarray | None:
    """(C,) share of the raw power that is mains hum, the larger of 50 and 60 Hz; mean over whole seconds.

    None where the rate is too low to see it, or there is less than a second.
    """
    size = round(sfreq)
    mains = [hz for hz in LINE_HZ if hz < sfreq / 2]
    if not mains or len(raw) < size:
        return None
    x = raw[: len(raw) // size * size].reshape(-1, size, raw.shape[1]).astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    power = np.square(x).mean(axis=1)
    turn = 2j * np.pi * np.arange(size) / sfreq
    # twice the square of one Fourier coefficient is the mean square of that sine
    hum = [2 * np.abs(np.tensordot(np.exp(-turn * hz) / size, x, (0, 1))) ** 2 for hz in mains]
    share = np.divide(np.max(hum, axis=0), power, out=np.zeros_like(power), where=power > 0)
    return np.asarray(share.mean(axis=0))


def noise_floor(raw: np.ndarray, x: np.ndarray, spec: BundleSpec) -> Outcome:
    """raw (T, C): the model's channels as received; x (T, C): the same in the bundle's unit."""
    sfreq, labels = spec.stream.sfreq, spec.stream.labels
    unit, scale = unit_name(spec.stream.unit), np.array(spec.preprocess.scale)
    if len(x) < LEAST_S * sfreq:
        said = f"{len(x) / sfreq:.1f} s of signal came, {LEAST_S:g} s are needed"
        return failed("noise", said, "Repeat the step once samples come.")
    y, size = filtered(x, spec), round(sfreq)
    if not spec.preprocess.lowpass_hz:
        y = y - np.median(y, axis=0)
    raw = raw[len(raw) - len(y) :]
    electric = unit_name(spec.stream.unit) in ("µV", "mV", "V", "fT", "pT", "T")
    share = line_share(raw, sfreq) if electric else None
    hum = None if share is None else share > LIMITS.line
    rms, seen = [], []
    for start in range(0, len(y) - size + 1, size):
        second = slice(start, start + size)
        # rails are plateaus of half a second, as in the live decoder
        states = channel_states(raw[second][size // 2 :], y[second], labels, scale, LIMITS, hum)
        rms.append([state.rms for state in states])
        seen.append([state.glyph for state in states])
    level = np.median(np.array(rms), axis=0)
    words = [_word([row[c] for row in seen]) for c in range(len(labels))]
    good, needed = sum(not word for word in words), _needed(len(labels))
    measures = [
        Measure("good channels", good, f"{good} of {len(labels)}", f"at least {needed}", good >= needed),
        Measure(
            "RMS",
            float(np.median(level)),
            f"{figure(level.min())} to {figure(level.max())} {unit}, median {figure(np.median(level))}",
            f"each below {LIMITS.noisy:g} × its training scale",
        ),
    ]
    if share is not None:
        typical = float(np.median(share))
        text = f"{100 * typical:.0f} % of the raw power, worst {100 * share.max():.0f} %"
        measures.append(
            Measure(
                "line noise",
                typical,
                text,
                f"median at most {100 * LIMITS.line:.0f} %",
                typical <= LIMITS.line,
            )
        )
    channels = tuple(
        Channel(label, f"{figure(value)} {unit}", log_level(value / s), word)
        for label, value, s, word in zip(labels, level, scale, words, strict=True)
    )
    bad = [f"{channel.label} {channel.word}" for channel in channels if channel.word]
    named = ", ".join(bad[:4]) + (f" and {len(bad) - 4} more" if len(bad) > 4 else "")
    said = f"Not good: {named}." if bad else "Every channel looks as it does in the training."
    remedies = dict(REMEDIES)
    if measures[-1].name == "line noise" and measures[-1].ok is False:
        remedies["good channels"] = REMEDIES["line noise"]  # mended once, not channel by channel
    return judged("noise", tuple(measures), said, remedies, channels)


def log_level(ratio: float) -> float:
    """A ratio as a bar: 0.1 is empty, 1 half, 10 full."""
    return float(np.clip(0.5 + np.log10(max(ratio, 1e-9)) / 2, 0.0, 1.0))


def _needed(channels: int) -> int:
    return int(np.ceil(GOOD_SHARE * channels))


def _word(glyphs: list[str]) -> str:
    """What was wrong most often, when it was for long enough."""
    bad = [glyph for glyph in glyphs if glyph != USED]
    if len(bad) <= BAD_SHARE * len(glyphs):
        return ""
    return WORDS[Counter(bad).most_common(1)[0][0]]
