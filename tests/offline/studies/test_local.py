"""One's own recordings: plain folders and BIDS, every kind of file at hand, and tables that are wrong."""

import shutil

import numpy as np
import pytest

from offline.split import divide
from offline.studies import load_study
from offline.studies.local import load
from offline.studies.local_files import Signal
from offline.study import UNKNOWN_POSITION
from rtdecode.errors import StudyError
from rtdecode.recordings import read
from tests.offline.studies import trees_local as trees


@pytest.fixture
def flat(tmp_path):
    return trees.write_flat(tmp_path / "mine")


def changed(line, **values):
    """The story with something else in a line of its table (the first event is in line 2)."""
    rows = [dict(row) for row in trees.STORY]
    rows[line - 2].update(values)
    return rows


# ── what a table of events says ─────────────────────────────────────────────────────────────────────────────


def test_events_of_a_plain_folder(flat):
    study = load_study("local", flat)
    assert study.subjects == ("p01", "p02") and [r.name for r in study.recordings] == [
        "p01_story",
        "p02_story",
    ]
    recording = study.recordings[0]
    kinds = [event.kind for event in recording.events]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "phoneme": 1, "sentence": 3, "sound": 2, "word": 6,
    }  # fmt: skip
    assert study.facts["passed_over"]["p01_story"] == {"button": 1}
    assert study.sounds == {name: flat / "stimuli" / f"{name}.wav" for name in ("one", "two")}


def test_what_a_table_does_not_say_follows_from_what_is_playing(flat):
    recording = load(flat).recordings[0]
    first, second = recording.of_kind("sound")
    assert (first.start, first.duration, first.offset) == (1.0, pytest.approx(4.0), 0.0)
    assert (second.start, second.duration, second.offset, second.stimulus) == (6.0, 3.0, 0.5, "two")
    words = list(recording.of_kind("word"))
    assert [w.stimulus for w in words] == ["one"] * 3 + ["two"] * 3
    assert [w.offset for w in words] == pytest.approx([0.2, 0.7, 1.2, 1.0, 1.5, 2.5])
    # the first three are in the sentence of the table; after 'another' there is a pause of 0.6 s
    assert [w.sequence for w in words] == ["a first sentence"] * 3 + ["then another"] * 2 + ["third"]
    assert [w.index for w in words] == [0, 1, 2, 0, 1, 0]
    phoneme = next(recording.of_kind("phoneme"))
    assert (phoneme.sequence, phoneme.index, phoneme.stimulus) == ("a first sentence", 0, "one")
    assert [s.text for s in recording.of_kind("sentence")] == ["a first sentence", "then another", "third"]


def test_what_a_table_says_itself_is_kept(flat):
    rows = changed(4, sequence="s7", index=3, condition="word_list", offset=0.25, stimulus="one")
    trees.write_events(flat / "p01_story.events.tsv", rows)
    word = next(load(flat).recordings[0].of_kind("word"))
    assert (word.sequence, word.index, word.condition, word.offset) == ("s7", 3, "word_list", 0.25)


def test_it_can_be_divided(flat):
    study = load(flat)
    for rule in ("reference", "sentence"):
        blocks = divide(study, study.recordings[0], rule=rule, min_block_s=2.0)
        assert blocks[0].start == 0.0 and blocks[-1].stop == float("inf")
        assert blocks == divide(study, study.recordings[1], rule=rule, min_block_s=2.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            changed(5, onset=0.5),
            r"line 5 of .*p01_story.events.tsv starts at 0.5 s, the line before it at 1.2 s",
        ),
        (
            changed(12, duration=9.0),
            r"line 12 .* lasts from 8.000 s to 17.000 s, the recording from 0 to 12.000",
        ),
        (changed(4, onset="NaN"), r"line 4 .* has the onset 'NaN', expected a number"),
        (changed(4, onset="soon"), r"line 4 .* has the onset 'soon'"),
        (changed(4, duration="n/a"), r"line 4 .* has the duration 'n/a'"),
        (changed(4, duration=-1), r"line 4 .* has the duration -1 s"),
        (changed(4, value="n/a"), r"line 4 .* is a word without a value"),
        (changed(4, index=1.5), r"line 4 .* has the index '1.5'"),
        (changed(2, stimulus="n/a"), r"line 2 .* is a sound without a stimulus"),
        (changed(2, stimulus="ones.wav"), r"names the stimulus 'ones.wav'.*did you mean one\?"),
        (changed(2, duration=5.0), r"plays 'one' from 0 s for 5 s, the file ends after 4.000 s"),
        (changed(2, onset=-9), r"line 2 .* lasts from -9.000 s to -5.000 s, the recording from 0"),
        (changed(4, stimulus="two"), r"line 4 .* names 'two', which is not being played, without an offset"),
        (
            changed(4, stimulus="two", offset=3.9),
            r"lasts until 4.300 s of 'two', the file ends after 4.000 s",
        ),
        ([row for row in trees.STORY if row["trial_type"] == "button"], "no row with trial_type 'sound'"),
    ],
)
def test_wrong_tables_are_refused_in_a_sentence(flat, rows, said):
    trees.write_events(flat / "p01_story.events.tsv", rows)
    with pytest.raises(StudyError, match=said) as caught:
        load(flat)
    assert "\n" not in str(caught.value)


def test_a_missing_column(flat):
    columns = [column for column in trees.COLUMNS if column != "trial_type"]
    trees.write_tsv(flat / "p01_story.events.tsv", columns, trees.STORY)
    with pytest.raises(
        StudyError, match=r"p01_story.events.tsv has no column 'trial_type' \(its columns: onset"
    ):
        load(flat)


def test_a_table_that_is_no_text(flat):
    (flat / "p01_story.events.tsv").write_bytes(b"\xff\xfe\x00onset")
    with pytest.raises(StudyError, match="cannot read the events table"):
        load(flat)


# ── which files there are ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("stimuli", r"stimuli is missing \(put the sounds"),
        ("p02_story.events.tsv", "p02_story.vhdr has no table of events p02_story.events.tsv"),
        ("p02_story.vhdr", r"p02_story.events.tsv has no recording p02_story\.\* beside it"),
        ("p02_story.eeg", "cannot read .*p02_story.vhdr"),
    ],
)
def test_what_is_missing_is_named(flat, missing, said):
    (flat / missing).rename(flat.parent / "elsewhere")
    with pytest.raises(StudyError, match=said):
        load(flat).recordings[1].read()


def test_an_empty_folder(tmp_path):
    with pytest.raises(StudyError, match="stimuli is missing"):
        load(tmp_path)
    trees.write_sounds(tmp_path)
    with pytest.raises(StudyError, match="holds no recording with a table of events"):
        load(tmp_path)
    with pytest.raises(StudyError, match="there is no folder"):
        load(tmp_path / "none")


def test_recordings_tsv_says_who_was_recorded(flat):
    columns = ("recording", "subject", "session", "split")
    rows = [{"recording": "p02_story", "subject": "anna", "session": "2", "split": "test"}]
    trees.write_tsv(flat / "recordings.tsv", columns, rows)
    one, other = load(flat).recordings
    assert (one.subject, one.session, one.split) == ("p01", "", "")
    assert (other.subject, other.session, other.split) == ("anna", "2", "test")
    trees.write_tsv(flat / "recordings.tsv", columns, [{"recording": "p03_story"}])
    with pytest.raises(StudyError, match=r"line 2 of .* names the recording 'p03_story'.*did you mean"):
        load(flat)
    trees.write_tsv(flat / "recordings.tsv", columns, [{"recording": "p01_story", "split": "tset"}])
    with pytest.raises(StudyError, match=r"the split 'tset' \(did you mean test\?\)"):
        load(flat)


def test_recordings_that_differ(flat):
    trees.write_brainvision(flat, "p03_story", ("Fz", "Cz", "Pz", "Oz", "C3", "T8", "VEOG"))
    trees.write_events(flat / "p03_story.events.tsv")
    with pytest.raises(StudyError, match="p03_story has the channel 'T8' where p01_story has 'C4'"):
        load(flat)
    for path in flat.glob("p03_story.*"):
        if path.suffix != ".tsv":
            path.unlink()
    trees.write_brainvision(flat, "p03_story", sfreq=500)
    with pytest.raises(StudyError, match="p03_story was recorded at 500 Hz, p01_story at 250 Hz"):
        load(flat)


def test_bids(tmp_path):
    study = load(trees.write_bids(tmp_path))
    assert [(r.name, r.subject, r.session) for r in study.recordings] == [
        ("sub-01_ses-a_task-story", "sub-01", "a"),
        ("sub-01_ses-b_task-story", "sub-01", "b"),
        ("sub-02_task-story", "sub-02", ""),
    ]
    assert study.licence == "CC0" and study.facts["title"] == "A story"
    assert study.facts["without_events"] == ["sub-02_task-rest"]
    recording = study.recordings[2]
    assert recording.labels == ("Fz", "Cz", "Pz", "Oz", "C3", "C4")  # VEOG is no EEG by channels.tsv
    assert study.facts["bad_channels"]["sub-02_task-story"] == ["Oz"]
    assert recording.positions[:2] == ((0.5, 1.0), (0.5, pytest.approx(2 / 3)))  # electrodes.tsv, from above
    assert recording.positions[4] == (0.0, pytest.approx(2 / 3))
    assert len(list(recording.of_kind("word"))) == 6
    assert {path.name for path in recording.files} >= {
        "sub-02_task-story_eeg.vhdr",
        "sub-02_task-story_eeg.eeg",
        "sub-02_task-story_events.tsv",
        "sub-02_space-CapTrak_electrodes.tsv",
    }
    data = recording.read()
    np.testing.assert_allclose(data[0], 10.0 * np.arange(6), atol=1e-3)


def test_a_table_of_channels_that_the_recording_does_not_have(tmp_path):
    root = trees.write_bids(tmp_path)
    rows = [{"name": name, "type": "EEG"} for name in ("Fz", "Czz")]
    trees.write_tsv(root / "sub-02/eeg/sub-02_task-story_channels.tsv", ("name", "type"), rows)
    with pytest.raises(StudyError, match=r"names the EEG channel 'Czz', .* \(did you mean Cz"):
        load(root)


def test_electrodes_of_other_channels(tmp_path):
    root = trees.write_bids(tmp_path)
    path = root / "sub-02/eeg/sub-02_space-CapTrak_electrodes.tsv"
    trees.write_tsv(path, ("name", "x", "y"), [{"name": "E1", "x": 0, "y": 1}])
    with pytest.raises(
        StudyError, match=r"places none of the 6 channels, the first of which is 'Fz' \(it names E1"
    ):
        load(root)


# ── kinds of files ──────────────────────────────────────────────────────────────────────────────────────────


def test_places_come_from_standard_names(tmp_path):
    root = trees.write_flat(tmp_path, ("p01_story",))
    trees.write_tsv(
        root / "channels.tsv", ("name", "type"), [{"name": n, "type": "EEG"} for n in trees.LABELS[:6]]
    )
    study = load(root)
    (recording,) = study.recordings
    assert study.facts["positions"] == {"p01_story": "the names, as in standard_1005"}
    places = dict(zip(recording.labels, recording.positions, strict=True))
    assert (
        places["Fz"][1] == 1.0
        and places["Oz"][1] == 0.0
        and places["C3"][0] == 0.0
        and places["C4"][0] == 1.0
    )
    assert UNKNOWN_POSITION not in recording.positions


def placed(root, source, name, rows):
    """A plain folder around one real recording."""
    trees.write_sounds(root)
    for path in source.parent.glob(f"{source.stem}.*"):
        shutil.copyfile(path, root / path.name)
    trees.write_events(root / f"{name}.events.tsv", rows)
    return root


WORD = {"onset": 0.1, "duration": 0.2, "trial_type": "word", "value": "yes"}
SOUND = {"onset": 0.0, "duration": 0.4, "trial_type": "sound", "stimulus": "one"}


def test_brainvision(tmp_path, data_dir):
    source = data_dir / "meg-formats-mne" / "Brainvision" / "test_NO.vhdr"
    study = load(placed(tmp_path, source, "test_NO", [SOUND, WORD]))
    recording = study.recordings[0]
    assert (recording.subject, recording.sfreq, len(recording.labels)) == ("test", 5000.0, 65)
    assert recording.positions == () and study.facts["positions"]["test_NO"] == "nothing"
    np.testing.assert_array_equal(recording.read(), read(source).data)


def test_edf_with_a_table_of_electrodes(tmp_path, data_dir):
    source = data_dir / "seeg-edf" / "sample_seeg.edf"
    root = placed(tmp_path, source, "sample_seeg", [SOUND, WORD, {**WORD, "onset": 19.0}])
    table = root / "sample_seeg.electrodes.tsv"
    shutil.copyfile(source.with_name("sample_seeg_electrodes.tsv"), table)
    study = load(root)
    (recording,) = study.recordings
    assert (recording.sfreq, len(recording.labels)) == (1000.0, 98)
    known = np.array([p for p in recording.positions if p != UNKNOWN_POSITION])
    assert len(known) == 88 and known.min() == 0.0 and known.max() == 1.0
    assert recording.read().shape == (20000, 98)


def test_xdf_of_two_clocks(tmp_path, data_dir):
    source = data_dir / "xdf" / "usbamp_T1_run-001.xdf"
    whole = read(source)
    end = float(whole.stamps[-1] - whole.stamps[0])
    rows = [SOUND, {**SOUND, "onset": end - 3.0, "duration": 2.5}, {**WORD, "onset": end - 2.0}]
    study = load(placed(tmp_path, source, source.stem, rows))
    (recording,) = study.recordings
    assert (recording.sfreq, len(recording.labels)) == (256.0, 16)
    np.testing.assert_array_equal(recording.read(), whole.data)
    # an event is at the sample that was taken then, whatever the amplifier's real rate
    word = next(recording.of_kind("word"))
    sample = int(np.searchsorted(whole.stamps - whole.stamps[0], end - 2.0))
    assert word.start * 256.0 == pytest.approx(sample, abs=1.0)
    assert word.offset == pytest.approx(1.0)


def test_an_amplifier_that_is_slower_than_it_says():
    stamps = np.arange(10_000) / 249.0  # says 250 Hz
    signal = Signal(250.0, ("Cz",), "microvolts", 10_000 / 249, (), "nothing", (), (), stamps)
    assert signal.clock(24.9 / 249 * 100) == pytest.approx(2490 / 250)
    assert signal.clock(-1.0) == pytest.approx(-1.0)  # a sound may have begun before
    assert signal.clock(float(stamps[-1]) + 2.0) == pytest.approx(9_999 / 250 + 2.0)


def test_xdf_with_gaps_and_with_two_streams(tmp_path, data_dir):
    trees.write_sounds(tmp_path)
    source = data_dir / "xdf" / "clock_resets.xdf"
    root = (
        placed(tmp_path / "a", source, "clock_resets", [SOUND]) if (tmp_path / "a").mkdir() is None else None
    )
    with pytest.raises(StudyError, match=r"clock_resets.xdf has \d+ gaps?, \d+ pieces of signal"):
        load(root)
    source = data_dir / "xdf" / "muse_P001_old.xdf"
    (tmp_path / "b").mkdir()
    root = placed(tmp_path / "b", source, "muse_P001_old", [SOUND, WORD])
    with pytest.raises(StudyError, match=r"column stream of recordings\.tsv"):
        load(root)
    trees.write_tsv(
        root / "recordings.tsv", ("recording", "stream"), [{"recording": "muse_P001_old", "stream": "EEG"}]
    )
    (recording,) = load(root).recordings
    assert recording.sfreq == 256.0
    np.testing.assert_array_equal(recording.read(), read(source, "EEG").data)


def test_a_trial_of_the_cocktail_party(tmp_path, data_dir):
    source = data_dir / "eeg-cocktail-party" / "1_1.mat"
    study = load(placed(tmp_path, source, "1_1", [SOUND, WORD]))
    (recording,) = study.recordings
    assert (recording.sfreq, recording.unit, len(recording.labels)) == (128.0, "microvolts", 130)
    assert study.facts["positions"]["1_1"] == "the names, as in biosemi128"
    assert sum(position == UNKNOWN_POSITION for position in recording.positions) == 2  # the mastoids
