"""From what was gathered to a step's outcome: which function is given which samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtdecode.bundle import BundleSpec
from rtdecode.checks import blink
from rtdecode.checks.delay import Loop, delay
from rtdecode.checks.noise import noise_floor
from rtdecode.checks.result import Outcome
from rtdecode.checks.scale import scale_against_training
from rtdecode.checks.stretch import Stretch
from rtdecode.contract import ChannelMap, meant_unit
from rtdecode.quality import Repair
from rtdecode.types import StreamInfo


@dataclass(frozen=True)
class Gathered:
    """What a step has. rest: the noise floor's samples, None before it; prompts: samples of `stretch` at
    which to blink was said.
    """

    key: str
    stretch: Stretch
    rest: Stretch | None
    prompts: tuple[int, ...]
    channels: ChannelMap
    info: StreamInfo


def measured(
    had: Gathered,
    spec: BundleSpec,
    assume_unit: str,
    loop: Callable[[], Loop] | None,
    tell: Callable[[ChannelMap, StreamInfo, Stretch], Outcome],
) -> Outcome:
    """The outcome of the step. RtdecodeError where it cannot be computed."""
    channels, info, stretch = had.channels, had.info, had.stretch
    if had.key == "delay":
        return delay(stretch, spec, loop() if loop else None)
    if had.key == "story":
        return tell(channels, info, stretch)
    data = mended(stretch, channels)
    x = channels.apply(data)
    if had.key == "noise":
        return noise_floor(channels.pick(data), x, spec)
    if had.key == "blink":
        calm = channels.apply(mended(had.rest, channels)) if had.rest is not None else None
        return blink.blinks(x, had.prompts, spec, calm)
    unit = info.units[int(channels.picks[0])]
    meant = meant_unit(unit, assume_unit)
    return scale_against_training(x, spec, meant, assumed=meant != unit)


def mended(stretch: Stretch, channels: ChannelMap) -> np.ndarray:
    """Samples without what is no number, as the live decoder repairs them."""
    used = np.append(channels.picks, channels.reference)
    return Repair(stretch.data.shape[1], used).push(stretch.data)[0]
