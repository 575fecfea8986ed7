"""What stands around the timeline: header, ranking, text, signals and events at the cursor."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from rtdecode.tui.lines import (
    EMPTY,
    Line,
    Span,
    bar,
    box,
    cell_len,
    clean,
    clock,
    cut,
    fit,
    frame,
    inner,
    pad,
    share,
    spread,
    width_of,
)
from rtdecode.tui.review.data import BEYOND, Decided, Event, Hit, Story, Word
from rtdecode.tui.review.timeline_rows import STATES

SURE, UNSURE, DOUBTFUL = 0.95, 0.8, 0.5  # confidences; below the first the number stands at the word
LINE_WORDS = 12
LEVELS = {
    "info": ("·", "info", "dim"),
    "warn": ("!", "warn", "warn"),
    "error": ("✕", "error", "bad"),
    "mark": ("◆", "mark", "accent"),
    "gap": ("░", "gap", "warn"),
    "heard": ("┊", "heard", "dim"),
}
_SMALL = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
LOOKS = {"connecting": "○", "filling": "◔", "live": "●", "stale": "◐", "lost": "✕", "failed": "✕"}


def header(story: Story, cursor: float, playing: bool, width: int, height: int = 1) -> list[Line]:
    """One line: where the cursor is, the state then, and what session this is."""
    state = story.state_at(cursor)
    look = (f"  {LOOKS.get(state, '?')} {clean(state.upper())}", STATES.get(state, ("", "text"))[1])
    line: Line = (
        (" ▶ PLAYING" if playing else " ◧ REVIEW", "accent"),
        (f"  {clock(cursor, 1)}", "strong"),
        (f" / {clock(story.length_s)}", "dim"),
        look if state else ("  – no state", "dim"),
    )
    facts: list[Line] = [((clean(story.stream), "strong"),)] if story.stream else []
    if story.channels:
        facts.append(((f"{story.channels} ch", "text"), (f"  {story.sfreq:g} Hz", "text")))
    if story.bundle:
        facts.append((("bundle ", "dim"), (clean(story.bundle), "text")))
    if story.started:
        facts.append(((clean(story.started), "dim"),))
    right: Line = ((f"! {clean(story.missing[0])} ", "warn"),) if story.missing else EMPTY
    room = width - (min(width_of(right), width // 3) + 2 if right else 0)
    for fact in facts:
        if width_of(line) + 2 + width_of(fact) > room:
            break
        line = (*line, ("  ", "text"), *fact)
    return [spread(line, fit(right, min(width_of(right), width // 3)) if right else EMPTY, width)]


def ranking(decided: Decided | None, width: int, height: int) -> list[Line]:
    """The decision at the cursor: its candidates beside chance, and what was really heard."""
    title: Line = (("Ranking", "title"),)
    columns, rows = inner(width, height)
    if decided is None:
        return frame([(("no decision yet", "dim"),)], width, height, title)
    fact: Line = ((f"{clock(decided.t, 1)} · run {decided.run} · decision {decided.index}", "dim"),)
    if decided.damaged:
        return frame([(("✕ this line of the log is damaged", "bad"),)], width, height, title, fact)
    if not decided.hits:
        return frame([(("this decision has no ranking", "dim"),)], width, height, title, fact)
    head: Line = (
        (f"top {len(decided.hits)} of {decided.candidates} · chance {share(decided.chance)}", "dim"),
        (f" · window {decided.window_s:.1f} s" if decided.window_s else "", "dim"),
    )
    tail = _below(decided, columns)
    room = max(0, rows - len(tail) - (rows > 3))
    truth = decided.heard[0]
    body = [_hit(i, hit, columns, bool(truth) and hit.ident == truth) for i, hit in enumerate(decided.hits)]
    lines = [*([head] if rows > 3 else []), *box(body, room, columns), *tail]
    return frame(lines, width, height, title, fact)


def _below(decided: Decided, columns: int) -> list[Line]:
    hits = decided.hits
    margin = hits[0].prob - hits[1].prob if len(hits) > 1 else hits[0].prob
    line: Line = (("margin ", "dim"), (share(margin), "text"))
    if decided.total_ms is not None:
        line = (*line, (" · took ", "dim"), (f"{decided.total_ms:.1f} ms", "text"))
    if decided.warnings:
        line = (*line, (f" · ! {clean('; '.join(decided.warnings))}", "warn"))
    if not decided.heard[0]:
        return [line]
    rank = "not in the ten" if decided.rank >= BEYOND else f"rank {decided.rank}"
    role = "good" if decided.rank == 1 else "text" if decided.rank < BEYOND else "warn"
    said = f"“{cut(clean(decided.heard[1]), max(0, columns - 9 - len(rank)))}”"
    return [line, (("heard ", "dim"), (said, "text"), (f" {rank}", role))]


def _hit(place: int, hit: Hit, columns: int, true: bool) -> Line:
    role = "strong" if place == 0 else "text"
    start: Line = (
        (f"{place + 1:<3}", role),
        (bar(hit.prob, 6), "accent" if place == 0 else "dim"),
        (f" {share(hit.prob):>4}", role),
        (" ✓ " if true else "   ", "good"),
    )
    right: Line = ((f"{clock(hit.start)}", "dim"),) if columns < 60 else (
        (f"{pad(clean(hit.source), 14)} {clock(hit.start, 1):>7}  cos {hit.score:+.2f}", "dim"),
    )  # fmt: skip
    room = columns - width_of(start) - width_of(right) - 1
    return spread((*start, (f"“{cut(clean(hit.text), max(0, room - 2))}”", role)), right, columns)


def text(story: Story, cursor: float, tentative: str, width: int, height: int) -> list[Line]:
    """What had been read by the cursor, its words with their confidence; the newest with its delay."""
    columns, rows = inner(width, height)
    title: Line = (("Text", "title"),)
    until = bisect_right(story.words, cursor + 1e-6, key=lambda word: word.at)
    if not until and not tentative.strip():
        said = "no text yet" if story.words else "no words in this log"
        return frame([((said, "dim"),)], width, height, title)
    word = story.words[until - 1] if until else None
    lines = _sentences(story.words[max(0, until - LINE_WORDS * max(1, rows) * 2) : until])
    body = [line for sentence in lines for line in _wrapped(sentence, columns, word)]
    tail = clean(tentative).strip()
    if tail:
        span: Line = (("        ", "dim"), (f"‹{tail}›", "tentative"))
        last = body[-1] if body else None
        if last and width_of(last) + 3 + cell_len(tail) <= columns:
            body[-1] = (*last, (f" ‹{tail}›", "tentative"))
        else:
            body.append(span)
    fact: Line = (("small figures: confidence in %", "dim"),) if columns > 60 else EMPTY
    return frame(body[-rows:] if rows > 0 else [], width, height, title, fact, _newest(word))


def _newest(word: Word | None) -> Line:
    if word is None:
        return EMPTY
    sure = "" if word.confidence is None else f" · confidence {share(word.confidence)}"
    late = "" if word.delay_s is None else f" · certain after {word.delay_s:.2f} s"
    return (
        (f"“{cut(clean(word.text), 24)}”", "accent"),
        (f" {clock(word.start, 1)}–{clock(word.stop, 1)}{sure}{late}", "dim"),
    )


def _sentences(words: Sequence[Word]) -> list[list[Word]]:
    lines: list[list[Word]] = [[]]
    for word in words:
        lines[-1].append(word)
        if word.ends or len(lines[-1]) >= LINE_WORDS:
            lines.append([])
    return [line for line in lines if line]


def _wrapped(words: Sequence[Word], columns: int, newest: Word | None) -> list[Line]:
    found: list[Line] = []
    line: list[Span] = [(f"{clock(words[0].start):<8}", "dim")]
    for word in words:
        low = word.confidence is not None and word.confidence < SURE
        small = f"{100 * (word.confidence or 0):.0f}".translate(_SMALL) if low else ""
        said = cut(clean(word.text), max(4, columns - 12))
        size = cell_len(said) + len(small) + 1
        if width_of(tuple(line)) + size > columns and len(line) > 1:
            found.append(tuple(line))
            line = [("        ", "dim")]
        line += [(said, "accent" if word is newest else _role(word.confidence)), (f"{small} ", "dim")]
    return [*found, tuple(line)]


def _role(confidence: float | None) -> str:
    if confidence is None or confidence >= UNSURE:
        return "text"
    return "warn" if confidence >= DOUBTFUL else "bad"


def events(story: Story, cursor: float, width: int, height: int) -> list[Line]:
    """What happened before and after the cursor, in order of time."""
    shown = [event for event in story.events if event.level != "heard"] or list(story.events)
    k = bisect_left(shown, cursor + 1e-6, key=lambda event: event.t)
    title: Line = (("Events", "title"),)
    if height < 3:
        near = shown[max(0, k - 1) : k] or shown[k : k + 1]
        return box([((" ", "text"), *_event(event, True)) for event in near], height, width)
    _, rows = inner(width, height)
    before = shown[max(0, k - (rows + 1) // 2) : k]
    after = shown[k : k + rows - len(before)]
    before = shown[max(0, k - (rows - len(after))) : k]
    body = [_event(event, event is shown[k - 1]) for event in before]
    body += [_event(event, False, later=True) for event in after]
    fact: Line = ((f"{k} of {len(shown)} so far", "dim"),)
    return frame(body or [(("nothing happened", "dim"),)], width, height, title, fact)


def _event(event: Event, newest: bool, later: bool = False) -> Line:
    glyph, word, role = LEVELS.get(event.level, LEVELS["info"])
    text = "dim" if later else "text"
    return (
        ("▸ " if newest else "  ", "accent"),
        (f"{clock(event.t, 1):>8} ", "dim"),
        (f"{glyph} {word:<5} ", "dim" if later else role),
        (clean(event.text), text),
    )
