"""Decoded text: committed words, which never change, and the tentative tail, which may."""

from rtdecode.snapshot import Snapshot, State
from rtdecode.tui.header import as_of
from rtdecode.tui.lines import EMPTY, Line, clean, clock, frame, inner, wrap

MARGIN = 8  # cells for the session time in front of a line


def render(
    snapshot: Snapshot, width: int, height: int, silent_s: float = 0.0, frozen: bool = False
) -> list[Line]:
    """The framed text, newest lines at the bottom; exactly `height` lines of `width` cells."""
    columns, rows = inner(width, height)
    right = as_of(snapshot, silent_s, frozen) or ((_pace(snapshot), "dim"),)
    # only what can be seen is wrapped: a session has thousands of lines
    lines = [
        line for item in snapshot.text[-rows:] for line in _committed(item.t, item.text, columns - MARGIN)
    ]
    tail = clean(snapshot.tentative).strip()
    if tail:
        lines = _with_tail(lines, tail, columns)
    if not lines:
        waiting = snapshot.state is State.FILLING and snapshot.bundle is not None
        wait = (
            f"waiting for {snapshot.bundle.window_s:.1f} s of signal" if waiting and snapshot.bundle else ""
        )
        lines = [((wait or "no text yet", "dim"),)]
    body = lines[-rows:] if rows > 0 else []
    return frame(body, width, height, (("Text", "title"),), right)


def _pace(snapshot: Snapshot) -> str:
    """How long words take to be certain, and how many of those shown were changed."""
    text = snapshot.decision.text if snapshot.decision else None
    if text is None or text.pace is None:
        return "‹ › may still change"
    pace = text.pace
    return f"certain after {pace.delay_p50_s:.1f} s (p90 {pace.delay_p90_s:.1f}) · {pace.revised:.0%} revised"


def _committed(t: float, text: str, columns: int) -> list[Line]:
    pieces = wrap(clean(text).rstrip(), columns)
    times = [f"{clock(t):<{MARGIN}}"] + [" " * MARGIN] * len(pieces)
    return [((time, "dim"), (piece, "text")) for time, piece in zip(times, pieces, strict=False)]


def _with_tail(lines: list[Line], tail: str, columns: int) -> list[Line]:
    """Append ‹tail› to the newest line, or below it where it does not fit."""
    span = (f"‹{tail}›", "tentative")
    room = columns - MARGIN
    last = lines[-1] if lines else ((" " * MARGIN, "dim"), ("", "text"))
    text = last[1][0]
    together = f"{text} ‹{tail}›" if text else f"‹{tail}›"
    if wrap(together, room) == [together]:
        joined: Line = (*last, (" ", "text"), span) if text else (last[0], span)
        return [*lines[:-1], joined]
    below: list[Line] = [((" " * MARGIN, "dim"), (piece, "tentative")) for piece in wrap(f"‹{tail}›", room)]
    return [*lines, *below] if lines else below or [EMPTY]
