"""Broderick 2019: EEG, alignments and texts of a miniature tree, and trees that are not it."""

import json
import os
import shutil

import numpy as np
import pytest

from offline.studies import load_study
from offline.studies.broderick2019 import LABELS, load
from offline.studies.gentle import HeardWord, in_pauses, in_sentences, read_gentle, sentences_of
from rtdecode.errors import StudyError
from rtdecode.recordings import read
from tests.offline.studies import trees_broderick as trees
from tests.offline.studies.trees_schoffelen import write_wav


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trees.write_tree(tmp_path_factory.mktemp("broderick"), (1, 12))


@pytest.fixture(scope="module")
def study(whole):
    return load_study("broderick2019", whole)


@pytest.fixture
def tree(whole, tmp_path, monkeypatch):
    """A copy to break, its files linked: replace them, never write into them. Of four runs: it is faster."""
    monkeypatch.setattr("offline.studies.broderick2019.N_RUNS", 4)
    return shutil.copytree(whole, tmp_path / "broderick", copy_function=os.link)


def test_recordings_of_the_tree(study):
    assert study.subjects == ("sub-01", "sub-12") and len(study.recordings) == 40
    assert study.facts["subjects_present"] == "2 of 19"
    recording = study.recordings[0]
    assert (recording.name, recording.sfreq, recording.unit) == ("sub-01_run-01", 128.0, "microvolts")
    assert recording.labels == LABELS and LABELS[0] == "A1" and LABELS[-1] == "D32" and len(LABELS) == 128
    positions = np.array(recording.positions)
    assert positions.min() == 0.0 and positions.max() == 1.0 and len(np.unique(positions, axis=0)) == 128
    assert set(study.sounds) == {f"audio{run}" for run in range(1, 21)}


def test_events_of_a_run(study):
    recording = study.recordings[1]
    kinds = [event.kind for event in recording.events]
    # 470 words, of which one was not found; 59 sentences of eight words; the first sound
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "phoneme": 938, "sentence": 59, "sound": 1, "word": 469,
    }  # fmt: skip
    sound = next(recording.of_kind("sound"))
    assert (sound.start, sound.duration, sound.stimulus) == (0.0, 48.0, "audio2")
    word = list(recording.of_kind("word"))[9]
    assert (word.text, word.index, word.offset) == ("run2word9", 1, 1.4)
    assert word.start == pytest.approx(1.4) and word.duration == pytest.approx(0.09)
    assert word.sequence == '"Run2word8 ' + " ".join(f"run2word{k}" for k in range(9, 16)) + '!"'
    assert (word.condition, word.language) == ("sentence", "en")


def test_phonemes_begin_where_the_one_before_ends(study):
    phonemes = list(study.recordings[0].of_kind("phoneme"))[:4]
    assert [p.text for p in phonemes] == ["dh", "iy", "dh", "iy"]
    assert [p.start for p in phonemes] == pytest.approx([0.5, 0.53, 0.6, 0.63])
    assert [p.duration for p in phonemes] == pytest.approx([0.03, 0.06, 0.03, 0.06])


def test_words_that_the_text_does_not_hold(study):
    words = list(study.recordings[0].of_kind("word"))
    assert study.facts["words_matched"]["1"] == 468  # not the one that was taken for another
    assert study.facts["words_not_in_dictionary"] == 20
    mumble = next(word for word in words if word.text == "mumble")
    assert mumble.sequence.startswith("Run1word32 ") and mumble.index == 1
    # word 20 was not found: the words after it move up, and every sentence still has a first word
    assert [w.index for w in words if w.sequence.startswith("Run1word16 ")] == list(range(7))
    assert sum(word.index == 0 for word in words) == 59


def test_signal_is_read_when_it_is_asked_for(tree, tmp_path):
    recording = load(tree).recordings[0]
    data = recording.read()
    assert data.shape == (round(49.0 * 128), 128) and data.dtype == np.float32
    np.testing.assert_allclose(data[1000, :3], [1.0, 2.0, 3.0], rtol=1e-6)  # as in the file: no factor of 1e6
    across = load(trees.write_tree(tmp_path / "across", across=True)).recordings[0]
    np.testing.assert_array_equal(across.read(), data)


def test_a_real_trial_of_this_laboratory(tree, data_dir):
    """The same amplifier and order of channels, one minute."""
    import scipy.io

    real = data_dir / "eeg-cocktail-party" / "1_1.mat"
    eeg = scipy.io.loadmat(real)["eeg"]
    path = tree / "EEG" / "Subject1" / "Subject1_Run3.mat"
    path.unlink()
    trees.write_mat(path, eeg)
    recording = load(tree).recordings[2]
    theirs = read(real)
    assert recording.labels == theirs.labels[:128]
    np.testing.assert_array_equal(recording.read(), theirs.data[:, :128])


def test_words_after_the_end_of_the_recording_are_left_out_and_told(tree):
    path = tree / "EEG" / "Subject1" / "Subject1_Run2.mat"
    path.unlink()
    trees.write_mat(path, np.zeros((round(47.0 * 128), 128), np.float32))
    study = load(tree)
    assert study.facts["words_after_the_end"] == {"sub-01_run-02": 5}
    assert len(list(study.recordings[1].of_kind("word"))) == 464
    assert max(event.stop for event in study.recordings[1].of_kind("word")) <= 47.0


def test_half_a_recording_is_another_run(tree):
    path = tree / "EEG" / "Subject1" / "Subject1_Run2.mat"
    path.unlink()
    trees.write_mat(path, np.zeros((round(20.0 * 128), 128), np.float32))
    with pytest.raises(
        StudyError, match=r"sub-01_run-02: 275 of 469 words lie after the end .* \(20.000 s\)"
    ):
        load(tree)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("EEG", "EEG is missing"),
        ("private", "ai.honu.io/papers/brainmagick/private.zip"),
        ("private/audio3.wav", "audio3.wav is missing (audio, text and alignment are not in the deposit"),
        ("private/align4.json", "align4.json is missing"),
        ("private/oldman_run4.txt", "oldman_run4.txt is missing"),
        ("EEG/Subject12/Subject12_Run3.mat", "Subject12_Run3.mat is missing"),
    ],
)
def test_an_incomplete_tree_names_what_is_missing(tree, missing, said):
    (tree / missing).rename(tree / "elsewhere")
    with pytest.raises(StudyError) as caught:
        load(tree)
    assert said in str(caught.value)
    if "private" in missing:
        assert "ds004408" in str(caught.value)  # what can be done instead


@pytest.mark.parametrize(
    ("eeg", "fs", "said"),
    [
        ((100, 64), 128.0, r"eegData of shape \(100, 64\), expected \(samples, 128\)"),
        ((100, 128), 512.0, "fs = 512 Hz, the study 128 Hz"),
    ],
)
def test_another_laboratory(tree, eeg, fs, said):
    path = tree / "EEG" / "Subject1" / "Subject1_Run1.mat"
    path.unlink()
    trees.write_mat(path, np.zeros(eeg, np.float32), fs)
    with pytest.raises(StudyError, match=said):
        load(tree)


def test_a_damaged_file(tree):
    path = tree / "EEG" / "Subject1" / "Subject1_Run1.mat"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:200])
    with pytest.raises(StudyError, match=r"Subject1_Run1.mat"):
        load(tree)


def test_values_that_are_not_finite(tree):
    path = tree / "EEG" / "Subject1" / "Subject1_Run1.mat"
    path.unlink()
    eeg = np.zeros((round(49.0 * 128), 128), np.float32)
    eeg[5, 5] = np.nan
    trees.write_mat(path, eeg)
    with pytest.raises(StudyError, match="not finite"):
        load(tree).recordings[0].read()


def test_the_text_of_another_run(tree):
    path = tree / "private" / "oldman_run3.txt"
    path.unlink()
    path.write_text(trees.text_of(4), "utf-8")
    with pytest.raises(
        StudyError, match=r"^0 of the 469 words of .*align3.json are in oldman_run3.txt, at least 450"
    ):
        load(tree)


def test_a_sound_shorter_than_its_words(tree):
    path = tree / "private" / "audio3.wav"
    path.unlink()
    write_wav(path, 10.0)
    with pytest.raises(
        StudyError, match=r"audio3.wav lasts 10.000 s, align3.json has the word 'run3word469'"
    ):
        load(tree)


def test_textgrids_stand_in_for_gentle_and_need_no_text(tree):
    for run in range(1, 5):
        (tree / "private" / f"align{run}.json").unlink()
        (tree / "private" / f"oldman_run{run}.txt").unlink()
        (tree / "private" / f"align{run}.TextGrid").write_text(trees.aligned_textgrid(run), "utf-8")
    study = load(tree)
    assert study.facts["sentences"]["1"] == "pauses"
    recording = study.recordings[0]
    sentences = list(recording.of_kind("sentence"))
    assert len(sentences) == 8 and sentences[1].text == " ".join(f"run1word{k}" for k in range(8, 16))
    assert [w.index for w in recording.of_kind("word")][:10] == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]
    assert next(recording.of_kind("phoneme")).text == "AH0"


# ── alignments and texts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not JSON", "no alignment of Gentle"),
        (json.dumps({"transcript": ""}), "no alignment of Gentle"),
        (json.dumps({"words": []}), "holds no word"),
        (json.dumps({"words": [{"case": "success", "word": "a", "start": 2, "end": 1}]}), "from 2 to 1 s"),
        (
            json.dumps({"words": [{"case": "success", "word": "a", "start": "NaN", "end": 1}]}),
            "from nan to 1 s",
        ),
    ],
)
def test_what_is_no_alignment(tmp_path, content, said):
    path = tmp_path / "align1.json"
    path.write_text(content)
    with pytest.raises(StudyError, match=said):
        read_gentle(path)


def test_words_must_be_in_order(tmp_path):
    words = [{"case": "success", "word": w, "start": t, "end": t + 0.1} for w, t in (("one", 3), ("two", 2))]
    (tmp_path / "a.json").write_text(json.dumps({"words": words}))
    with pytest.raises(
        StudyError, match=r"the word 'two' lasts from 2 to 2.1 s, after one that starts at 3 s"
    ):
        read_gentle(tmp_path / "a.json")


def test_sentences_by_rule():
    text = 'He said: “It is Mr. Smith.” Then he\nleft!  "Why?" she asked. It cost 3.50 … and no more. ... '
    assert sentences_of(text) == (
        "He said: “It is Mr. Smith.”",
        "Then he left!",
        '"Why?" she asked.',
        "It cost 3.50 … and no more. ...",
    )


def test_a_missed_word_is_in_the_sentence_before_it():
    heard = [HeardWord(text, t, t + 1) for t, text in enumerate(["uh", "one", "two", "um", "three", "four"])]
    words, matched = in_sentences(heard, "One two. Three four.")
    assert matched == 4
    assert [word.sentence for word in words] == ["One two."] * 4 + ["Three four."] * 2
    assert [word.index for word in words] == [0, 1, 2, 3, 0, 1]


def test_the_same_sentence_twice_is_two_sentences():
    heard = [HeardWord(text, t, t + 1) for t, text in enumerate(["yes", "sir", "yes", "sir"])]
    words, _ = in_sentences(heard, "Yes sir. Yes sir.")
    assert [word.index for word in words] == [0, 1, 0, 1]


def test_pauses_end_sentences():
    heard = [HeardWord(str(t), t, t + 0.7) for t in (0.0, 1.0, 2.5)]
    assert [(w.sentence, w.index) for w in in_pauses(heard)] == [("0.0 1.0", 0), ("0.0 1.0", 1), ("2.5", 0)]
