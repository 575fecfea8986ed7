"""The replay bar: where a recording is, what is marked in it, and whether the decoder is right. Pure lines.

    ▶ 03:12.4 ├──────────●──────┊──┊───────◆────────────┊─────┤ 41:07  ×2  loop off   heard “…” · rank 1
      top-1 .62 (chance .02)   top-10 .91 (chance .20)   CER .31 (chance .82)   345 decisions since 00:12

◆ marks, ┊ beginnings of sentences. Knows neither a player nor a file.
"""

from dataclasses import dataclass

from rtdecode.tracking import Figures
from rtdecode.tui.lines import EMPTY, Line, clean, clock, cut, fit, plain, share, width_of

NO_TRUTH = "no truth in this recording"
WIDE = 110  # cells; with fewer, what is heard goes below the bar
SCORES = 60  # cells that all scores take there


@dataclass(frozen=True)
class Play:
    """A replay as it is now. at_s, length_s: seconds of the recording.

    waiting  nothing is sent until the decoder listens;  ended  all of it was sent
    broken   why nothing is played any more; empty while all is well
    """

    at_s: float = 0.0
    length_s: float = 0.0
    speed: float = 1.0
    loop: bool = False
    paused: bool = False
    waiting: bool = False
    ended: bool = False
    broken: str = ""


@dataclass(frozen=True)
class Landmarks:
    """What lies along the recording, in seconds: marks, beginnings of sentences, and words, each in order."""

    marks: tuple[float, ...] = ()
    sentences: tuple[float, ...] = ()
    words: tuple[tuple[float, str], ...] = ()

    def beside(self, at_s: float, steps: int, slack_s: float = 0.7) -> float | None:
        """The next one after `at_s`, or with steps < 0 the last one before; None when there is none.

        slack_s  going back, one that was passed just now counts as where we are
        """
        places = sorted({*self.marks, *self.sentences})
        if steps > 0:
            return next((t for t in places if t > at_s + 0.05), None)
        return next((t for t in reversed(places) if t < at_s - slack_s), None)


def look(play: Play) -> tuple[str, str, str]:
    """(glyph, word, role) of a replay."""
    if play.broken:
        return "✕", "REPLAY BROKE", "bad"
    if play.ended:
        return "■", "REPLAY ENDED", "accent"
    if play.paused:
        return "‖", "REPLAY PAUSED", "warn"
    return "▶", "REPLAY", "good"


def factor(speed: float) -> str:
    return f"×{speed:g}"


def bar(play: Play, landmarks: Landmarks, figures: Figures | None, width: int, height: int = 2) -> list[Line]:
    """`height` lines: the bar, then how right the decoder is. figures: None without truth.

    What is heard has a place of fixed width: a bar that grew and shrank with it could not be read.
    """
    settings: Line = (
        (f"  {factor(play.speed):<3}", "strong" if play.speed != 1 else "text"),
        ("  loop on " if play.loop else "  loop off", "accent" if play.loop else "dim"),
    )
    beside = width >= WIDE
    room = max(len(NO_TRUTH), (width - 38) // 2 - 2) if beside else width - SCORES
    said = fit(_within(_heard(figures, not beside), room), room)
    lines = [_first(play, landmarks, (*settings, ("   ", "text"), *said) if beside else settings, width)]
    if height > 1:
        lead: Line = EMPTY if beside or room < 12 else ((" ", "text"), *said)
        lines.append(fit((*lead, *_score(figures, width - width_of(lead), not beside)), width))
    return [*lines, *(fit(EMPTY, width) for _ in range(height - len(lines)))][:height]


def track(play: Play, landmarks: Landmarks, width: int) -> Line:
    """The line from the beginning to the end, `width` cells."""
    cells = max(1, width - 2)

    def cell(t: float) -> int:
        return min(cells - 1, max(0, int(t / play.length_s * cells))) if play.length_s > 0 else 0

    here = cell(play.at_s)
    glyphs = [("━", "accent") if k < here else ("─", "frame") for k in range(cells)]
    for t in landmarks.sentences:
        glyphs[cell(t)] = ("┊", "dim")
    for t in landmarks.marks:
        glyphs[cell(t)] = ("◆", "warn")
    glyphs[here] = ("●", "strong")
    return (("├", "frame"), *glyphs, ("┤", "frame"))


def second_at(line: Line, cell: int, play: Play, landmarks: Landmarks) -> float | None:
    """The second of the recording under a cell of the bar's first line; a landmark's where one is drawn;
    None beside the track."""
    said = plain(line)
    start = said.find("├") + 1
    cells = said.find("┤", start) - start
    if not start or not 0 <= cell - start < cells:
        return None
    first, last = (play.length_s * (cell - start + k) / cells for k in (0, 1))
    marks = [t for t in landmarks.marks if first <= t < last]  # drawn over a sentence's beginning
    return min(marks or [t for t in landmarks.sentences if first <= t < last], default=first)


def _first(play: Play, landmarks: Landmarks, right: Line, width: int) -> Line:
    glyph, _, role = look(play)
    left: Line = ((f" {glyph} ", role), (clock(play.at_s, 1), "strong"), (" ", "text"))
    end: Line = ((f" {clock(play.length_s)}", "text"),)
    if play.broken:
        return fit((*left, (clean(play.broken), "bad")), width)
    room = width - width_of(left) - width_of(end) - width_of(right) - 1
    if room < 10:  # too narrow for both: the bar is worth more
        right, room = EMPTY, width - width_of(left) - width_of(end) - 1
    return fit((*left, *track(play, landmarks, max(3, room)), *end, *right), width)


def _heard(figures: Figures | None, tight: bool) -> Line:
    if figures is None:
        return ((NO_TRUTH if not tight else "no truth", "dim"),)
    lead: Line = EMPTY if tight else (("heard ", "dim"),)
    if not figures.heard:
        return (*lead, ("silence", "dim"))
    said: Line = (*lead, (f"“{clean(figures.heard)}”", "text"))
    if not figures.hits:
        return said
    dot = " " if tight else " · "
    if not figures.known:
        return (*said, (f"{dot}no candidate" if tight else f"{dot}not in the bank", "dim"))
    if figures.rank is None:
        return (*said, (f"{dot}rank >{figures.hits}", "warn"))
    return (*said, (dot, "dim"), (f"rank {figures.rank}", "good" if figures.rank == 1 else "text"))


def _within(said: Line, width: int) -> Line:
    """Cut in the middle: the quoted words give way, the rank after them stays."""
    over = width_of(said) - width
    if over <= 0:
        return said

    def shorter(text: str) -> str:
        return cut(text, max(1, width_of(((text, ""),)) - over - 1)) + "”" if text.startswith("“") else text

    return tuple((shorter(text), role) for text, role in said)


def _score(figures: Figures | None, room: int, tight: bool) -> Line:
    """Every score beside its chance; the later, the sooner it gives way."""
    if figures is None:
        return EMPTY
    gap = "  " if tight else "   "
    groups: list[Line] = []
    if ranked := figures.ranked:
        groups.append(_against("top-1", ranked.top1, ranked.chance1, tight))
        groups.append(_against("top-10", ranked.top10, ranked.chance10, tight))
    if figures.cer is not None:
        groups.append(_against("CER", figures.cer, figures.cer_chance, tight))
    if not groups:
        return (
            (f"{gap}no score yet: nothing that was heard is decoded since {clock(figures.since_s)}", "dim"),
        )
    since = "" if tight else f" since {clock(figures.since_s)}"
    groups.append(((f"n {figures.ranked.n if figures.ranked else 0}{since}", "dim"),))
    line: Line = EMPTY
    for group in groups:
        if width_of(line) + len(gap) + width_of(group) > room:
            break
        line = (*line, (gap, "text"), *group)
    return line


def _against(name: str, value: float, chance: float | None, tight: bool) -> Line:
    word = "" if tight else "chance "
    beside: Line = ((f" ({word}{share(chance)})", "dim"),) if chance is not None else EMPTY
    return ((f"{name} ", "dim"), (share(value) if value < 0.995 else f"{value:.2f}", "strong"), *beside)
