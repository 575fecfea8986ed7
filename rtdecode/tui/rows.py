"""One line for each thing found: a stream, a bundle, a recording, a session. What is found in, spans out.

Whether it fits stands in front, as glyph and word; the name gets what the facts behind it leave, and facts
give way from the right where a panel is narrow.
"""

from collections.abc import Sequence

from rtdecode.contract import known_unit
from rtdecode.found import FoundBundle, FoundLog, FoundRecording, FoundStream, said_size, shown
from rtdecode.tui.fit import Fit
from rtdecode.tui.lines import Line, Span, clean, pad, unit_name, width_of

NAME = 14  # cells that no fact takes from a name


def stream_mark(stream: FoundStream, fit: Fit | None) -> Span:
    """What may be said of a stream beside the chosen bundle, None without one."""
    if stream.info.dtype == "string":
        return "· words  ", "dim"
    if not stream.described:
        return "? silent ", "warn"
    return fit_mark(fit)


def bundle_mark(bundle: FoundBundle, fit: Fit | None) -> Span:
    if bundle.problem:
        return "✕ broken ", "bad"
    return fit_mark(fit) if bundle.checked else ("◔ reading", "accent")


def fit_mark(fit: Fit | None) -> Span:
    if fit is None:
        return "         ", "dim"
    return ("✓ fits   ", "good") if fit.good else ("✕ misfit ", "warn")


def stream_row(stream: FoundStream, mark: Span, width: int) -> Line:
    info = stream.info
    units = sorted({unit for unit in info.units if unit})
    unit = "/".join(map(unit_name, units)) if units else "no unit" if stream.described else "?"
    unit = "" if info.dtype == "string" else unit
    rate = f"{info.sfreq:g} Hz" if info.sfreq else "irregular"
    facts = [
        (f"{len(info.labels):>4} ch", "text"),
        (f"{rate:>9}", "text"),
        (f"{unit:<7}", "text" if any(map(known_unit, units)) else "dim"),
        (pad(clean(info.stype or "no type"), 8), "dim"),
        (pad(clean(info.hostname), 12), "dim"),
    ]
    return _row(info.name, facts, mark, width)


def bundle_row(bundle: FoundBundle, mark: Span, width: int) -> Line:
    spec = bundle.spec
    where = (f" {shown(bundle.path)}", "dim")
    if spec is None or bundle.problem:
        return _row(bundle.name, [where], mark, width)
    decodes = "+".join(word for word, there in (("segments", spec.retrieval), ("text", spec.text)) if there)
    facts = [
        (f"{len(spec.stream.labels):>4} ch", "text"),
        (f"{spec.stream.sfreq:>6g} Hz", "text"),
        (f"{unit_name(spec.stream.unit):<3}", "text"),
        (f"{decodes:<13}", "dim"),
        where,
    ]
    return _row(bundle.name, facts, mark, width)


def recording_row(found: FoundRecording, width: int) -> Line:
    facts = [(f"{said_size(found.size_bytes):>9}", "text"), (pad(found.kind, 24), "dim")]
    return _row(shown(found.path), facts, ("", "dim"), width)


def log_row(found: FoundLog, width: int) -> Line:
    if found.problem:
        return _row(shown(found.path), [(f"  {clean(found.problem)}", "dim")], ("✕ broken ", "bad"), width)
    started = found.started.replace("T", " ")[:16]
    said = f"decoded by {found.bundle}" if found.bundle else "recorded only"
    facts = [
        (f"  {clean(started)} UTC", "text"),
        (f"{said_size(found.size_bytes):>9}", "text"),
        (clean(said), "dim"),
    ]
    return _row(shown(found.path), facts, ("", "dim"), width)


def _row(name: str, facts: Sequence[Span], mark: Span, width: int) -> Line:
    name = clean(name)
    left = width - width_of((mark,)) - NAME
    kept: list[Span] = []
    for text, role in facts:
        if width_of(((text, role),)) + 1 > left:
            break
        kept.append((f" {text}", role))
        left -= width_of((kept[-1],))
    room = width - width_of((mark, *kept))
    return (mark, (pad(name, room if kept else max(room, 0)), "text"), *kept)
