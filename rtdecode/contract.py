"""The channel contract: does this stream carry what the bundle was trained on, channel by channel?

Channels are matched by label, never by position; units are converted only when both sides state them; the
rate must be the same. What does not fit is refused with every difference in words. Knows nothing of LSL.
"""

from dataclasses import dataclass

import numpy as np

from rtdecode.errors import ContractError
from rtdecode.types import StreamInfo

_VOLT = {
    "volts": 1.0,
    "v": 1.0,
    "millivolts": 1e-3,
    "mv": 1e-3,
    "microvolts": 1e-6,
    "uv": 1e-6,
    "nanovolts": 1e-9,
}
_TESLA = {"tesla": 1.0, "t": 1.0, "picotesla": 1e-12, "pt": 1e-12, "femtotesla": 1e-15, "ft": 1e-15}


def unit_factor(unit: str, into: str) -> float | None:
    """Multiplier from one unit into another, or None when either is unknown or they measure other things."""
    source, target = (u.strip().lower().replace("µ", "u").replace("μ", "u") for u in (unit, into))
    if source == target and source:
        return 1.0
    for family in (_VOLT, _TESLA):
        if source in family and target in family:
            return family[source] / family[target]
    return None


@dataclass(frozen=True)
class Contract:
    """What a bundle demands of a stream.

    labels     the model's channels, in the model's order;  unit  of the model's input
    sfreq      Hz, nominal
    reference  channels whose mean is subtracted from every channel; empty: as recorded
    """

    labels: tuple[str, ...]
    unit: str
    sfreq: float
    reference: tuple[str, ...] = ()

    def problems(self, stream: StreamInfo, assume_unit: str = "") -> tuple[str, ...]:
        """Every reason why this stream cannot be decoded; empty when it fits."""
        found = []
        if stream.dtype == "string":
            return (f"the stream carries strings, the bundle needs {len(self.labels)} numeric channels",)
        if abs(stream.sfreq - self.sfreq) > 1e-6 * self.sfreq:
            found.append(f"rate is {stream.sfreq:g} Hz, the bundle needs {self.sfreq:g} Hz")
        if not stream.labels or not all(stream.labels):
            found.append("the stream does not name its channels, the bundle matches them by name")
            return tuple(found)
        twice = sorted({label for label in stream.labels if stream.labels.count(label) > 1})
        if twice:
            found.append(f"channel names occur twice: {', '.join(twice)}")
        needed = self.labels + self.reference
        missing = [label for label in needed if label not in stream.labels]
        if missing:
            found.append(
                f"{len(needed) - len(missing)} of {len(needed)} channels matched by name, "
                f"missing: {', '.join(missing)}"
            )
        strange: dict[str, list[str]] = {}
        for label, unit in zip(stream.labels, stream.units, strict=True):
            if label in needed and unit_factor(unit or assume_unit, self.unit) is None:
                strange.setdefault(unit or assume_unit, []).append(label)
        for unit, labels in strange.items():
            said = f"unit is {unit!r}" if unit else "no unit is stated"
            found.append(
                f"{said} for {labels[0]}{f' and {len(labels) - 1} more' if labels[1:] else ''}, "
                f"the bundle needs {self.unit}"
            )
        return tuple(found)

    def bind(self, stream: StreamInfo, assume_unit: str = "") -> "ChannelMap":
        """The map from this stream's samples to the model's; ContractError lists what does not fit."""
        problems = self.problems(stream, assume_unit)
        if problems:
            raise ContractError(
                f"stream {stream.name!r} does not fit the bundle: {'; '.join(problems)}",
                problems=problems,
                hint="`rtdecode streams --bundle BUNDLE` compares every stream",
            )
        return ChannelMap(self, stream, assume_unit)


class ChannelMap:
    """Selects, reorders, converts and re-references: (T, C_stream) -> (T, C) float32 in the bundle's unit."""

    def __init__(self, contract: Contract, stream: StreamInfo, assume_unit: str = ""):
        at = {label: i for i, label in enumerate(stream.labels)}
        self.picks = np.array([at[label] for label in contract.labels])
        self.reference = np.array([at[label] for label in contract.reference], int)
        factors = [unit_factor(unit or assume_unit, contract.unit) or 1.0 for unit in stream.units]
        self._pick_factor = np.array([factors[i] for i in self.picks])
        self._reference_factor = np.array([factors[i] for i in self.reference])
        self.reordered = list(self.picks) != sorted(self.picks)

    def apply(self, data: np.ndarray) -> np.ndarray:
        x = data[:, self.picks] * self._pick_factor
        if len(self.reference):
            # Summed channel by channel: a mean over a (T, 2) block may differ in its last bit with T.
            common = np.zeros(len(data))
            for i, factor in zip(self.reference, self._reference_factor, strict=True):
                common += data[:, i] * factor
            x -= (common / len(self.reference))[:, None]
        return x.astype(np.float32)
