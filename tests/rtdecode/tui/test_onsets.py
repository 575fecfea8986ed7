"""Words on the time axis: read or heard, each once, where it begins in the signal, and it stays there."""

from dataclasses import replace

import numpy as np
import pytest

from rtdecode.live.story import WORDS_S, Story
from rtdecode.snapshot import BundleCard, Onset, Snapshot, State, TextLine, decode, encode
from rtdecode.tui.bar import Landmarks
from rtdecode.tui.lens import Lens
from rtdecode.tui.lines import plain, width_of
from rtdecode.tui.onsets import Heard, Read
from rtdecode.tui.signals import VALUE, View, axis
from rtdecode.types import Decision, Hypothesis, SpokenWord, StreamInfo
from tests.rtdecode.tui.test_replaying import Bench as ReplayBench

SFREQ = 100.0
BEFORE = 8


# -- from the decoder to the picture -----------------------------------------------------------------------


def said(delta, *words, ended=""):
    spoken = tuple(SpokenWord(word, start, start + 0.3, 0.9, 0.5) for start, word in words)
    return Decision(0, 1, 0, 0.0, None, Hypothesis(delta, "", delta, spoken, ended))


def onsets(story):
    return [(w.t, w.start, w.text) for line in story.text for w in line.words]


def test_words_come_with_their_lines_and_lose_their_times():
    story = Story()
    story.decided(said("he said ", (-2.0, "he"), (-1.5, "said"), ended="silence"), 10.0)
    story.decided(said(""), 11.0)
    story.decided(said("draw ", (-1.0, "draw")), 12.0)
    assert [line.text for line in story.text] == ["he said ", "draw "]
    assert onsets(story) == [(10.0, -2.0, "he"), (10.0, -1.5, "said"), (12.0, -1.0, "draw")]
    story.decided(said("me ", (-0.5, "me")), 10.1 + WORDS_S)
    assert [w.text for line in story.text for w in line.words] == ["draw", "me"]
    assert [line.text for line in story.text] == ["he said ", "draw me "]
    snapshot = Snapshot(State.LIVE, text=tuple(story.text))
    assert decode(encode(snapshot)).text == snapshot.text


def test_what_is_remembered_has_a_bound():
    story = Story()
    for k in range(3000):
        story.decided(said("word ", (-1.0, "word")), 0.1 * k)
    assert len(onsets(story)) <= 10 * WORDS_S + 1


def text(*lines):
    return tuple(TextLine(0.0, "", tuple(Onset(*word) for word in line)) for line in lines)


def test_each_word_that_was_read_is_told_once():
    read = Read()
    first = Snapshot(State.LIVE, elapsed_s=10.0, text=text([], [(9.0, -1.5, "he")], [(10.0, -0.5, "said")]))
    assert sorted(read.new(first)) == [(0.5, "said"), (2.5, "he")]
    assert read.new(first) == read.new(replace(first, text=text([(10.0, -0.5, "said")]))) == []
    later = replace(first, elapsed_s=11.0, text=text([(10.0, -0.5, "said")], [(10.8, -1.0, "draw")]))
    assert read.new(later) == [(pytest.approx(1.2), "draw")]
    assert read.new(replace(first, elapsed_s=1.0, text=text([(0.9, -0.1, "anew")])))[0][1] == "anew"


def test_each_word_that_was_heard_is_told_once_and_none_from_before_a_jump():
    heard = Heard(((1.0, "a"), (2.0, "b"), (3.0, "c"), (50.0, "d"), (61.0, "e")))
    assert heard.new(2.5, "x 1", 0.5) == [(1.5, "a"), (0.5, "b")]
    assert heard.new(2.4, "x 1", 0.5) == []
    assert heard.new(3.0, "x 1", 0.5) == [(0.0, "c")]
    assert heard.new(62.0, "y 2", 60.0) == [(1.0, "e")]
    assert heard.new(2.2, "z 3", 1.5) == [(pytest.approx(0.2), "b")]
    assert heard.new(63.0, "w 4", 0.0) == [(2.0, "e")]  # only what can be on the screen


# -- in the sweep ------------------------------------------------------------------------------------------


def at(lens, stop, words=None, **fields):
    x = np.arange(max(0, stop - 200), stop, dtype=np.float32)[:, None]
    lens.add(Snapshot(State.LIVE, elapsed_s=stop / SFREQ, signal=x, signal_sfreq=SFREQ, **fields), words)


def places(lens):
    return {word: pytest.approx(place) for place, word in lens.words()}


def test_a_word_stays_where_it_begins_until_it_is_drawn_over():
    lens = Lens()
    at(lens, 200)
    at(lens, 250, [(1.0, "he"), (0.25, "said")])
    assert places(lens) == {"he": 0.75, "said": 0.125}
    at(lens, 300, [])
    assert places(lens) == {"he": 0.75, "said": 0.125}
    at(lens, 346, [])
    assert places(lens) == {"said": 0.125}  # the gap in front of the cursor
    lens.window()
    assert places(lens) == {"he": 0.3, "said": 0.45}


def test_what_is_held_keeps_its_words_and_another_session_has_none():
    lens = Lens()
    at(lens, 200)
    at(lens, 250, [(1.0, "he")])
    lens.hold()
    at(lens, 300, [(0.1, "said")])
    assert places(lens) == {"he": 0.75}
    lens.release()
    assert set(places(lens)) == {"he", "said"}
    at(lens, 100, [])
    assert places(lens) == {}
    at(lens, 110, [(0.1, "new")])
    assert set(places(lens)) == {"new"}


def test_without_truth_the_words_that_were_read_are_drawn():
    lens = Lens()
    at(lens, 200)
    at(lens, 250, text=text([(2.5, -1.0, "he")]))
    at(lens, 260, text=text([(2.5, -1.0, "he")]))
    assert places(lens) == {"he": 0.75}
    lens.restart()
    at(lens, 200, text=text([(1.9, -1.0, "he")]))
    assert places(lens) == {"he": 0.45}


# -- on the axis -------------------------------------------------------------------------------------------


def drawn(words, cursor=1.0, width=60, marks=(), seconds=2.0):
    view = View(np.zeros((1, 9)), cursor, 50.0, seconds, 0, 1, marks=marks, words=words)
    line = axis(view, width + BEFORE + VALUE, BEFORE)
    assert width_of(line) == width + BEFORE or width < 4
    return plain(line)[BEFORE:]


def test_the_axis_as_it_is_drawn():
    line = drawn(((0.25, "planet"), (0.5, "where"), (0.6, "he")))
    assert line.startswith("0 " + " " * 13 + "┊ planet" + " " * 7 + "┊where┊ he ")
    assert line.endswith("now↑") and "0.5" not in line
    assert "0.5" in drawn(())


def test_words_give_way_to_the_next_to_the_cursor_and_to_marks():
    assert "┊┊┊ lived" in drawn(((0.2, "planet"), (0.21667, "where"), (0.2334, "lived")))
    assert "┊┊ b" in drawn(((0.2, "a"), (0.21667, "b")))
    assert "┊p┊ b " in drawn(((0.2, "p"), (0.23334, "b")))
    assert "┊pla…┊" in drawn(((0.2, "planet"), (0.2834, "b")))
    assert "┊   ┊ b" in drawn(((0.2, "[planet]"), (0.28333, "b")), width=48)
    assert "┊pla… now↑     ┊ older" in drawn(((0.2, "planet"), (0.45001, "older")), cursor=0.35001)
    assert "┊" not in drawn(((0.43, "planet"),), cursor=0.45)
    assert "● 7" in drawn(((0.2, "planet"),), marks=((0.2, "7"),))
    dense = tuple((k / 50, "word") for k in range(50))
    assert drawn(dense, seconds=10.0).count("┊") >= 40


def test_strange_words_are_only_letters():
    for word in ("[/b]", "\x1b[31m", "日本語", "", "\u202e", "a" * 300):
        assert drawn(((0.1, word), (0.9, word))).isprintable()
    assert "┊ [/b]" in drawn(((0.1, "[/b]"),))
    assert "日" not in drawn(((0.1, "日本語"),))
    drawn(((0.5, "x"),), width=1)


# -- in a replay -------------------------------------------------------------------------------------------

CARD = BundleCard("b", "uV", (), (), 100.0, 3.0, 50, 0.0, True, True)


async def test_a_replay_draws_what_was_heard():
    bench = ReplayBench()
    bench.player.landmarks = Landmarks(words=((10.0, "planet"), (11.5, "where"), (12.2, "later")))
    bench.player.anchors = {"u1": 700.0}
    bench.app = type(bench.app)(bench.watcher, bench.player, clock=lambda: bench.now)
    stream = StreamInfo("s", "EEG", ("a",), ("uV",), 250.0, uid="u1")
    decision = Decision(9, 2, 500, 712.0, None, None)
    shown = {"stream": stream, "decision": decision, "bundle": CARD, "run": 2, "decided_s": 759.35}
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await bench.show(pilot, **shown)
        # 12.0 s of the recording, and less than a hop more: the third word was not heard yet
        assert "┊ where" in bench.said("signals")
        assert "later" not in bench.said("signals")
        assert len(bench.app.lens.now.words) == 1  # the run began at 10 s
        await bench.show(pilot, **{**shown, "decision": replace(decision, t=712.3, sample=575)})
        assert [word for _, word in bench.app.lens.now.words] == ["where", "later"]
        other = replace(stream, uid="u2")
        await bench.show(pilot, **{**shown, "stream": other})  # nobody knows yet where it is
        await bench.show(pilot, **{**shown, "run": 3})  # no decision of it yet
        assert len(bench.app.lens.now.words) == 2
