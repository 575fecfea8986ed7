"""The panels of a guided check as lines: the steps, what to do now, what the last step found.

Pure functions of what is shown and of the room there is. What comes from outside goes through `clean`.
"""

import numpy as np

from rtdecode.checks.result import GLYPHS, Channel, Measure, Outcome
from rtdecode.checks.shown import Shown
from rtdecode.tui.keynames import USUAL, KeyNames
from rtdecode.tui.lines import (
    EMPTY,
    Line,
    bar,
    cell_len,
    clean,
    cut,
    figure,
    fit,
    frame,
    inner,
    pad,
    spread,
    unit_name,
    width_of,
    wrap,
)
from rtdecode.tui.signals import ROLES
from rtdecode.tui.traces import braille

STATES = {"passed": "good", "failed": "bad", "skipped": "dim", "": "dim"}
PHASES = {
    "ready": ("○", "READY", "accent"),
    "running": ("●", "LISTENING", "good"),
    "working": ("◔", "COMPUTING", "accent"),
    "over": ("●", "DONE", "good"),
}
RATES = ("top-10", "shifted control", "untrained")  # shares that are drawn beside each other
CELL, BAR = 18, 5  # of a channel in the table of a result
VALUE = 10
LEGENDS = {
    "noise": "half a bar: as loud as in the training",
    "scale": "half a bar: as large as in the training",
    "blink": "half a bar: the least that counts as a blink",
}


def header(shown: Shown, width: int) -> list[Line]:
    """One line: what the check is doing, the stream, the bundle; right, what the signal is when simulated."""
    glyph, word, role = ("✕", "NO STREAM", "bad") if shown.note else PHASES[shown.phase]
    right: Line = EMPTY
    if shown.times_real is not None:
        times = f" · {shown.times_real:g} x real EEG" if shown.times_real and width >= 100 else ""
        right = ((f"simulated{times} ", "warn"),)
    facts: list[Line] = [
        ((clean(shown.note) or clean(shown.stream), "bad" if shown.note else "strong"),),
        ((f"{shown.channels} ch", "text"),),
        ((f"{shown.sfreq:g} Hz", "text"),),
        (("bundle ", "dim"), (clean(shown.bundle), "text")),
    ]
    line: Line = ((f" {glyph} {word}", role),)
    for fact in facts:
        if width_of(line) + 2 + width_of(fact) > width - width_of(right) - 1:
            break
        line = (*line, ("  ", "text"), *fact)
    return [spread(line, right, width)]


def steps(shown: Shown, width: int, height: int) -> list[Line]:
    """Every step: its state, its number beside its limit; a sentence below each where there is room."""
    columns, rows = inner(width, height)
    two = rows >= 2 * len(shown.plans)
    ended = sum(outcome is not None for outcome in shown.outcomes)
    body: list[Line] = []
    for i, (plan, outcome) in enumerate(zip(shown.plans, shown.outcomes, strict=True)):
        now = i == shown.at and shown.phase != "over"
        state = outcome.state if outcome and not (now and shown.phase in ("running", "working")) else ""
        word = state or ("now" if now and shown.phase != "ready" else "next" if now else "")
        mark: Line = (("▸ " if now else "  ", "accent"),)
        name = pad(f"{i + 1} {plan.title}", 16)
        head: Line = (
            *mark,
            (f"{GLYPHS[state]} ", STATES[state]),
            (name, "strong" if now else "text"),
            (pad(word, 9), STATES[state] if state else "accent"),
        )
        body.append((*head, *_number(outcome if state else None, plan.seconds, columns - width_of(head))))
        if two:
            role = "dim"
            said = plan.ask if not state or outcome is None else outcome.remedy or outcome.said
            if state == "failed":
                role = "warn"
            if outcome is not None and not outcome.measures and not outcome.remedy:
                said = ""  # it stands in the line above
            body.append((("     ", "dim"), (cut(clean(said), columns - 5), role)))
    return frame(body, width, height, (("Check", "title"),), ((f"{ended} of {len(shown.plans)}", "dim"),))


def _number(outcome: Outcome | None, seconds: float, room: int) -> Line:
    if outcome is None:
        return ((f"{seconds:g} s", "dim"),)
    if not outcome.measures:
        return ((cut(clean(outcome.said), room), "dim"),)
    wrong = [measure for measure in outcome.measures if measure.ok is False]
    first = (wrong or list(outcome.measures))[0]
    named = f"{first.name} " if wrong and first is not outcome.measures[0] else ""
    text: Line = ((clean(named), "dim"), (clean(first.text), "bad" if wrong else "strong"))
    left = room - width_of(text) - 9
    if first.limit and left > 8:
        text = (*text, ("   limit ", "dim"), (cut(clean(first.limit), left), "dim"))
    return text


def now(
    shown: Shown, width: int, height: int, picture: np.ndarray, limit: float, names: KeyNames = USUAL
) -> list[Line]:
    """What to do, how far it is, and the signal as it comes. picture (C, T): swept, of all channels."""
    columns, rows = inner(width, height)
    body = _asked(shown, columns, names)
    title = f"{shown.at + 1} {shown.plan.title}" if shown.phase != "over" else "Signal"
    fact: Line = EMPTY
    if picture.size:
        fact = ((f"±{limit:g} {unit_name(shown.unit)}", "dim"),)
    room = rows - len(body) - 1
    if room >= 2 and picture.size:
        body = [*body, EMPTY, *_traces(shown, picture, columns, room, limit)]
    return frame(body, width, height, ((title, "title"),), fact, _quality(shown))


def _asked(shown: Shown, columns: int, names: KeyNames) -> list[Line]:
    if shown.phase == "over":
        failed = sum(o.state == "failed" for o in shown.outcomes if o)
        repeat, leave = names("check-repeat"), names("check-quit")
        looks = f"{names('check-previous-step')} {names('check-next-step')}"
        done = "Every step has ended; none failed." if not failed else f"{failed} of the steps failed."
        return [
            ((done, "bad" if failed else "good"),),
            ((f"{looks} looks at a step, {repeat} repeats it, {leave} ends and writes", "dim"),),
        ]
    if shown.phase == "working":
        return [((f"computing, {shown.elapsed_s:.0f} s of signal", "accent"),), EMPTY]
    lines: list[Line] = [((piece, "strong"),) for piece in wrap(shown.plan.ask, columns)]
    if shown.phase == "ready":
        return [*lines, ((f"{names('check-begin')} begins", "accent"), (f", {shown.total_s:.0f} s", "dim"))]
    count = f" {shown.elapsed_s:5.1f} / {shown.total_s:.1f} s"
    size = max(1, columns - len(count))
    share = shown.elapsed_s / shown.total_s if shown.total_s else 0.0
    progress: Line = ((bar(share, size), "accent"), (count, "text"))
    if shown.plan.key != "blink":
        return [*lines, progress]
    cue: Line = ((pad("B L I N K".center(columns), columns), "good"),) if shown.prompt else EMPTY
    rule: Line = (("▔" * columns if shown.prompt else " ", "good"),)
    return [*lines, progress, EMPTY, cue, rule]


def chosen(shown: Shown, most: int) -> list[int]:
    """Channels to draw: those above the eyes while blinks are looked for, else some of all."""
    count = len(shown.quality)
    if shown.plan.key == "blink" and shown.frontal:
        return list(shown.frontal[:most])
    return sorted({round(i) for i in np.linspace(0, count - 1, min(most, count))}) if count else []


def _traces(shown: Shown, picture: np.ndarray, columns: int, rows: int, limit: float) -> list[Line]:
    picks = [i for i in chosen(shown, rows // 2) if i < len(picture)]
    if not picks:
        return []
    tall = max(2, min(4, rows // len(picks)))  # few channels may be tall
    size = max(1, columns - 8 - VALUE)
    drawn = braille(picture[picks], size, tall, limit)
    lines: list[Line] = []
    for k, i in enumerate(picks):
        state = shown.quality[i]
        value = f"{figure(state.rms)} {unit_name(shown.unit)}"
        lines.append(
            (
                (pad(clean(state.label), 5) + " ", "text"),
                (clean(state.glyph)[:1] + " ", ROLES.get(state.glyph, "text")),
                (drawn[tall * k], "trace"),
                (" " * max(0, VALUE - cell_len(value)) + value, "dim"),
            )
        )
        lines += [((" " * 8, "dim"), (row, "trace")) for row in drawn[tall * k + 1 : tall * (k + 1)]]
    return lines


def _quality(shown: Shown) -> Line:
    good = sum(state.glyph == "✓" for state in shown.quality)
    return ((f"{good} of {len(shown.quality)} good now", "dim"),) if shown.quality else EMPTY


def result(shown: Shown, outcome: Outcome | None, width: int, height: int) -> list[Line]:
    """One step in full: every number, its limit, what to do, and every channel."""
    columns, rows = inner(width, height)
    if outcome is None:
        waiting: list[Line] = [
            ((piece, "dim"),) for piece in wrap("Numbers come with the first step.", columns)
        ]
        return frame(waiting, width, height, (("Result", "title"),))
    plan = next(plan for plan in shown.plans if plan.key == outcome.key)
    body: list[Line] = []
    for measure in outcome.measures:
        body += _measure(measure, columns)
    body += [((piece, "text"),) for piece in wrap(clean(outcome.said), columns)]
    if outcome.remedy:
        body += [((piece, "warn"),) for piece in wrap(f"→ {clean(outcome.remedy)}", columns)]
    if outcome.channels and rows - len(body) >= 2:
        legend: Line = ((LEGENDS.get(outcome.key, ""), "dim"),)
        body += [legend, *_table(outcome.channels, columns, rows - len(body) - 1)]
    state: Line = ((f"{GLYPHS[outcome.state]} {outcome.state}", STATES[outcome.state]),)
    return frame(body, width, height, ((f"Result  {plan.title}", "title"),), state)


def _measure(measure: Measure, columns: int) -> list[Line]:
    glyph, role = {True: ("✓", "good"), False: ("✕", "bad"), None: (" ", "dim")}[measure.ok]
    text = clean(measure.text)
    head: Line = ((f"{glyph} ", role), (f"{clean(measure.name)}  ", "dim"), (text, "strong"))
    lines = [head]
    if measure.name in RATES and measure.value is not None:
        lines = [head, (("  ", "dim"), (bar(measure.value, max(1, columns - 4)), "accent"))]
    limit = clean(measure.limit)
    if limit and len(lines) == 1 and width_of(head) + 3 + cell_len(limit) <= columns:
        return [(*head, ("   ", "dim"), (limit, "dim"))]
    return [*lines, *([((f"  {piece}", "dim"),) for piece in wrap(limit, columns - 2)] if limit else [])]


def _table(channels: tuple[Channel, ...], columns: int, rows: int) -> list[Line]:
    """Every channel with a bar; half of it is as in the training. Those that are wrong first where all do
    not fit."""
    across = max(1, columns // CELL)
    if len(channels) > across * rows:
        channels = tuple(sorted(channels, key=lambda channel: not channel.word))[: across * rows]
    lines: list[Line] = []
    for start in range(0, len(channels), across):
        line: Line = EMPTY
        for channel in channels[start : start + across]:
            role = "bad" if channel.word else "good"
            line = (
                *line,
                (pad(clean(channel.label), 4), "text"),
                ("✕" if channel.word else " ", role),
                (bar(channel.level, BAR), role),
                (f"{cut(clean(channel.text), 7):>7} ", "dim"),
            )
        lines.append(fit(line, columns))
    return lines
