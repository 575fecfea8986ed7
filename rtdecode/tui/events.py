"""The story of the session, newest first: what happened and what the decoder did about it."""

from rtdecode.snapshot import Event, Snapshot
from rtdecode.tui.lines import Line, box, clean, clock, frame, inner

LEVELS = {"info": ("·", "info", "dim"), "warn": ("!", "warn", "warn"), "error": ("✕", "error", "bad")}
LEVELS["mark"] = ("●", "mark", "accent")


def render(snapshot: Snapshot, width: int, height: int) -> list[Line]:
    """Framed from three lines of height on, else bare lines. Newest first."""
    newest = sorted(snapshot.events, key=lambda event: event.t, reverse=True)
    if height < 3:
        return box([((" ", "text"), *_line(event)) for event in newest[:height]], height, width)
    _, rows = inner(width, height)
    body = [_line(event) for event in newest[:rows]] or [(("nothing yet", "dim"),)]
    total = max(snapshot.event_count, len(newest))
    fact: Line = ((f"{min(rows, len(newest))} of {total}", "dim"),)
    return frame(body, width, height, (("Events", "title"),), fact)


def _line(event: Event) -> Line:
    glyph, word, role = LEVELS.get(event.level, LEVELS["info"])
    return ((f"{clock(event.t, 1):>7}  ", "dim"), (f"{glyph} {word:<6}", role), (clean(event.text), "text"))
