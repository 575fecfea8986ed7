"""How a study is prepared: a frozen choice that checks itself. Knows no study."""

from dataclasses import dataclass
from typing import Literal

from offline.split import RULES
from rtdecode.errors import ConfigError, closest

FILTERS = ("reference", "causal")


@dataclass(frozen=True)
class PrepareSettings:
    """sfreq        Hz of what is stored; no recording may have less
    highpass_hz, lowpass_hz   0: none. Band-pass of the live decoder ('causal' needs both), or zero-phase sinc
                 filters ('reference'; the published recipe has neither)
    filter       'reference': zero-phase windowed-sinc resampling; 'causal': the live decoder's own boxes
    split_rule   of `offline.split`;  min_block_s  length to which its blocks are joined
    order        of the causal band-pass
    drop_leaks   take away the training blocks that hold text or audio of valid or test, and so on down
                 (`offline.split.without_leaks`): the published rule leaves a few
    """

    sfreq: float = 120.0
    highpass_hz: float = 0.0
    lowpass_hz: float = 0.0
    filter: Literal["reference", "causal"] = "reference"
    split_rule: Literal["reference", "sentence"] = "reference"
    min_block_s: float = 6.0
    order: int = 2
    drop_leaks: bool = False

    def __post_init__(self) -> None:
        for name, value, valid in (
            ("filter", self.filter, FILTERS),
            ("split rule", self.split_rule, RULES),
        ):
            if value not in valid:
                raise ConfigError(f"there is no {name} {value!r}", hint=closest(value, valid))
        if not self.sfreq > 0 or self.highpass_hz < 0 or self.lowpass_hz < 0 or self.min_block_s < 0:
            raise ConfigError(
                f"sfreq {self.sfreq:g} Hz, high-pass {self.highpass_hz:g} Hz, low-pass {self.lowpass_hz:g} "
                f"Hz, blocks of {self.min_block_s:g} s",
                hint="the rate is positive, the others are not negative",
            )
        if self.lowpass_hz and self.highpass_hz >= self.lowpass_hz:
            raise ConfigError(
                f"the high-pass at {self.highpass_hz:g} Hz leaves nothing below {self.lowpass_hz:g} Hz"
            )
        if self.filter == "causal" and not (self.highpass_hz and self.lowpass_hz):
            raise ConfigError(
                f"the causal filter is a band-pass, got {self.highpass_hz:g} to {self.lowpass_hz:g} Hz",
                hint="give both edges, e.g. 0.5 and 45 Hz",
            )
        if self.filter == "reference" and max(self.highpass_hz, self.lowpass_hz) >= self.sfreq / 2:
            raise ConfigError(
                f"a filter at {max(self.highpass_hz, self.lowpass_hz):g} Hz is beyond half of the rate, "
                f"{self.sfreq:g} Hz"
            )
        if self.order < 1:
            raise ConfigError(f"the order of the filter must be at least 1, got {self.order}")
