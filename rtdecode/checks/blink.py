"""Blinks on demand: an electrode that shows none where it must has no contact, or sits elsewhere.

The eyes are batteries of a few hundred µV; every blink moves the frontal electrodes, and nothing else does so
on a cue. What moves just as much between the cues is no blink. Pure: samples in, an Outcome out.
"""

import re
from collections.abc import Sequence

import numpy as np

from rtdecode.bundle import BundleSpec
from rtdecode.checks.noise import filtered, log_level
from rtdecode.checks.result import Channel, Measure, Outcome, failed, judged
from rtdecode.contract import unit_factor
from rtdecode.preprocess import robust_scale
from rtdecode.wording import figure, unit_name

TIMES_FLOOR = 5.0  # noise alone reaches three to four within a second
SEEN_SHARE = 0.6  # of the prompts: people miss one
FIRST_S, EVERY_S = 0.5, 2.0  # prompts
SETTLE_S = 0.25  # of the filters, which begin at the signal's own level
AFTER_S = 1.3  # of a prompt, in which the blink comes
BEFORE_S = 0.6  # of a prompt, when the last blink is over
FRONTAL = re.compile(r"(?<![a-z0-9])(fp[z\d]|afp?(z|\d{1,2}))(?![a-z0-9])", re.IGNORECASE)
NOT_SCALP = ("MEG", "ECOG", "IEEG", "SEEG", "SPIKES", "FNIRS")
REMEDIES = {
    "blinks seen": "Check that the frontal electrodes touch the skin and are plugged where their names say, "
    "and blink at the word.",
    "between blinks": "The signal moves as much between the prompts: sit still, relax jaw and brow, repeat.",
}


def frontal(labels: Sequence[str]) -> list[int]:
    """Channels above the eyes, by name."""
    return [i for i, label in enumerate(labels) if FRONTAL.search(label)]


def why_not(spec: BundleSpec, stype: str) -> str:
    """Why this montage cannot show blinks; empty when it can."""
    if stype.upper() in NOT_SCALP:
        return f"The stream is {stype}: blinks are a check of scalp EEG."
    if unit_factor(spec.stream.unit, "microvolts") is None:
        return f"The bundle takes {spec.stream.unit or 'no stated unit'}: blinks are a check of EEG in volts."
    if not frontal(spec.stream.labels):
        return "The bundle's montage has no channel above the eyes (Fp, AF) by its names."
    return ""


def prompt_times(seconds: float) -> list[float]:
    """When to say "blink", in seconds from the step's start."""
    count = int((seconds - AFTER_S - FIRST_S) / EVERY_S + 1e-9) + 1
    return [FIRST_S + EVERY_S * k for k in range(max(0, count))] if seconds > FIRST_S + AFTER_S else []


def blinks(
    x: np.ndarray, prompts: Sequence[int], spec: BundleSpec, rest: np.ndarray | None = None
) -> Outcome:
    """x (T, C) in the bundle's unit; prompts: samples of x at which the word appeared.

    rest  (T, C) of the noise floor, to measure against; None: what lies between the blinks
    """
    sfreq, at = spec.stream.sfreq, frontal(spec.stream.labels)
    y = filtered(x, spec, SETTLE_S)
    cut = len(x) - len(y)
    y = y[:, at]
    after, before = round(AFTER_S * sfreq), round(BEFORE_S * sfreq)
    marks = [p - cut for p in prompts if 0 <= p - cut <= len(y) - after]
    if len(marks) < 2:
        said = f"{len(marks)} prompts had a second of signal after them, 2 are needed"
        return failed("blink", said, "Repeat the step once samples come.")
    quiet = [y[max(0, m - before) : m] for m in marks if m > before // 2]
    calm = (
        filtered(rest, spec)[:, at]
        if rest is not None and len(rest) > sfreq
        else np.concatenate(quiet or [y])
    )
    floor = robust_scale(calm)[1]
    centre = np.median(calm, axis=0)
    heights = np.array([np.abs(y[m : m + after] - centre).max(axis=0) for m in marks])
    between = np.array([np.abs(q - centre).max(axis=0) for q in quiet])
    # a blink is seen by most frontal channels, not by the one that moves most
    seen = np.median(heights / floor, axis=1)
    idle = np.median(between / floor, axis=1) if len(between) else np.zeros(0)
    hits, false = int((seen >= TIMES_FLOOR).sum()), int((idle >= TIMES_FLOOR).sum())
    needed, unit = int(np.ceil(SEEN_SHARE * len(marks))), unit_name(spec.stream.unit)
    height = np.median(heights, axis=0)
    times = height / floor
    measures = (
        Measure(
            "blinks seen",
            hits,
            f"{hits} of {len(marks)}",
            f"at least {needed}, {TIMES_FLOOR:g} × the floor or more",
            hits >= needed,
        ),
        Measure("height", float(np.median(times)), f"{figure(np.median(times))} × the floor"),
        Measure(
            "between blinks",
            false,
            f"{false} of {len(idle)} as high",
            f"fewer than {max(1, len(idle) // 2)}",
            false < max(1, len(idle) // 2),
        ),
    )
    labels = [spec.stream.labels[i] for i in at]
    words = ["" if t >= TIMES_FLOOR else "no blink" for t in times]
    channels = tuple(
        Channel(label, f"{figure(h)} {unit}", log_level(t / TIMES_FLOOR), word)
        for label, h, t, word in zip(labels, height, times, words, strict=True)
    )
    said = f"{len(at)} frontal channels, typically {figure(np.median(height))} {unit} at a blink."
    return judged("blink", measures, said, REMEDIES, channels)
