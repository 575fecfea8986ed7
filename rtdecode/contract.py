"""The channel contract: does this stream carry what the bundle was trained on, channel by channel?

Channels are matched by label, never by position; units are converted only when both sides state them; the
rate must be the same. What does not fit is refused with every difference in words. Knows nothing of LSL.
"""

from dataclasses import dataclass

import numpy as np

from rtdecode.errors import ConfigError, ContractError
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
_COUNT = {"counts": 1.0, "count": 1.0}  # threshold crossings in a bin
_SCALED = {"zscore": 1.0, "zscores": 1.0}  # features in standard deviations
_UNSCALED = {"arbitrary": 1.0}
_FAMILIES = (_VOLT, _TESLA, _COUNT, _SCALED, _UNSCALED)


def _plain(unit: str) -> str:
    return unit.strip().lower().replace("µ", "u").replace("μ", "u")


def known_unit(unit: str) -> bool:
    """Whether it measures something. Counts do not: an amplifier's may be anything, and `--assume-unit` says
    what."""
    return any(_plain(unit) in family for family in (_VOLT, _TESLA))


def said_unit(text: str) -> str:
    """A unit that somebody states in place of the stream; "" is none. ConfigError for one nobody knows."""
    names = [name for family in _FAMILIES for name in family]
    if text and _plain(text) not in names:
        raise ConfigError(f"there is no unit {text!r}", hint=f"known: {', '.join(names)}")
    return text


def meant_unit(unit: str, assume_unit: str) -> str:
    """The unit as stated, or the assumed one where none is stated or nobody knows it. Never guessed."""
    return assume_unit if assume_unit and not known_unit(unit) else unit


def unit_factor(unit: str, into: str) -> float | None:
    """Multiplier from one unit into another, or None when either is unknown or they measure other things."""
    source, target = _plain(unit), _plain(into)
    if source == target and source:
        return 1.0
    for family in _FAMILIES:
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
        if not stream.labels:
            return (f"the stream has 0 channels, the bundle needs {len(self.labels)}",)
        if abs(stream.sfreq - self.sfreq) > 1e-6 * self.sfreq:
            said = f"{stream.sfreq:g} Hz" + ("" if stream.sfreq > 0 else " (irregular)")
            found.append(f"rate is {said}, the bundle needs {self.sfreq:g} Hz")
        if not all(stream.labels):
            nameless = sum(not label for label in stream.labels)
            said = "its channels" if nameless == len(stream.labels) else f"{nameless} of its channels"
            found.append(f"the stream does not name {said}, the bundle matches them by name")
            return tuple(found)
        twice = sorted({label for label in stream.labels if stream.labels.count(label) > 1})
        if twice:
            found.append(f"channel names occur twice: {', '.join(twice)}")
        needed = self.labels + self.reference
        missing = [label for label in needed if label not in stream.labels]
        if missing:
            found.append(
                f"{len(needed) - len(missing)} of {len(needed)} channels matched by name, "
                f"missing: {_few(missing, 6)}"
            )
        strange: dict[str, list[str]] = {}
        for label, unit in zip(stream.labels, stream.units, strict=True):
            meant = meant_unit(unit, assume_unit)
            if label in needed and unit_factor(meant, self.unit) is None:
                strange.setdefault(meant, []).append(label)
        for unit, labels in strange.items():
            said = f"unit is {unit!r}" if unit else "no unit is stated"
            unsure = "" if known_unit(unit) else ": say with --assume-unit what it is"
            found.append(
                f"{said} for {labels[0]}{f' and {len(labels) - 1} more' if labels[1:] else ''}, "
                f"the bundle needs {self.unit}{unsure}"
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


def changes(before: StreamInfo, after: StreamInfo) -> tuple[str, ...]:
    """What a stream that came back says otherwise than before, in words; the order of channels may change."""
    found = []
    for what, was, now in (
        ("rate", f"{before.sfreq:g} Hz", f"{after.sfreq:g} Hz"),
        ("number of channels", str(len(before.labels)), str(len(after.labels))),
        ("format", before.dtype, after.dtype),
    ):
        if was != now:
            found.append(f"{what} was {was}, now {now}")
    gone = [label for label in before.labels if label not in after.labels]
    new = [label for label in after.labels if label not in before.labels]
    if gone or new:
        parts = [f"without {_few(gone)}" if gone else "", f"with {_few(new)}" if new else ""]
        found.append("channels came back " + " and ".join(filter(None, parts)))
    units = dict(zip(before.labels, before.units, strict=True))
    other = [
        (label, units[label], unit)
        for label, unit in zip(after.labels, after.units, strict=True)
        if label in units and _plain(units[label]) != _plain(unit)
    ]
    if other:
        label, was, now = other[0]
        more = f" and {len(other) - 1} more" if other[1:] else ""
        found.append(f"unit of {label}{more} was {was or 'not stated'}, now {now or 'not stated'}")
    return tuple(found)


def moved(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """The mapping of channels that changed places, e.g. "Fz 1→8, Cz 2→7"; empty when none did."""
    at = {label: i for i, label in enumerate(after, 1)}
    pairs = [f"{b} {i}→{at[b]}" for i, b in enumerate(before, 1) if b in at and at[b] != i]
    return _few(pairs, 8)


def _few(words: list[str], most: int = 4) -> str:
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


class ChannelMap:
    """Selects, reorders, converts and re-references: (T, C_stream) -> (T, C) float32 in the bundle's unit."""

    def __init__(self, contract: Contract, stream: StreamInfo, assume_unit: str = ""):
        at = {label: i for i, label in enumerate(stream.labels)}
        self.picks = np.array([at[label] for label in contract.labels])
        self.reference = np.array([at[label] for label in contract.reference], int)
        units = [meant_unit(unit, assume_unit) for unit in stream.units]
        factors = [unit_factor(unit, contract.unit) or 1.0 for unit in units]
        self._pick_factor = np.array([factors[i] for i in self.picks])
        self._reference_factor = np.array([factors[i] for i in self.reference])
        self.reordered = list(self.picks) != sorted(self.picks)
        self._as_they_come = list(self.picks) == list(range(len(stream.labels)))
        self._unscaled = not len(self.reference) and bool((self._pick_factor == 1.0).all())

    def apply(self, data: np.ndarray) -> np.ndarray:
        if self._unscaled:  # the common case, without a detour through float64
            picked = self.pick(data)
            return picked if picked.dtype == np.float32 else picked.astype(np.float32)
        x = self.pick(data) * self._pick_factor
        if len(self.reference):
            # Summed channel by channel: a mean over a (T, 2) block may differ in its last bit with T.
            common = np.zeros(len(data))
            for i, factor in zip(self.reference, self._reference_factor, strict=True):
                common += data[:, i] * factor
            x -= (common / len(self.reference))[:, None]
        return x.astype(np.float32)

    def pick(self, data: np.ndarray) -> np.ndarray:
        """The model's channels in the model's order, otherwise as received; a view where that is all."""
        return data if self._as_they_come else data.take(self.picks, axis=1)
