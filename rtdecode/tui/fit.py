"""Does this stream fit this bundle, channel by channel, and if not, what to do about it?

The verdict is the contract's own (rtdecode/contract.py), which the decoder asks, too; here it gets a summary,
a picture of every channel and the remedy in words. Knows neither the network nor the disk.
"""

import re
from dataclasses import dataclass

from rtdecode.contract import Contract, known_unit, meant_unit, unit_factor
from rtdecode.tui.lines import EMPTY, Line, box, clean, cut, frame, inner, unit_name, width_of, wrap
from rtdecode.types import StreamInfo

VOLTS, TESLAS = ("microvolts", "millivolts", "volts", "nanovolts"), ("femtotesla", "picotesla", "tesla")
GLYPHS = {"good": ("✓", "good"), "missing": ("✕", "bad"), "unit": ("?", "warn")}


@dataclass(frozen=True)
class Fit:
    """needed: the bundle's channels in its order, then its references; states: of each, a key of GLYPHS.

    alike     missing channels and the stream's likely name for them
    unit      what is said of the unit, "" with nothing to say;  problems  the contract's, in words
    remedies  what to do, one for each cause
    """

    needed: tuple[str, ...]
    states: tuple[str, ...]
    alike: tuple[tuple[str, str], ...]
    sfreq: float
    wanted_sfreq: float
    unit: str
    unit_good: bool
    unused: int
    problems: tuple[str, ...]
    remedies: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.problems

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(
            label for label, state in zip(self.needed, self.states, strict=True) if state == "missing"
        )


def compare(contract: Contract, stream: StreamInfo, assume_unit: str = "") -> Fit:
    """The verdict on one pair. assume_unit: what the user says of channels that state no unit."""
    needed = tuple(dict.fromkeys(contract.labels + contract.reference))
    units = {
        label: meant_unit(unit, assume_unit)
        for label, unit in zip(stream.labels, stream.units, strict=True)
        if label
    }
    states = tuple(
        "missing"
        if label not in units
        else "good"
        if unit_factor(units[label], contract.unit) is not None
        else "unit"
        for label in needed
    )
    missing = [label for label, state in zip(needed, states, strict=True) if state == "missing"]
    alike = _alike(missing, [label for label in stream.labels if label not in needed])
    strange = next(
        (units[label] for label, state in zip(needed, states, strict=True) if state == "unit"), None
    )
    problems = contract.problems(stream, assume_unit)
    return Fit(
        needed,
        states,
        alike,
        stream.sfreq,
        contract.sfreq,
        _unit(contract, units, needed, strange, assume_unit),
        strange is None,
        sum(label not in needed for label in stream.labels),
        problems,
        _remedies(contract, stream, missing, alike, strange) if problems else (),
    )


def assumable(contract: Contract) -> tuple[str, ...]:
    """The units that a stream which states none may be said to have, the bundle's first."""
    for family in (VOLTS, TESLAS):
        if unit_factor(contract.unit, family[0]) is not None:
            first = next((unit for unit in family if unit_factor(unit, contract.unit) == 1.0), contract.unit)
            return (first, *(unit for unit in family if unit != first))
    return (contract.unit,)


def _unit(
    contract: Contract, units: dict[str, str], needed: tuple[str, ...], strange: str | None, assumed: str
) -> str:
    found = sorted({units[label] for label in needed if label in units})
    if strange is not None:
        return f"unit {clean(strange)}" if strange else "unit not stated"
    if not found:
        return ""
    said = "/".join(map(unit_name, found)) + (" as you say" if assumed and assumed in found else "")
    same = all(unit_factor(unit, contract.unit) == 1.0 for unit in found)
    return f"unit {said}" if same else f"unit {said}, converted to {unit_name(contract.unit)}"


def _plain(label: str) -> str:
    """A label without what amplifiers put around it: "EEG T7-Ref" is "t7"."""
    words = re.sub(r"[^0-9a-z]+", " ", label.casefold()).split()
    kept = [word for word in words if word not in ("eeg", "meg", "ref", "le", "ch", "chan")]
    return "".join(kept or words)


def _alike(missing: list[str], free: list[str]) -> tuple[tuple[str, str], ...]:
    names: dict[str, list[str]] = {}
    for label in free:
        names.setdefault(_plain(label), []).append(label)
    pairs = ((label, names.get(_plain(label), [])) for label in missing)
    return tuple((label, found[0]) for label, found in pairs if len(found) == 1)


def _remedies(
    contract: Contract,
    stream: StreamInfo,
    missing: list[str],
    alike: tuple[tuple[str, str], ...],
    strange: str | None,
) -> tuple[str, ...]:
    if stream.dtype == "string":
        return ("choose a stream of samples: this one carries words, such as markers",)
    if not stream.labels:
        return ("choose a stream with channels",)
    found = []
    if abs(stream.sfreq - contract.sfreq) > 1e-6 * contract.sfreq:
        other = f", or take a bundle trained at {stream.sfreq:g} Hz" if stream.sfreq > 0 else ""
        found.append(f"set the amplifier to {contract.sfreq:g} Hz{other}: nothing is resampled in secret")
    if not all(stream.labels):
        found.append(
            "let the sender name its channels (in LSL's description: channels, channel, label), as "
            + _few(contract.labels)
        )
        return tuple(found)
    if len(set(stream.labels)) < len(stream.labels):
        found.append("give every channel a name of its own in the sender")
    if alike:
        renamed = ", ".join(f"{clean(theirs)} to {clean(label)}" for label, theirs in alike[:4])
        more = f" and {len(alike) - 4} more" if alike[4:] else ""
        found.append(f"rename in the sender: {renamed}{more}")
    absent = [label for label in missing if label not in dict(alike)]
    if absent:
        found.append(f"let the sender send {_few(absent)} too, or take a bundle that does without")
    if strange is not None:
        if known_unit(strange):
            found.append(f"let the sender send {unit_name(contract.unit)}, or take a bundle for {strange}")
        else:
            found.append(
                "look up the amplifier's unit, then say it: u here, or --assume-unit on the command line"
            )
    return tuple(found)


def _few(labels: tuple[str, ...] | list[str], most: int = 6) -> str:
    shown = " ".join(map(clean, labels[:most]))
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"


def summary(fit: Fit) -> Line:
    """ "12/16 matched by name ✕; missing T7 T8; rate 250 Hz ✓; unit µV ✓"."""
    count = len(fit.needed) - len(fit.missing)
    parts: list[Line] = [_said(f"{count}/{len(fit.needed)} matched by name", not fit.missing)]
    if fit.missing:
        parts.append(((f"missing {_few(fit.missing)}", "bad"),))
    right = abs(fit.sfreq - fit.wanted_sfreq) <= 1e-6 * fit.wanted_sfreq
    rate = f"rate {fit.sfreq:g} Hz" if fit.sfreq > 0 else "rate irregular"
    parts.append(_said(rate if right else f"{rate}, needs {fit.wanted_sfreq:g}", right))
    if fit.unit:
        parts.append(_said(fit.unit, fit.unit_good))
    if fit.unused:
        parts.append(((f"{fit.unused} not needed", "dim"),))
    line = parts[0]
    for part in parts[1:]:
        line = (*line, ("; ", "dim"), *part)
    return line


def _said(text: str, good: bool) -> Line:
    return ((f"{text} ", "text"), ("✓", "good") if good else ("✕", "bad"))


def folded(line: Line, width: int) -> list[Line]:
    """A long line of spans on as many lines as it takes, broken after "; "."""
    lines: list[Line] = [EMPTY]
    part: Line = ()
    for span in (*line, ("", "end")):
        if span[0] == "; " or span[1] == "end":
            tail: Line = (span,) if span[0] else ()
            if lines[-1] and width_of((*lines[-1], *part)) + 1 > width:
                lines.append(EMPTY)
            lines[-1], part = (*lines[-1], *part, *tail), ()
        else:
            part = (*part, span)
    return lines


def grid(fit: Fit, width: int, rows: int) -> list[Line]:
    """Every channel the bundle needs with its state; what is not good comes first where not all fit."""
    pairs = list(zip(fit.needed, fit.states, strict=True))
    alike = dict(fit.alike)
    size = max(1, min(12, max((len(clean(label)) for label, _ in pairs), default=1))) + 4
    columns = max(1, width // size)
    if len(pairs) > columns * rows:
        pairs.sort(key=lambda pair: pair[1] == "good")
        left = len(pairs) - (columns * rows - 2)
        pairs = pairs[: max(0, columns * rows - 2)]
    else:
        left = 0
    cells: list[Line] = []
    for label, state in pairs:
        glyph, role = GLYPHS["unit" if label in alike else state]
        name = cut(clean(label), size - 4)
        cells.append(((f"{glyph} ", role), (name.ljust(size - 2), "text" if state == "good" else role)))
    lines = [
        tuple(span for cell in cells[at : at + columns] for span in cell)
        for at in range(0, len(cells), columns)
    ]
    if left and lines:
        lines[-1] = (*lines[-1], (f"… {left} more", "dim"))
    return lines[:rows]


def render(
    fit: Fit | None, names: tuple[str, str], why: tuple[str, ...], width: int, height: int, key: str = "Enter"
) -> list[Line]:
    """The panel: whether the chosen pair fits, how, and what to do.

    why  what is said instead of a fit;  key  what decodes with it
    """
    columns, rows = inner(width, height) if height >= 4 else (width, height)
    body: list[Line] = []
    verdict: Line = EMPTY
    if fit is None:
        body = [((piece, "text"),) for text in why for piece in wrap(clean(text), columns)]
    else:
        verdict = (("✓ fits", "good"),) if fit.good else (("✕ does not fit", "bad"),)
        body = folded(summary(fit), columns)
        if fit.good:
            tail: list[Line] = [EMPTY, ((f"{key} decodes it live", "accent"),)]
        else:
            # the summary says the rest; what it does not say stays in the contract's own words
            others = [problem for problem in fit.problems if "twice" in problem or "not name" in problem]
            tail = [((piece, "bad"),) for problem in others for piece in wrap(clean(problem), columns)]
            for remedy in fit.remedies:
                first, *more = wrap(remedy, columns - 3)
                tail += [
                    (("→  ", "accent"), (first, "text")),
                    *((("   ", "text"), (p, "text")) for p in more),
                ]
        room = rows - len(body) - len(tail)
        body += [*(grid(fit, columns, room) if room > 0 else []), *tail]
    title: Line = (("Fit", "title"),)
    if all(names):
        title = (*title, (f"  {clean(names[0])} → {clean(names[1])}", "dim"))
    if height < 4:
        return box(body, height, width)
    return frame(body, width, height, title, verdict)
