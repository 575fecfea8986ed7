"""Schoffelen 2019: log, triggers and TextGrids of a miniature tree around a real CTF recording."""

import numpy as np
import pytest

from offline.split import divide
from offline.studies import load_study
from offline.studies.alignment import align
from offline.studies.ctf import onsets, read_counts
from offline.studies.mne_files import open_raw
from offline.studies.presentation_log import read_log
from offline.studies.schoffelen2019 import AUDIO_SUBJECTS, EXCLUDED, NOT_EXISTING, condition_of, load
from offline.studies.schoffelen_speech import find_number, read_numbers
from rtdecode.errors import StudyError
from tests.offline.studies import trees_schoffelen as trees


@pytest.fixture(scope="module")
def real(data_dir):
    return data_dir / "meg-formats-mne" / "CTF" / "testdata_ctf_short_discontinuous.ds"


@pytest.fixture(scope="module")
def whole(real, tmp_path_factory):
    """A tree with two subjects who listened, one who read, one left out by the published analysis."""
    root = trees.write_tree(tmp_path_factory.mktemp("mous"), real, ("A2002", "A2003"))
    for other in ("V1001", "A2011"):
        (root / f"sub-{other}" / "meg").mkdir(parents=True)
    return root


@pytest.fixture
def tree(whole, tmp_path):
    """A copy of the tree to break, the recordings linked."""
    import os
    import shutil

    return shutil.copytree(whole, tmp_path / "mous", copy_function=os.link)


def replaced(path, text):
    path.unlink()  # not through the link
    path.write_text(text, "utf-8")


# ── the study ───────────────────────────────────────────────────────────────────────────────────────────────


def test_subjects_of_the_release():
    assert len(AUDIO_SUBJECTS) == 96
    assert AUDIO_SUBJECTS[0] == "A2002" and AUDIO_SUBJECTS[-1] == "A2125"
    assert len(NOT_EXISTING) == 22 and not {f"A{n}" for n in NOT_EXISTING} & set(AUDIO_SUBJECTS)
    assert {"A2011", "A2084", "V1090", "V1115"} <= EXCLUDED.keys() and len(EXCLUDED) == 10


def test_sentences_of_the_tree(whole):
    study = load_study("schoffelen2019", whole)
    assert study.subjects == ("sub-A2002", "sub-A2003")
    assert study.facts["skipped"] == {
        "sub-A2011": "left out by the published analysis",
        "sub-V1001": "read the sentences, there is no audio",
    }
    recording = study.recordings[0]
    kinds = [event.kind for event in recording.events]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "phoneme": 58, "sentence": 3, "sound": 3, "word": 29,
    }  # fmt: skip
    assert study.facts["left_out"]["sub-A2002"] == {
        "word lists": 1, "before the first block": 0, "after the last trigger": 1, "never started": 0,
    }  # fmt: skip
    assert {event.condition for event in recording.events} == {"sentence"}
    assert {event.language for event in recording.events} == {"nl"}
    assert [event.sequence for event in recording.of_kind("sound")] == ["1", "2", "4"]
    assert set(study.sounds) == {trees.STEM.format(n) for n in (1, 2, 4)}
    assert study.facts["unnumbered"] == []


def test_words_lie_where_the_sound_was_played(whole):
    recording = load(whole).recordings[0]
    sounds, words = list(recording.of_kind("sound")), list(recording.of_kind("word"))
    # the log's clock is 100 s and 50 ppm off; a sample is 0.8 ms
    assert [s.start for s in sounds] == pytest.approx([1.2, 3.3, 8.25], abs=1.5e-3)
    assert [s.duration for s in sounds] == pytest.approx([trees.SOUND_S] * 3)
    first = words[0]
    assert (first.text, first.index, first.offset, first.stimulus) == ("de", 0, 0.05, trees.STEM.format(1))
    assert first.start == pytest.approx(1.25, abs=1.5e-3) and first.duration == pytest.approx(0.1)
    last = words[-1]
    assert (last.text, last.index, last.sequence) == ("toe", 6, "4")
    assert last.start == pytest.approx(8.25 + 0.05 + 6 * 0.1, abs=1.5e-3)
    phonemes = [p for p in recording.of_kind("phoneme") if p.sequence == "2"]
    assert [p.text for p in phonemes[:4]] == ["h", "t", "m", "e"] and [p.index for p in phonemes[:4]] == [
        0,
        0,
        1,
        1,
    ]


def test_alignment_is_told(whole):
    alignment = load(whole).facts["alignment"]["sub-A2002"]
    assert alignment["anchors"] == 8 and alignment["unmatched_log"] == alignment["unmatched_recording"] == 0
    assert alignment["worst_s"] < 1e-3


def test_channels_are_the_273_sensors_without_the_references(whole, real):
    recording = load(whole).recordings[0]
    raw = open_raw(real)
    meg = [
        n for n, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True) if kind in ("mag", "ref_meg")
    ]
    assert recording.labels == tuple(name.split("-")[0] for name in meg[28:301])
    assert len(recording.labels) == 273 and recording.labels[0] == "MLC11" and recording.labels[-1] == "MZP01"
    assert recording.unit == "femtotesla" and recording.sfreq == 1200.0
    positions = np.array(recording.positions)
    assert positions.shape == (273, 2) and positions.min() == 0.0 and positions.max() == 1.0


def test_signal_is_that_of_the_recording(whole, real):
    data = load(whole).recordings[1].read()
    assert data.shape == (trees.TRIALS * trees.PER_TRIAL, 273) and data.dtype == np.float32
    raw = open_raw(real)
    place = raw.ch_names.index("MLC11-4304")
    expected = raw.get_data([place], 0, trees.PER_TRIAL)[0] * 1e15
    np.testing.assert_allclose(data[: trees.PER_TRIAL, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(data[trees.PER_TRIAL : 2 * trees.PER_TRIAL], data[: trees.PER_TRIAL])


def test_word_lists_when_asked_for(whole):
    study = load_study("schoffelen2019", whole, "all")
    conditions = [(s.sequence, s.condition) for s in study.recordings[0].of_kind("sound")]
    assert conditions == [("1", "sentence"), ("2", "sentence"), ("3", "word_list"), ("4", "sentence")]
    with pytest.raises(StudyError, match="no selection 'wordlists'"):
        load(whole, "wordlists")


def test_blocks_are_the_numbered_sentences(whole):
    study = load(whole)
    blocks = divide(study, study.recordings[0], rule="reference", min_block_s=6.0)
    assert [block.uid for block in blocks] == ["1", "2", "4"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("stimuli/stimuli.txt", "stimuli.txt is missing"),
        ("stimuli/audio_files", "audio_files is missing"),
        ("sourcedata/meg_task", "meg_task is missing"),
        ("derivatives/phonemes", "derivatives.zip"),
        (
            f"derivatives/phonemes/{trees.STEM.format(2)}.TextGrid",
            f"{trees.STEM.format(2)}.TextGrid is missing",
        ),
        (f"stimuli/audio_files/{trees.STEM.format(4)}.wav", f"{trees.STEM.format(4)}.wav is missing"),
        ("sourcedata/meg_task/20120302-A2003-MEG-MOUS-Aud.log", "holds no log of A2003"),
        ("sub-A2002/meg/testdata_ctf_short_discontinuous.ds", "holds no recording of the task"),
    ],
)
def test_an_incomplete_tree_names_what_is_missing(tree, missing, said):
    (tree / missing).rename(tree / "elsewhere")
    with pytest.raises(StudyError) as caught:
        load(tree)
    assert said in str(caught.value)


def test_a_tree_of_readers_only(tmp_path, real):
    root = trees.write_tree(tmp_path, real, ())
    (root / "sub-V1001" / "meg").mkdir(parents=True)
    with pytest.raises(StudyError, match=r"no subject who listened.*sub-V1001: read the sentences"):
        load(root)


def test_a_log_of_somebody_else_does_not_fit(tree):
    log = tree / "sourcedata" / "meg_task" / "20120302-A2002-MEG-MOUS-Aud.log"
    rng = np.random.default_rng(3)
    rows = [(t + rng.uniform(0, 0.9) * (kind == "Picture"), kind, code) for t, kind, code in trees.log_rows()]
    replaced(log, trees.log_text(sorted(rows)))
    with pytest.raises(StudyError, match=r"sub-A2002: . of 8 triggers lie within 0.05 s"):
        load(tree)


def test_a_sound_shorter_than_what_is_said(tree):
    path = tree / "stimuli" / "audio_files" / f"{trees.STEM.format(2)}.wav"
    path.unlink()
    trees.write_wav(path, 0.5)
    with pytest.raises(StudyError, match=r"lasts 0.500 s, its TextGrid has the word 'appel' until 0.950 s"):
        load(tree)


def test_another_number_of_sensors(whole, monkeypatch):
    monkeypatch.setattr("offline.studies.schoffelen2019.N_CHANNELS", 275)
    with pytest.raises(StudyError, match="has 273 MEG channels, the study 275"):
        load(whole)


def test_trigger_channel_is_read_as_mne_reads_it(whole):
    ds = next((whole / "sub-A2002" / "meg").glob("testdata*.ds"))
    raw = open_raw(ds)
    ours = read_counts(ds, [raw.filenames[0]], trees.TRIGGER, trees.CHANNELS, raw.n_times)
    np.testing.assert_array_equal(ours, raw.get_data([trees.TRIGGER])[0])
    samples, codes = onsets(ours, (10, 20))
    assert codes == [10, 20, 20, 10, 20, 10, 20, 20] and samples[0] == 600
    with pytest.raises(StudyError, match="its header says 356 channels, 300 were expected"):
        read_counts(ds, [raw.filenames[0]], 0, 300, raw.n_times)


# ── logs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_log_rows_and_their_times(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(trees.log_text(), "cp1252", newline="")
    rows = read_log(path)
    assert len(rows) == len(trees.log_rows())
    assert rows[0].code == "ZINNEN" and rows[0].time_s == pytest.approx(100.5, abs=1e-3)
    assert rows[0].duration_s == pytest.approx(0.125)  # 1250 units of 0.1 ms
    response = next(row for row in rows if row.kind == "Response")
    assert response.duration_s is None and "RT" not in response.fields
    assert (
        rows[0].fields["RT"] == "0" and rows[0].fields["ReqDur"] == "next"
    )  # from the stimulus table, the event


def test_a_doubled_scenario_is_read_once(tmp_path):
    for copies in (1, 2):
        (tmp_path / f"{copies}.log").write_text(trees.log_text(copies=copies), "cp1252", newline="")
    assert read_log(tmp_path / "1.log") == read_log(tmp_path / "2.log")


def test_stray_full_stops_do_not_break_rows(tmp_path):
    text = trees.log_text()
    broken = text.replace("\tFIX\t", "\tFIX.\n\t", 1).replace("\r\nA2002\t5\t", "\r\n.\r\nA2002\t5\t")
    assert broken.count("\n") == text.count("\n") + 2
    for name, content in (("a", text), ("b", broken)):
        (tmp_path / f"{name}.log").write_text(content, "cp1252", newline="")
    clean, mended = read_log(tmp_path / "a.log"), read_log(tmp_path / "b.log")
    assert [row.time_s for row in mended] == [row.time_s for row in clean]
    assert {row.code for row in mended} == {row.code for row in clean} | {"FIX."}
    assert condition_of("FIX.") == "fix"


@pytest.mark.parametrize(
    ("text", "said"), [("", "no table of events"), ("Trial\tCode\tTime\n\n1\tFIX\tsoon\n", "soon")]
)
def test_what_is_no_log(tmp_path, text, said):
    (tmp_path / "a.log").write_text(text)
    with pytest.raises(StudyError, match=said):
        read_log(tmp_path / "a.log")


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────


def clocks(seed=0, n=60):
    """Codes and times of a session, on the recording's clock and on the log's."""
    rng = np.random.default_rng(seed)
    codes = [10 if i % 6 == 0 else 20 for i in range(n)]
    heard = np.cumsum(rng.uniform(3, 9, n))
    return codes, heard, 500.0 + heard * 1.0001


@pytest.mark.parametrize("lost", [(), (3,), (14, 15, 40), (0, 1, 2), (57, 58, 59)])
def test_missing_triggers_do_not_shift_the_others(lost):
    codes, heard, logged = clocks()
    kept = [i for i in range(len(codes)) if i not in lost]
    clock = align("x", codes, logged, [codes[i] for i in kept], heard[kept])
    assert clock.unmatched == (len(lost), 0) and len(clock.log_s) == len(kept)
    np.testing.assert_allclose(clock.recording_s, heard[kept])
    np.testing.assert_allclose(clock.log_s, logged[kept])
    between = (logged[kept[5]] + logged[kept[6]]) / 2
    assert clock(between) == pytest.approx((heard[kept[5]] + heard[kept[6]]) / 2, abs=1e-6)
    assert clock(logged[kept[-1]] + 0.1) is None


def test_rows_that_are_no_trigger_and_triggers_that_were_not_logged():
    codes, heard, logged = clocks()
    extra = np.sort(np.append(heard, [20.0, 100.0]))
    extra_codes = [20 if t in (20.0, 100.0) else codes[int(np.searchsorted(heard, t))] for t in extra]
    clock = align("x", codes, logged, extra_codes, extra)
    assert clock.unmatched == (0, 2) and clock.worst_s < 1e-6


def test_a_trigger_stands_for_one_row_of_the_log():
    codes, heard, logged = clocks()
    twice = np.insert(logged, 21, logged[20] + 0.02)  # a row written twice
    clock = align("x", [*codes[:21], codes[20], *codes[21:]], twice, codes, heard)
    assert clock.unmatched == (1, 0) and len(set(clock.recording_s)) == len(clock.recording_s) == 60


def test_a_log_that_runs_backwards_is_refused():
    codes, heard, logged = clocks()
    second = logged.copy()
    second[40:] -= 1000.0  # a second session, its clock begun anew
    with pytest.raises(StudyError, match=r"rank correlation 0\.\d+|rank correlation -0\.\d+"):
        align("x", codes, second, codes, heard)


def test_too_few_common_triggers_are_refused():
    codes, heard, logged = clocks()
    with pytest.raises(StudyError, match="0 of the 60 triggers of the log are among the 60"):
        align("x", codes, logged, [1] * 60, heard)
    with pytest.raises(StudyError, match="0 of the 0"):
        align("x", [], [], codes, heard)


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_sentences_are_found_by_their_beginning(tmp_path):
    path = tmp_path / "stimuli.txt"
    path.write_bytes(
        "12 De man die ’s avonds laat in zijn kleine café een biertje drinkt, lacht.\r\n13\tJa.\r\n".encode(
            "cp1252"
        )
    )
    numbers = read_numbers(path)
    whole = "de man die ’s avonds laat in zijn kleine café een biertje schenkt"
    assert numbers.keys() == {12, 13}
    assert find_number(numbers, whole, 1) == 12  # only the first 45 characters count
    assert find_number(numbers, "De man die ’s avonds", 1) == 12  # a transcript cut short
    assert find_number(numbers, "De man die overdag", 1) is None
    assert find_number(numbers, "J", 1) is None  # too short to stand for more
    path.write_text("nothing numbered\n")
    with pytest.raises(StudyError, match="no numbered sentence"):
        read_numbers(path)
