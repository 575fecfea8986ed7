"""The status line and the state of the screen: what is true right now, as glyph, word and colour.

`look` is the one place that decides whether the screen may call itself live; every panel asks it (through
`as_of`) whether what it shows is old.
"""

import math
from dataclasses import dataclass

from rtdecode.snapshot import Recording, Snapshot, State
from rtdecode.tui.lines import EMPTY, Line, clean, clock, cut, fit, spread, width_of

SILENT_S = 1.0  # a snapshot older than this is not the present


@dataclass(frozen=True)
class Look:
    """How a state is said. `old`: what the panels show is not the present; they dim it and say since when."""

    glyph: str
    word: str
    role: str
    old: bool


LOOKS = {
    State.CONNECTING: Look("○", "CONNECTING", "accent", False),
    State.FILLING: Look("◔", "FILLING", "accent", False),
    State.LIVE: Look("●", "LIVE", "good", False),
    State.STALE: Look("◐", "STALE", "warn", True),
    State.LOST: Look("✕", "LOST", "bad", True),
    State.FAILED: Look("✕", "FAILED", "bad", True),
}
SILENT = Look("?", "CORE NOT ANSWERING", "bad", True)


def look(snapshot: Snapshot, silent_s: float) -> Look:
    """What may be said of a snapshot written `silent_s` seconds ago."""
    # a failed core has stopped writing and has said so: its last word stands
    return SILENT if silent_s > SILENT_S and snapshot.state is not State.FAILED else LOOKS[snapshot.state]


def as_of(snapshot: Snapshot, silent_s: float, frozen: bool = False) -> Line:
    """ "as of mm:ss.s" when what the panels show is old, "held at mm:ss.s" while frozen, else nothing."""
    old = look(snapshot, silent_s).old
    if not old and not frozen:
        return EMPTY
    seconds = snapshot.decided_s if snapshot.decision else snapshot.elapsed_s
    return ((f"as of {clock(seconds, 1)}", "warn"),) if old else ((f"held at {clock(seconds, 1)}", "accent"),)


def retrying(snapshot: Snapshot, silent_s: float = 0.0) -> str:
    """ "retrying in 2 s" or "looking now" while a lost stream is looked for; else ""."""
    if snapshot.state is not State.LOST or snapshot.retry is None:
        return ""
    left_s = snapshot.retry.next_s - silent_s
    return f"retrying in {math.ceil(left_s)} s" if left_s > 0 else "looking now"


def reason(snapshot: Snapshot) -> str:
    """What was tried, and why there is nothing new, in one clean line; "" where the state says it all."""
    said = clean(snapshot.detail)
    if snapshot.state is not State.LOST or (retry := snapshot.retry) is None:
        return said
    times = "" if not retry.tried else "looked once" if retry.tried == 1 else f"looked {retry.tried} times"
    return " · ".join(part for part in (times, said or f"looking for a stream {clean(retry.wanted)}") if part)


def decision_age(snapshot: Snapshot, silent_s: float) -> Line:
    """How long ago the newest decision was published, e.g. "0.14 s ago"; nothing without one."""
    if snapshot.decision is None:
        return EMPTY
    seconds = max(0.0, snapshot.elapsed_s - snapshot.decided_s + silent_s)
    return ((f"{seconds:.2f} s ago" if seconds < 10 else f"{seconds:.0f} s ago", "dim"),)


def render(
    snapshot: Snapshot | None, width: int, height: int = 1, silent_s: float = 0.0, frozen: bool = False
) -> list[Line]:
    """One line: state, stream, rate, bundle, session time; right, recording, and whether it is simulated.

    silent_s  seconds since the snapshot was written, or since the screen started while there is none
    """
    if snapshot is None:
        word = "STARTING" if silent_s < 5 * SILENT_S else "CORE NOT ANSWERING"
        role = "accent" if silent_s < 5 * SILENT_S else "bad"
        return [fit(((" ○ ", role), (word, role), (f"  {silent_s:.0f} s", "dim")), width)]
    now = look(snapshot, silent_s)
    state: Line = ((f" {now.glyph} {now.word}", now.role),)
    if frozen:
        state = ((" ‖ FROZEN ", "accent"), *state)
    detail = _detail(snapshot, now, silent_s, width)
    if detail:
        state = (*state, (f"  {detail}", now.role if now.old else "dim"))
    right = _right(snapshot, width - width_of(state) - 2)
    facts = _facts(snapshot)
    room = width - width_of(right) - 3  # its own space at the end, and two before it
    line = state
    for fact in facts:  # the later a fact, the sooner it gives way
        if width_of(line) + 2 + width_of(fact) > room:
            break
        line = (*line, ("  ", "text"), *fact)
    return [spread(line, (*right, (" ", "text")) if right else EMPTY, width)]


def _detail(snapshot: Snapshot, now: Look, silent_s: float, width: int) -> str:
    detail = cut(clean(snapshot.detail), max(20, width // 3))
    if now is SILENT:
        return f"for {silent_s:.0f} s"
    if snapshot.state is State.CONNECTING:
        found = (
            f"found {len(snapshot.found)}: {', '.join(map(clean, snapshot.found))}" if snapshot.found else ""
        )
        if not detail and snapshot.retry:
            detail = cut(f"stream {clean(snapshot.retry.wanted)}…", max(20, width // 3))
        return "  ".join(part for part in (detail, f"{snapshot.state_s:.0f} s", found) if part)
    if snapshot.state is State.STALE:
        return f"{snapshot.state_s:.2f} s"
    if snapshot.state is State.LOST:
        parts = (f"{snapshot.state_s:.0f} s", retrying(snapshot, silent_s), detail)
        return "  ".join(part for part in parts if part)
    return detail if snapshot.state in (State.FILLING, State.FAILED) else ""


def _facts(snapshot: Snapshot) -> list[Line]:
    facts: list[Line] = []
    if stream := snapshot.stream:
        facts.append(((clean(stream.name), "strong"),))
        facts.append(((f"{len(stream.labels)} ch", "text"),))
        if snapshot.state not in (State.LOST, State.FAILED):  # nothing comes: there is no rate
            facts.append(((f"{snapshot.health.rate_hz or stream.sfreq:.2f} Hz", "text"),))
    if snapshot.elapsed_s:
        facts.append(((clock(snapshot.elapsed_s), "text"),))
    if bundle := snapshot.bundle:
        facts.append((("bundle ", "dim"), (clean(bundle.name), "text")))
    if snapshot.run > 1:
        facts.append(((f"run {snapshot.run}", "text"),))
    return facts


def _right(snapshot: Snapshot, room: int) -> Line:
    """What becomes of the recording, which never gives way, and what the signal is when it is not real."""
    recorded = _recording(snapshot.recording)
    kind = _simulated(snapshot, room - width_of(recorded) - 2)
    return (*kind, ("  ", "text"), *recorded) if kind and recorded else kind or recorded


def _recording(recording: Recording | None) -> Line:
    if recording is None:
        return EMPTY
    if recording.failed:
        return ((f"✕ REC FAILED: {cut(clean(recording.failed), 40)}", "bad"),)
    if recording.silent:
        return (("✕ REC NO ANSWER", "bad"),)
    size: Line = ((f"● REC {recording.size}", "accent"),)
    return (*size, (f" · {recording.lost} lost", "bad")) if recording.lost else size


def _simulated(snapshot: Snapshot, room: int) -> Line:
    """In full, in a word, or not at all, as the state leaves room."""
    if snapshot.bundle is None or snapshot.bundle.times_real is None:
        return EMPTY
    times = snapshot.bundle.times_real
    full = f"simulated · {times:g} x real EEG" if times else "simulated"
    said = next((words for words in (full, "simulated") if len(words) <= room), "")
    return ((said, "warn"),) if said else EMPTY
