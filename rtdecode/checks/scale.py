"""Per-channel scale against that of the training data: volts sent as microvolts, a gain, a loose electrode.

The same filters, rate and robust spread as the bundle's stored scaler, so that 1 means "as in the training".
Pure: samples in, an Outcome out.
"""

import numpy as np

from rtdecode.bundle import BundleSpec
from rtdecode.checks.noise import LEAST_S, SETTLE_S, log_level
from rtdecode.checks.result import Channel, Measure, Outcome, failed, judged
from rtdecode.contract import unit_factor
from rtdecode.preprocess import BandPass, Resampler, robust_scale
from rtdecode.wording import figure, unit_name

LOWEST, HIGHEST = 1 / 3, 3.0
GOOD_SHARE = 0.9
NEAR = 4.0  # a ratio this close to a step between two units is taken for a mistaken unit
UNITS = ("volts", "millivolts", "microvolts", "nanovolts", "tesla", "picotesla", "femtotesla")


def spread(x: np.ndarray, spec: BundleSpec) -> np.ndarray:
    """(C,) robust spread of (T, C) in the bundle's unit, measured as its scaler was; 0 where flat."""
    pre = spec.preprocess
    if pre.lowpass_hz:
        x = BandPass(pre.sfreq_in, pre.highpass_hz, pre.lowpass_hz, pre.order).push(x)
    y = Resampler(pre.sfreq_in, pre.sfreq).push(x)
    y = y[min(round(SETTLE_S * pre.sfreq), len(y) // 4) :]
    return np.where(np.ptp(y, axis=0) > 0, robust_scale(y)[1], 0.0)


def likely_unit(ratio: float, stated: str) -> str:
    """The unit that would explain a signal `ratio` times too large; empty when the stated one does best."""
    if not ratio > 0:
        return ""
    found = {unit: factor for unit in UNITS if (factor := unit_factor(stated, unit)) is not None}
    # a value of `unit` read as `stated` is too large by the factor from `stated` into `unit`
    best = min(found, key=lambda unit: abs(np.log10(ratio / found[unit])), default="")
    if not best or abs(np.log10(found[best])) < 1 or not 1 / NEAR < ratio / found[best] < NEAR:
        return ""
    return best


def scale_against_training(x: np.ndarray, spec: BundleSpec, stated: str, assumed: bool = False) -> Outcome:
    """x (T, C) in the bundle's unit. stated: the stream's unit; assumed: said by hand, not by the stream."""
    labels, training = spec.stream.labels, np.array(spec.preprocess.scale)
    if len(x) < LEAST_S * spec.stream.sfreq:
        said = f"{len(x) / spec.stream.sfreq:.1f} s of signal came, {LEAST_S:g} s are needed"
        return failed("scale", said, "Repeat the step once samples come.")
    ratio = spread(x, spec) / training
    typical = float(np.median(ratio))
    within = (ratio >= LOWEST) & (ratio <= HIGHEST)
    good, needed = int(within.sum()), int(np.ceil(GOOD_SHARE * len(labels)))
    limit = "1/3 to 3"
    measures = (
        Measure("typical ratio", typical, f"{times(typical)} training", limit, LOWEST <= typical <= HIGHEST),
        Measure("channels within", good, f"{good} of {len(labels)}", f"at least {needed}", good >= needed),
        Measure(
            "range", float(ratio.max()), f"{times(float(ratio.min()))} to {times(float(ratio.max()))}", limit
        ),
    )
    words = np.where(within, "", np.where(ratio < 1, "too small", "too large")).tolist()
    channels = tuple(
        Channel(label, times(float(r)), log_level(float(r)), word)
        for label, r, word in zip(labels, ratio, words, strict=True)
    )
    unit, guess = unit_name(stated), unit_name(likely_unit(typical, stated))
    if guess:
        said = f"The stream {'is taken for' if assumed else 'states'} {unit}; its values look like {guess}."
        remedy = (
            f"Start again with --assume-unit {likely_unit(typical, stated)}."
            if assumed
            else f"Have the sender state {guess}, or send {unit}; nothing is converted on a guess."
        )
    else:
        said = f"{len(labels) - good} of {len(labels)} channels are off their training scale by over 3."
        if good == len(labels):
            said = "Every channel is as large as in the training."
        remedy = (
            "Look at the electrodes named; if all are off alike, look at gain and reference, or fit the "
            "listener anew: rtdecode calibrate."
        )
    remedies = {"typical ratio": remedy, "channels within": remedy}
    return judged("scale", measures, said, remedies, channels)


def times(ratio: float) -> str:
    """A ratio in words that can be read at any size."""
    return f"{ratio:,.0f} ×" if ratio >= 100 else f"{figure(ratio)} ×"
