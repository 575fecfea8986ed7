"""The Alice study: both versions of its files, its words on the recording's clock, and trees that are not
it.
"""

import shutil
from collections import Counter

import numpy as np
import pytest
from scipy.io import savemat

from offline.split import assert_no_leak, divide
from offline.studies import load_study
from offline.studies.brennan2019 import LABELS, SOURCE, load
from offline.study import UNKNOWN_POSITION
from offline.window_rule import word_windows
from rtdecode.errors import StudyError
from tests.offline.studies import trees_brennan as trees


@pytest.fixture(params=[1, 2], ids=["fieldtrip", "brainvision"])
def tree(request, tmp_path):
    rows = trees.write_tree(tmp_path / "alice", request.param)
    return tmp_path / "alice", rows


@pytest.fixture
def second(tmp_path):
    """A tree of version 2."""
    return tmp_path / "alice", trees.write_tree(tmp_path / "alice", 2)


def test_words_are_where_the_recording_has_them(tree):
    root, rows = tree
    study = load_study("brennan2019", root)
    assert study.subjects == ("sub-01", "sub-03") and len(study.facts["absent"]) == 31
    recording = study.recordings[0]
    assert recording.labels == LABELS and len(LABELS) == 60 and recording.unit == "microvolts"
    assert Counter(e.kind for e in recording.events) == {"sound": 12, "sentence": 24, "word": 108}
    data = recording.read()
    words = list(recording.of_kind("word"))
    np.testing.assert_allclose(
        data[0], np.arange(60), atol=0.06
    )  # VEOG and the sound's channel are not there
    samples = [round(word.start * 500) for word in words]
    np.testing.assert_allclose(data[samples] - data[0], 100, atol=0.11)
    assert words[5].text == rows[5]["Word"] and (words[5].index, words[5].language) == (0, "en")
    assert words[4].index == 4 and words[4].sequence == " ".join(r["Word"] for r in rows[:5])


def test_words_are_where_their_sound_has_them(tree):
    root, _ = tree
    study = load(root)
    events = study.recordings[1].events
    sounds = {event.stimulus: event for event in events if event.kind == "sound"}
    assert study.sounds.keys() == sounds.keys()
    for word in (event for event in events if event.kind == "word"):
        sound = sounds[word.stimulus]
        assert word.start - sound.start == pytest.approx(word.offset, abs=0.003)
        assert word.offset + word.duration < sound.duration
    audio, rate = study.audio("DownTheRabbitHoleFinal_SoundFile7")
    assert len(audio) / rate == pytest.approx(sounds["DownTheRabbitHoleFinal_SoundFile7"].duration)


def test_channels_lie_in_the_unit_square(second):
    places = np.array(load(second[0]).recordings[0].positions)
    assert places.shape == (60, 2) and UNKNOWN_POSITION not in map(tuple, places)
    np.testing.assert_allclose([places.min(axis=0), places.max(axis=0)], [[0, 0], [1, 1]])
    assert len({tuple(place) for place in places}) == 60


def test_the_real_table_divides_as_published(tmp_path, data_dir):
    real = data_dir / "alice-annotations"
    trees.write_tree(tmp_path, 1, table=real / "AliceChapterOne-EEG.csv")
    study = load(tmp_path)
    for recording in study.recordings:
        assert Counter(e.kind for e in recording.events) == {"word": 2129, "sound": 12, "sentence": 90}
        blocks = divide(study, recording, rule="reference", min_block_s=6.0)
        assert Counter(b.split for b in blocks) == {"train": 44, "valid": 8, "test": 6}
        n_samples = round(120 * (recording.events[-1].stop + 3))
        assert len(word_windows(recording.events, blocks, 120.0, -0.5, 2.5, n_samples)) == 190
    for rule in ("reference", "sentence"):
        assert_no_leak(
            (r.name, r.events, divide(study, r, rule=rule, min_block_s=6.0)) for r in study.recordings
        )


def test_the_two_lists_of_33_subjects_differ(tmp_path, data_dir):
    trees.write_tree(tmp_path, 2, subjects=(1,))
    shutil.copy(data_dir / "alice-annotations" / "datasets.mat", tmp_path)
    missing = {s: set(load(tmp_path, s).facts["absent"]) for s in ("published", "depositors")}
    assert all(len(absent) == 32 for absent in missing.values())
    assert missing["depositors"] - missing["published"] == {f"sub-{n}" for n in (26, 34, 35, 36)}
    assert missing["published"] - missing["depositors"] == {"sub-07", "sub-09", "sub-23", "sub-43"}
    assert load_study("brennan2019", tmp_path, "all").facts["absent"] == []


def test_missing_trials_are_matched_by_their_order(second):
    root, rows = second
    kept = [row for i, row in enumerate(rows) if i > 20 and i % 7]
    table = trees.trl(rows)[[i for i in range(len(rows)) if i > 20 and i % 7]]
    trees.write_proc(root / "timelock-preprocessing" / "S03.mat", table)
    words = list(load(root).recordings[1].of_kind("word"))
    assert [word.text for word in words] == [row["Word"] for row in kept]
    whole = {word.text: word.start for word in load(root).recordings[0].of_kind("word")}
    assert all(word.start == whole[word.text] for word in words)


def test_missing_trials_that_do_not_say_which_are_refused(second):
    root, rows = second
    path = root / "timelock-preprocessing" / "S03.mat"
    trees.write_proc(path, trees.trl(rows)[:, :5], ("segment", "tmin"))
    assert len(list(load(root).recordings[1].of_kind("word"))) == 108  # a row for every word
    trees.write_proc(path, trees.trl(rows)[7:, :5], ("segment", "tmin"))
    with pytest.raises(StudyError, match=r"S03.mat: proc.trl has 101 rows for 108 words"):
        load(root)


def test_trials_of_other_words_are_refused(second):
    root, rows = second
    path, table = root / "timelock-preprocessing" / "S03.mat", trees.trl(rows)
    shifted = table.copy()
    shifted[:, 5] = np.roll(table[:, 5], 1)  # each row says the word after its own
    trees.write_proc(path, shifted[1:8], ("segment", "tmin", "Order"))
    load(root)  # seven rows in step cannot be told from seven other ones
    shifted[4:, 0] += 100
    trees.write_proc(path, shifted[1:8])
    with pytest.raises(StudyError, match=r"segment 1 begins at .* s by its first word and at .* by 'w4'"):
        load(root)
    table[3, 5] = table[2, 5]
    trees.write_proc(path, table)
    with pytest.raises(StudyError, match=r"row 4 of proc.trl is of word 3, no such word is left"):
        load(root)
    table[3, 5], table[3, 3] = 4, 9
    trees.write_proc(path, table)
    with pytest.raises(StudyError, match=r"row 4 of proc.trl is of segment 9, its word 'w4' .* of segment 1"):
        load(root)


def test_events_out_of_order_or_outside_the_recording_are_refused(tmp_path):
    rows = trees.write_tree(tmp_path, 2, subjects=(1,))
    path, table = tmp_path / "timelock-preprocessing" / "S01.mat", trees.trl(rows)
    late = table.copy()
    late[-9:, 0] += 5000
    trees.write_proc(path, late)
    with pytest.raises(StudyError, match=r"sub-01: the sentence .* lasts from .*, the recording from 0 to"):
        load(tmp_path)
    table[[10, 11]] = table[[11, 10]]
    trees.write_proc(path, table)
    with pytest.raises(StudyError, match=r"out of order: the word"):
        load(tmp_path)


def test_another_rate_or_other_channels_are_refused(tmp_path):
    rows = trees.write_tree(tmp_path, 1)
    data = np.zeros((62, 2000))
    trees.write_fieldtrip(tmp_path / "S03.mat", data, [*trees.SCALP, "VEOG", "AUD"], sfreq=250)
    with pytest.raises(StudyError, match=r"S03.mat was recorded at 250.0 Hz, the study at 500 Hz"):
        load(tmp_path).recordings[1].read()
    trees.write_fieldtrip(tmp_path / "S03.mat", data[:61], [*trees.SCALP[:-1], "VEOG", "AUD"])
    with pytest.raises(StudyError, match=r"has no channel '61': 61 channels, 59 of the study's 60"):
        load(tmp_path).recordings[1].read()
    trees.write_fieldtrip(tmp_path / "S03.mat", data, [*trees.SCALP, "VEOG", "AUD"])
    with pytest.raises(StudyError, match=r"lasts from .*, the recording from 0 to 4.000 s"):
        load(tmp_path).recordings[1].read()
    for file in tmp_path.glob("S0?.mat"):
        file.unlink()
    (tmp_path / "proc").rename(tmp_path / "timelock-preprocessing")
    trees.write_brainvision(tmp_path / "S01.vhdr", trees.signal(rows, trees.SCALP), trees.SCALP, sfreq=1000)
    with pytest.raises(StudyError, match=r"S01.vhdr was recorded at 1000.0 Hz"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("AliceChapterOne-EEG.csv", "AliceChapterOne-EEG.csv is missing"),
        ("audio", "audio is missing"),
        ("audio/DownTheRabbitHoleFinal_SoundFile4.wav", "SoundFile4.wav is missing"),
        ("timelock-preprocessing", "timelock-preprocessing is missing"),
        ("timelock-preprocessing/S03.mat", "S03.mat is missing"),
        ("S03.eeg", "S03.eeg is missing"),
    ],
)
def test_an_incomplete_tree_names_what_is_missing(second, gone, said):
    path = second[0] / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(StudyError, match=f"the study is incomplete: .*{said}"):
        load(second[0])


def test_what_is_not_the_study_is_said_in_a_sentence(second):
    root, _ = second
    with pytest.raises(StudyError, match=r"there is no study 'brennan2018'.*brennan2019"):
        load_study("brennan2018", root)
    with pytest.raises(StudyError, match=r"there is no folder"):
        load_study("brennan2019", root / "nowhere")
    with pytest.raises(StudyError, match=r"no selection or subject 'S99'.*published"):
        load(root, "S01,S99")
    with pytest.raises(StudyError, match=r"holds no recording of S05"):
        load(root, "S01,S05")
    assert load(root, "S03").subjects == ("sub-03",)
    (root / "proc.zip").touch()
    (root / "timelock-preprocessing").rename(root / "elsewhere")
    with pytest.raises(StudyError, match=r"unpack .*proc.zip"):
        load(root)
    (root / "elsewhere").rename(root / "proc")
    savemat(root / "proc" / "S01.mat", {"proc": {"tlk": 1}})
    with pytest.raises(StudyError, match=r"S01.mat has no proc.trl"):
        load(root)
    (root / "proc" / "S01.mat").write_bytes(b"not a file of MATLAB")
    with pytest.raises(StudyError, match=r"cannot read .*S01.mat"):
        load(root)
    short = root / "audio" / "DownTheRabbitHoleFinal_SoundFile2.wav"
    short.write_bytes(short.read_bytes()[:3000])
    with pytest.raises(StudyError, match=r"SoundFile2.wav lasts 1.478 s, its word .* ends at 5.496 s"):
        load(root)
    (root / "AliceChapterOne-EEG.csv").write_text("Word,onset\na,1\n")
    with pytest.raises(StudyError, match=r"is not the table of words: KeyError"):
        load(root)


def test_the_source_says_how_to_get_it():
    assert SOURCE.name == "brennan2019" and SOURCE.register and SOURCE.parts[0].kind == "globus"
