"""Panels as text: what each says in each state, at both sizes, and that nothing ever leaves its box."""

from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len

from rtdecode.snapshot import BundleCard, ChannelState, Event, Quantiles, Snapshot, State, TextLine
from rtdecode.tui import events, header, health, retrieved, signals, text
from rtdecode.tui.lines import plain
from rtdecode.tui.picture import Session

SESSION = Session()
LIVE = SESSION.at(759.44)
SIZES = [(76, 21), (44, 14), (80, 5), (80, 1), (30, 4), (5, 2), (0, 0)]
NASTY = "a [/b] [laughs] \x1b[31m日本語の長い文\n\u202eabc"


def view(snapshot, first=0, page=8, mark="now"):
    picture = snapshot.signal[:, first : first + page].T
    return signals.View(picture, 0.5, 40.0, 2.0, first, page, mark)


def draw_signals(snapshot, width, height, **options):
    shown = view(snapshot, **options)
    return signals.render(snapshot, width, height, shown, snapshot.channels)


PANELS = {
    "header": lambda s, w, h: header.render(s, w, 1),
    "retrieved": retrieved.render,
    "text": text.render,
    "health": health.render,
    "events": events.render,
    "signals": draw_signals,
}


def said(lines):
    return "\n".join(plain(line) for line in lines)


def nasty(snapshot):
    hits = tuple(replace(hit, text=NASTY, source=NASTY) for hit in snapshot.decision.retrieved.hits)
    return replace(
        snapshot,
        detail=NASTY,
        found=(NASTY,),
        stream=replace(snapshot.stream, name=NASTY),
        bundle=replace(snapshot.bundle, name=NASTY, reference=(NASTY,)),
        decision=replace(snapshot.decision, retrieved=replace(snapshot.decision.retrieved, hits=hits)),
        text=(TextLine(1.0, NASTY * 5),),
        tentative=NASTY,
        channels=tuple(replace(c, label=NASTY) for c in snapshot.channels),
        events=(Event(1.0, "warn", NASTY), Event(2.0, NASTY, NASTY)),
    )


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "make", [lambda s: s, nasty, lambda s: Snapshot(s.state)], ids=["full", "nasty", "empty"]
)
def test_every_line_fits_its_box(name, state, make):
    snapshot = make(replace(LIVE, state=state))
    for width, height in SIZES:
        lines = PANELS[name](snapshot, width, height)
        assert len(lines) == (1 if name == "header" else height)
        for line in lines:
            assert sum(cell_len(part) for part, _ in line) == width
            assert plain(line).isprintable()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.CONNECTING, "○ CONNECTING"),
        (State.FILLING, "◔ FILLING"),
        (State.LIVE, "● LIVE"),
        (State.STALE, "◐ STALE  0.84 s"),
        (State.LOST, "✕ LOST  1 s"),
        (State.FAILED, "✕ FAILED"),
    ],
)
@pytest.mark.parametrize("width", [120, 80, 40])
def test_header_says_the_state_with_glyph_and_word(state, words, width):
    assert words in said(header.render(replace(LIVE, state=state, state_s=0.84), width))


def test_header_names_what_is_seen():
    line = said(header.render(LIVE, 120))
    for fact in ("actiCHamp-32", "32 ch", "250.02 Hz", "12:39", "bundle demo-story", "run 2"):
        assert fact in line
    assert line.endswith("simulated · 8 x real EEG ")
    for state in (State.LOST, State.FAILED):  # nothing comes: no rate is true
        assert " Hz" not in said(header.render(replace(LIVE, state=state), 120))
    real = replace(LIVE, bundle=replace(LIVE.bundle, times_real=None))
    assert "simulated" not in said(header.render(real, 120))
    assert "simulated · 8 x real EEG" in said(header.render(LIVE, 80))


def test_header_keeps_what_it_is_and_what_it_says_apart():
    for state in State:
        for width in range(40, 170):
            left, simulated, _ = said(header.render(replace(LIVE, state=state), width)).partition("simulated")
            assert not simulated or left.endswith("  "), (state, width)


@pytest.mark.parametrize(
    ("times", "words"), [(0.5, "0.5 x"), (8.0, "8 x"), (100.0, "100 x"), (1200.0, "1200 x")]
)
def test_header_says_the_strength_in_plain_numbers(times, words):
    snapshot = replace(LIVE, bundle=replace(LIVE.bundle, times_real=times))
    assert f"simulated · {words} real EEG" in said(header.render(snapshot, 120))


def test_header_lists_the_streams_found_while_connecting():
    snapshot = Snapshot(State.CONNECTING, state_s=3.2, detail="looking for EEG", found=("amp [1]", "mock"))
    assert "looking for EEG  3 s  found 2: amp [1], mock" in said(header.render(snapshot, 120))


def test_an_old_snapshot_is_never_live():
    line = said(header.render(LIVE, 120, silent_s=4.2))
    assert "? CORE NOT ANSWERING  for 4 s" in line
    assert "LIVE" not in line
    assert "as of 12:39.4" in said(retrieved.render(LIVE, 44, 14, silent_s=4.2))
    assert "● LIVE" in said(header.render(LIVE, 120, silent_s=0.9))
    assert "FAILED" in said(header.render(replace(LIVE, state=State.FAILED), 120, silent_s=60.0))


def test_header_before_the_first_snapshot():
    assert "STARTING  1 s" in said(header.render(None, 80, silent_s=1.2))
    assert "CORE NOT ANSWERING" in said(header.render(None, 80, silent_s=9.0))


def test_frozen_stands_before_the_true_state():
    line = said(header.render(replace(LIVE, state=State.LOST), 120, frozen=True))
    assert line.index("‖ FROZEN") < line.index("✕ LOST")


def test_retrieved_says_chance_margin_and_age():
    lines = said(retrieved.render(LIVE, 44, 14))
    assert "top 7 of 50 · chance .02 · window 3.0 s" in lines
    ranking = replace(LIVE.decision.retrieved, window_s=15.0)
    long = replace(LIVE, decision=replace(LIVE.decision, retrieved=ranking))
    assert "chance .02 · window 15 s" in said(retrieved.render(long, 44, 14))
    assert "agrees 6/8" in lines
    assert "0.04 s ago" in lines
    assert "“draw me a sheep”" in lines
    assert "cos +0.3" in lines
    assert "Little Prince" in lines
    assert "04:12.6" in lines


def test_retrieved_narrow_keeps_chance_and_three_hits():
    lines = said(retrieved.render(LIVE, 80, 5))
    assert "3 of 50 · chance .02" in lines
    assert sum(f"\n│ {rank} " in lines for rank in (1, 2, 3)) == 3
    assert "04:12.6  cos +0.3" in lines


def test_bar_length_follows_probability():
    rows = [plain(line) for line in retrieved.render(LIVE, 80, 5)][1:4]
    probs = [hit.prob for hit in LIVE.decision.retrieved.hits[:3]]
    assert [row.count("█") for row in rows] == [int(round(p * 64) // 8) for p in probs]


@pytest.mark.parametrize("state", [State.STALE, State.LOST, State.FAILED])
def test_old_panels_say_as_of_when(state):
    old = replace(LIVE, state=state, elapsed_s=765.0)
    for lines in (said(retrieved.render(old, 44, 14)), said(text.render(old, 80, 7))):
        assert "as of 12:39.4" in lines
        assert " ago" not in lines


def test_held_panels_say_so_and_show_no_age():
    lines = said(retrieved.render(LIVE, 44, 14, frozen=True))
    assert "held at 12:39.4" in lines
    assert "ago" not in lines
    assert "held at 12:39.4" in said(text.render(LIVE, 80, 7, frozen=True))


def test_a_lead_does_not_grow_while_nothing_is_decided():
    # the core's clock went on for 5 s after the last decision
    old = replace(LIVE, state=State.LOST, elapsed_s=LIVE.decided_s + 5.0, held_s=6.0)
    assert "#1 held 1.0 s" in said(retrieved.render(old, 44, 14))


def test_filling_says_what_it_waits_for():
    filling = replace(LIVE, state=State.FILLING, decision=None, text=(), tentative="")
    assert "waiting for 3.0 s of signal" in said(retrieved.render(filling, 44, 14))
    assert "waiting for 3.0 s of signal" in said(text.render(filling, 80, 7))


def test_text_committed_and_tentative_are_told_apart():
    lines = text.render(LIVE, 118, 7)
    spans = [span for line in lines for span in line]
    assert ("he said please draw me a", "text") in spans
    assert ("‹she›", "tentative") in spans
    assert "12:21   he said please draw me a ‹she›" in said(lines)


def test_text_wraps_and_keeps_the_newest():
    story = tuple(TextLine(60.0 * i, f"line{i} " + "word " * 12) for i in range(10))
    lines = said(text.render(replace(LIVE, text=story, tentative="tail"), 40, 7))
    assert "‹tail›" in lines
    assert "line9" in lines
    assert "line5" not in lines


def test_a_tail_without_committed_text():
    assert "‹she›" in said(text.render(replace(LIVE, text=()), 40, 7))


def test_text_is_never_markup():
    strange = replace(LIVE, text=(TextLine(1.0, "see [laughs] him [/b]"),), tentative="[b]")
    assert "see [laughs] him [/b] ‹[b]›" in said(text.render(strange, 80, 7))


def test_health_compares_delay_with_its_budget():
    lines = said(health.render(LIVE, 44, 7, fps=15.0))
    for fact in (
        "budget 100 ms · ok",
        "p99 41 ms",
        "heads 6",
        "skipped 2",
        "lost 12",
        "gaps 1",
        "restarts 1",
    ):
        assert fact in lines
    assert "rate 250.02/250 Hz" in lines
    assert "screen 15 fps" in lines
    assert "ok" in said(health.render(LIVE, 80, 1))


def test_health_shows_whole_figures_or_none():
    stages = {name: Quantiles(0.2, 0.4, 0.5) for name in ("wait", "preprocess", "infer", "heads", "publish")}
    near = replace(LIVE, health=replace(LIVE.health, clock_offset_ms=-0.03, stages=stages))
    for width in (44, 60, 80):
        lines = said(health.render(near, width, 7, fps=15.0, drawn=Quantiles(142.0, 250.0, 280.0)))
        assert "screen 15 fps +142 ms" in lines and "clock -0.03 ms" in lines and "heads 0.2" in lines
        assert "…" not in lines
        assert (f"run {LIVE.run} " in lines) == (width > 44)


@pytest.mark.parametrize(
    ("p99", "word"), [(69.0, "ok"), (71.0, "tight"), (100.0, "tight"), (101.0, "over"), (900.0, "over")]
)
def test_the_verdict_follows_the_99th_percentile(p99, word):
    slow = replace(LIVE, health=replace(LIVE.health, stages={"total": Quantiles(30.0, p99, 30.0)}))
    assert f"· {word}" in said(health.render(slow, 44, 7))
    assert f" {word} " in said(health.render(slow, 80, 1))


def test_delay_bar_marks_the_budget_at_two_thirds():
    marks = "".join(part for part, _ in health.delay_bar(Quantiles(50.0, 80.0, 50.0), 100.0, 15))
    assert marks == "▓▓▓▓▓▒▒▒░░│░░░░"


def test_health_before_anything_was_measured():
    assert "not measured yet" in said(health.render(Snapshot(State.CONNECTING), 44, 7))
    assert "not measured yet" in said(health.render(Snapshot(State.CONNECTING), 80, 1))


def test_events_are_newest_first_and_counted():
    lines = [plain(line) for line in events.render(LIVE, 118, 4)]
    assert "2 of 31" in lines[0]
    assert "12:20.9  ! warn  T8 flat" in lines[1]
    assert "12:18.2" in lines[2]
    assert "12:20.9  ! warn" in plain(events.render(LIVE, 80, 1)[0])


def test_signals_name_scale_unit_page_and_filter():
    lines = said(draw_signals(LIVE, 76, 21))
    assert "0.5–40 Hz · ref TP9+TP10" in lines
    assert "1–8 of 32 · ±40 µV · 2 s" in lines
    assert "30 of 32 good · F8 railed · T8 flat" in lines
    assert "now↑" in lines
    assert "2 s " in lines
    assert "all 32 ✓✓✓✓✓✓✓✓ ✓✓✓▲✓▁✓✓" in lines


def test_a_channel_without_numbers_is_named_and_not_counted():
    quality = tuple(replace(c, glyph="×") if c.label == "T7" else c for c in LIVE.channels)
    lines = said(draw_signals(replace(LIVE, channels=quality), 76, 21))
    assert "29 of 32 good" in lines and "T7 no number" in lines


@pytest.mark.parametrize(("channels", "rows"), [(32, 1), (64, 1), (128, 2)])
@pytest.mark.parametrize("width", [76, 80])
def test_quality_of_every_channel_is_shown(channels, rows, width):
    quality = tuple(ChannelState(f"E{i}", "▲" if i == channels - 1 else "✓", 1.0) for i in range(channels))
    snapshot = replace(LIVE, channels=quality, signal=np.zeros((500, channels), np.float32))
    lines = [plain(line) for line in draw_signals(snapshot, width, 21)]
    assert signals.strip_lines(width, channels) == rows
    assert sum(line.count("✓") for line in lines[1 : 1 + rows]) == channels - 1
    assert lines[rows].rstrip(" │").endswith("▲")


def test_a_page_is_eight_channels_two_when_low_and_sixteen_when_very_wide():
    assert signals.page_size(76, 21, 32) == 8
    assert signals.page_size(76, 21, 128) == 8
    assert signals.page_size(80, 8, 32) == 2
    assert signals.page_size(140, 40, 32) == 16


def test_signals_do_not_say_now_when_it_is_not():
    lines = said(draw_signals(LIVE, 76, 21, mark="last"))
    assert "last↑" in lines
    assert "now" not in lines


def test_long_labels_keep_room():
    snapshot = replace(
        LIVE, channels=tuple(replace(c, label=f"MEG{1000 + i}") for i, c in enumerate(LIVE.channels))
    )
    assert "MEG1000" in said(draw_signals(snapshot, 76, 21))


def test_signals_say_why_there_are_none():
    lost = Snapshot(State.FAILED, detail="the bundle needs 32 channels, the stream has 16")
    assert "the bundle needs 32 channels" in said(draw_signals(lost, 60, 8))
    looking = Snapshot(State.CONNECTING, found=("amp [b]",))
    assert "amp [b]" in said(draw_signals(looking, 60, 8))


def test_tesla_is_readable():
    bundle = BundleCard("meg", "T", (0.5, 40.0), (), 100.0, 3.0, 50, 0.0, True, False)
    quality = (ChannelState("MEG1", "✓", 1.23e-13),)
    snapshot = replace(LIVE, bundle=bundle, channels=quality, signal=np.full((500, 1), 1e-13, np.float32))
    lines = said(signals.render(snapshot, 60, 8, replace(view(snapshot), limit=4e-13), quality))
    assert "1.2e-13 T" in lines
    assert "±4e-13 T" in lines
