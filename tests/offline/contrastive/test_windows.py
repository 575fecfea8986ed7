"""Windows: where they lie, which word and sound they are known by, and that the table can be relied on."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from offline.contrastive.windows import Heard, load_learned, make_windows
from offline.split import Block
from offline.study import Event
from rtdecode.errors import TrainingError
from tests.offline.contrastive.small import config, small

CONFIG = config(
    signal={"sfreq": 100.0, "baseline_s": [-0.5, 0.0]},
    window={"tmin": -0.5, "tmax": 1.0, "step_s": 0.5, "offset_s": 0.15},
)


def word(start, duration, text, index, sequence="s one", stimulus="a.wav"):
    return Event(start, duration, "word", text, stimulus, start, sequence, index)


def recording(events, blocks=None, seconds=10.0):
    blocks = blocks or (Block(0.0, float("inf"), "all", "test"),)
    events = tuple(events)
    return SimpleNamespace(
        name="r", subject="sub-01", sfreq=100.0, n_samples=round(seconds * 100), events=events, blocks=blocks
    )


SOUND = Event(0.0, 10.0, "sound", "a.wav", "a.wav", 0.0)


def test_a_window_is_known_by_the_word_two_samples_after_its_anchor():
    # The second word begins 10 ms after the first: two samples on, it is what sounds.
    events = [SOUND, word(2.0, 0.5, "one", 0), word(2.01, 0.5, "two", 1), word(4.0, 0.015, "tick", 2)]
    found = make_windows([recording(events)], CONFIG, words=("test",)).windows
    assert [(w.sample, w.word, w.uid, w.index) for w in found] == [
        (200, "two", "s one", 1),
        (201, "two", "s one", 1),
        (400, "", "a.wav@4.00", -1),  # over before the second sample: known by its moment of the sound
    ]


def test_a_later_word_hides_an_earlier_one_only_while_it_sounds():
    events = [SOUND, word(2.0, 2.0, "long", 0), word(2.5, 0.1, "short", 1)]
    found = make_windows([recording(events)], CONFIG, grid=("test",)).windows
    assert {w.sample: w.word for w in found}[250] == "short"
    assert {w.sample: w.word for w in found}[300] == "long"


def test_windows_stay_in_their_block_and_silent_ones_are_left_out():
    blocks = (Block(0.0, 4.0, "a", "train"), Block(4.0, float("inf"), "b", "valid"))
    sound = replace(SOUND, duration=6.0)
    table = make_windows([recording([sound], blocks)], CONFIG, grid=("train", "valid"))
    assert [w.sample for w in table.of("train")] == [50, 100, 150, 200, 250, 300]
    # The sound ends where the window around 650 begins; 700 to 850 hear nothing either.
    assert [w.sample for w in table.of("valid")] == [450, 500, 550, 600]
    assert table.counts() == {"train": 6, "valid": 4, "silent": 5}
    assert table.of("valid")[0].block_first == 400


def test_pieces_of_two_sounds_follow_the_placement_rule():
    first = Event(1.0, 2.0, "sound", "a", "a", 5.0)
    second = Event(2.5, 2.0, "sound", "b", "b", 0.0)  # begins before the first one ends
    one, two = Heard([first, second]).pieces(250, -50, 151, 100.0)
    assert (one.stimulus, one.first, one.n, one.start_s) == ("a", 0, 50, 6.0)
    assert (two.stimulus, two.first, two.n, two.start_s) == ("b", 50, 101, 0.0)
    assert one.anchor_s == pytest.approx(6.5) and two.anchor_s == pytest.approx(0.0)
    assert Heard([first, second]).at(2.6) == ("b", pytest.approx(0.1))
    assert Heard([first, second]).at(9.0) == ("", 0.0)


def test_sentences_stand_for_sounds_where_a_study_has_none():
    sentence = Event(1.0, 2.0, "sentence", "x", "a", 0.0)
    assert Heard([sentence, word(1.0, 0.5, "x", 0)]).at(1.5) == ("a", 0.5)


def test_the_table_is_the_same_twice_and_knows_when_it_is_not(tmp_path):
    study = small(tmp_path, sentences=10)
    recordings = study.prepared.recordings
    one = make_windows(recordings, config(), grid=("train", "valid"))
    two = make_windows(recordings, config(), grid=("train", "valid"))
    assert one.digest() == two.digest() and len(one) > 50
    shifted = config(window={"offset_s": 0.2, "step_s": 0.3})
    assert make_windows(recordings, shifted, grid=("train", "valid")).digest() != one.digest()
    one.save(tmp_path / "windows.csv.gz")
    content = (tmp_path / "windows.csv.gz").read_bytes()
    two.save(tmp_path / "windows.csv.gz")
    assert (tmp_path / "windows.csv.gz").read_bytes() == content


def test_what_was_learned_is_recognised_by_text_and_by_sound(tmp_path):
    study = small(tmp_path, sentences=20)
    settings = config()
    make_windows(study.prepared.recordings, settings, grid=("train", "valid")).save(tmp_path / "w.csv.gz")
    learned = load_learned(tmp_path / "w.csv.gz")
    tested = make_windows(study.prepared.recordings, settings, words=("test",)).windows
    assert len(tested) and not any(learned.hears(window, settings) for window in tested)
    trained = make_windows(study.prepared.recordings, settings, words=("train",)).windows
    said = {learned.hears(window, settings).split(" ")[1] for window in trained}
    assert said == {"sentence"}
    renamed = replace(trained[3], uid="never seen", index=0)
    assert learned.hears(renamed, settings).startswith("the sound 'part")
    with pytest.raises(TrainingError, match="cannot read"):
        load_learned(tmp_path / "no.csv.gz")
