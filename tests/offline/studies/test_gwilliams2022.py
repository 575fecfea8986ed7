"""MEG-MASC: both schemas of its tables, its sounds, its sensors, and trees that are not it."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from offline.split import assert_no_leak, divide, leaks, without_leaks
from offline.studies import load_study
from offline.studies.gwilliams2022 import SOURCE, load
from offline.studies.kit import open_kit
from offline.studies.masc_events import read_events, stimulus_id
from rtdecode.errors import StudyError
from tests.offline.studies import trees_masc as trees

COUNTS = {
    0: {"sound": 4, "word": 668, "phoneme": 2462},
    1: {"sound": 6, "word": 1503, "phoneme": 5113},
}


@pytest.fixture
def kit(data_dir):
    """A real KIT file: 157 sensors, three references."""
    return data_dir / "meg-kit-umd" / "test_umd-raw.sqd"


@pytest.fixture
def tree(tmp_path, kit):
    trees.add(tmp_path, kit)
    trees.add(tmp_path, kit, subject="sub-12", session="ses-1", rows=trees.story(1.25), flat=False)
    return tmp_path


@pytest.fixture(scope="module")
def real(tmp_path_factory, data_dir):
    """Two tasks of two subjects with their real tables."""
    root, annotations = tmp_path_factory.mktemp("masc"), data_dir / "meg-masc-annotations"
    for subject in ("sub-01", "sub-12"):
        for task, seconds in ((0, 400.0), (1, 740.0)):
            sensors = data_dir / "meg-kit-umd" / "test_umd-raw.sqd"
            trees.add_real(root, annotations, sensors, subject, task, seconds)
    for stimulus, seconds in [(f"lw1_{i}", 120.0) for i in range(4)] + [
        (f"cable_spool_fort_{i}", 180.0) for i in range(6)
    ]:
        trees.write_wave(root / "stimuli" / "audio" / f"{stimulus}.wav", seconds)
    return load_study("gwilliams2022", root)


@pytest.mark.parametrize("subject", ["sub-01", "sub-12"])
@pytest.mark.parametrize("task", [0, 1])
def test_the_real_tables_have_as_many_events_as_published(data_dir, subject, task):
    folder = data_dir / "meg-masc-annotations" / subject / "ses-0" / "meg"
    rows = read_events(folder / f"{subject}_ses-0_task-{task}_events.tsv")
    assert len(rows) == {0: 3134, 1: 6622}[task]
    assert Counter(row.kind for row in rows) == COUNTS[task]
    conditions = Counter(row.condition for row in rows if row.kind == "word")
    assert conditions == ({"sentence": 613, "word_list": 54, "pseudo_words": 1} if task == 0 else
                          {"sentence": 1383, "word_list": 120})  # fmt: skip


def test_both_schemas_say_the_same_of_a_story(real):
    assert [r.name for r in real.recordings] == [
        f"sub-{s}_ses-0_task-{t}" for s in ("01", "12") for t in (0, 1)
    ]
    flat, dicts = real.recordings[1], real.recordings[3]
    assert len(flat.events) == 6622 + 126 and len(flat.labels) == 157 and flat.session == "0"
    for kind in ("word", "phoneme", "sentence"):
        said = [
            [(e.text, e.stimulus, round(e.offset, 2), e.sequence, e.index, e.condition, e.language)
             for e in recording.of_kind(kind)]
            for recording in (flat, dicts)
        ]  # fmt: skip
        assert said[0] == said[1]
    sounds = [e.stimulus for e in flat.of_kind("sound")]
    assert sounds == [f"cable_spool_fort_{i}" for i in range(6)]
    stops = [(one.stop, after.start) for one, after in pairwise(flat.of_kind("sound"))]
    assert all(stop <= start for stop, start in stops)  # the files are longer than they are heard here
    assert len(real.sounds) == 10 and all(
        e.stimulus in real.sounds for r in real.recordings for e in r.events
    )


def test_words_are_where_their_sound_has_them(real):
    for recording in real.recordings:
        sounds = {e.stimulus: e for e in recording.of_kind("sound")}
        for word in recording.of_kind("word"):
            assert word.start - sounds[word.stimulus].start == pytest.approx(word.offset, abs=0.002)


def test_by_sentence_the_real_stories_do_not_leak_between_subjects(real):
    divided = [(r.name, r.events, divide(real, r, rule="sentence", min_block_s=6.0)) for r in real.recordings]
    assert_no_leak(divided)
    assert {b.split for _, _, blocks in divided for b in blocks} == {"train", "valid", "test"}


def test_the_published_rule_leaks_on_the_real_stories_and_can_be_mended(real):
    divided = [
        (r.name, r.events, divide(real, r, rule="reference", min_block_s=6.0)) for r in real.recordings
    ]
    assert any("'what'" in line or "'hey roy'" in line or "'roy'" in line for line in leaks(divided))
    kept = without_leaks(divided)
    assert_no_leak((name, events, kept[name]) for name, events, _ in divided)
    for name, _, blocks in divided:
        assert [b for b in kept[name] if b.split == "test"] == [b for b in blocks if b.split == "test"]


def test_a_recording_and_its_words(tree):
    study = load(tree)
    one, other = study.recordings
    assert (one.subject, one.session, other.subject, other.session) == ("sub-01", "0", "sub-12", "1")
    assert (one.sfreq, one.unit, len(one.labels), one.labels[0]) == (1000.0, "femtotesla", 157, "MEG 001")
    assert {"MEG 158", "MISC 001"}.isdisjoint(one.labels)  # the references and the rest
    data = one.read()
    assert data.shape == (6000, 157) and np.flatnonzero(data.any(axis=1)).tolist() == [1310]
    words = list(one.of_kind("word"))
    assert [w.text for w in words] == ["Tara", "stood", "What", "tiny", "ro"]  # 'mute' was not pronounced
    assert (words[0].start, words[0].offset, words[0].stimulus) == (1.31, 0.31, "lw1_0")
    assert [(w.sequence, w.index, w.condition) for w in words[1:]] == [
        ("Tara stood", 1, "sentence"), ("What", 0, "sentence"),
        ("tiny ro", 4, "word_list"), ("tiny ro", 5, "pseudo_words"),
    ]  # fmt: skip
    assert [w.start - 0.25 for w in other.of_kind("word")] == pytest.approx([w.start for w in words])
    sound = next(one.of_kind("sound"))
    assert (sound.start, sound.duration) == (1.0, 4.0) and len(study.audio("lw1_0")[0]) == 4000
    places = np.array(one.positions)
    np.testing.assert_allclose([places.min(axis=0), places.max(axis=0)], [[0, 0], [1, 1]])


def test_the_names_of_sounds_are_mended():
    assert stimulus_id("stimuli/audio/The_Black_Willow_10.0.wav") == "the_black_willow_10"
    assert stimulus_id("stimuli/audio/lw1_0.wav") == "lw1_0"


def test_the_head_is_read_when_all_of_it_is_there(tmp_path, kit, data_dir):
    real = data_dir / "meg-masc-annotations" / "sub-12" / "ses-0" / "meg"
    start = trees.add(tmp_path, kit, subject="sub-12")
    files = [start.with_name("sub-12_ses-0_task-0_markers.mrk")]
    files += [start.with_name(f"sub-12_ses-0_acq-{part}_headshape.pos") for part in ("ELP", "HSP")]
    con = start.with_name(f"{start.name}_meg.con")
    assert open_kit(con, *files).info["dev_head_t"]["trans"][3].tolist() == [0, 0, 0, 1]
    for part, path in zip(("ELP", "HSP"), files[1:], strict=True):
        path.write_bytes((real / f"sub-12_ses-0_acq-{part}_headshape.pos").read_bytes())
    assert not open_kit(con, *files).info["dig"]
    coils = np.array([[-70, 15, -9], [69, 12, -4], [0, 113, 24], [-41, 97, 33], [38, 97, 26]]) / 1000
    trees.write_markers(files[0], coils)
    info = open_kit(con, *files).info
    points = np.array([point["r"] for point in info["dig"]])
    assert len(points) > 1000 and np.abs(points).max() < 0.4  # metres
    assert not np.allclose(info["dev_head_t"]["trans"], np.eye(4))
    assert load(tmp_path).recordings[0].files[3:] == tuple(files)
    trees.write_points(files[2], np.ones((3, 3))[:, :2])
    with pytest.raises(StudyError, match=r"HSP_headshape.pos holds an array \(3, 2\)"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("sub-12/ses-1/meg/sub-12_ses-1_task-0_meg.con", "task-0_meg.con is missing"),
        ("sub-01/ses-0/meg/sub-01_ses-0_task-0_events.tsv", "sub-01_ses-0_task-0_events.tsv is missing"),
        ("sub-01/ses-0/meg/sub-01_ses-0_task-0_channels.tsv", "task-0_channels.tsv is missing"),
        ("stimuli/audio/lw1_0.wav", "needs the sound 'lw1_0': lw1_0.wav is missing"),
    ],
)
def test_an_incomplete_tree_names_what_is_missing(tree, gone, said):
    (tree / gone).unlink()
    with pytest.raises(StudyError, match=said):
        load(tree)


def test_a_tree_without_recordings_or_sounds_says_so(tmp_path):
    with pytest.raises(StudyError, match=r"there is no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(StudyError, match=r"stimuli/audio is missing"):
        load(tmp_path)
    (tmp_path / "stimuli" / "audio").mkdir(parents=True)
    with pytest.raises(StudyError, match=r"holds no recording"):
        load(tmp_path)


def test_recordings_that_differ_are_refused(tree, data_dir):
    other = data_dir / "meg-formats-mne" / "KIT" / "MQKIT_125_2sec.con"
    trees.add(tree, other, subject="sub-13")
    with pytest.raises(
        StudyError, match=r"sub-13_ses-0_task-0 has 125 channels, sub-01_ses-0_task-0 has 157"
    ):
        load(tree)
    trees.write_channels(tree / "sub-13/ses-0/meg/sub-13_ses-0_task-0_channels.tsv", tree.joinpath(
        "sub-01/ses-0/meg/sub-01_ses-0_task-0_meg.con"))  # fmt: skip
    with pytest.raises(
        StudyError, match=r"channels.tsv lists 157 sensors, sub-13_ses-0_task-0_meg.con has 125"
    ):
        load(tree)


def test_a_recording_or_a_sound_that_ends_early_is_refused(tree, kit):
    con = tree / "sub-01/ses-0/meg/sub-01_ses-0_task-0_meg.con"
    trees.write_kit(con, kit, 3.0)
    with pytest.raises(
        StudyError, match=r"'tiny ro' lasts from 2.810 s to 3.710 s, the recording from 0 to 3.000"
    ):
        load(tree)
    trees.write_kit(con, kit, 6.0)
    with con.open("r+b") as file:
        file.truncate(con.stat().st_size - 1000)
    with pytest.raises(StudyError, match=r"meg.con holds 5997 samples, its header says 6000"):
        load(tree)
    trees.write_kit(con, kit, 6.0)
    trees.write_wave(tree / "stimuli" / "audio" / "lw1_0.wav", 2.0)
    with pytest.raises(StudyError, match=r"lw1_0.wav lasts 2.000 s, phoneme 't_B' .* ends at 2.210 s"):
        load(tree)
    con.write_bytes(b"not a KIT file" * 10)
    with pytest.raises(StudyError, match=r"cannot read .*meg.con"):
        load(tree)


@pytest.mark.parametrize("flat", [True, False])
def test_a_table_that_is_wrong_names_the_line(tmp_path, kit, flat):
    rows = trees.story()
    rows[3], rows[4] = rows[4], {**rows[3], "onset": 0.5}
    trees.add(tmp_path, kit, rows=rows, flat=flat)
    with pytest.raises(StudyError, match=r"line 6: events out of order: 0.500 s comes after 1.810 s"):
        load(tmp_path)
    rows[4] = {**rows[4], "onset": 1.81, "kind": "noise"}
    trees.add(tmp_path, kit, rows=rows, flat=flat)
    with pytest.raises(StudyError, match=r"line 6 is not an event: .*kind 'noise'"):
        load(tmp_path)


def test_what_a_table_says_is_never_run(tmp_path, kit):
    table = trees.add(tmp_path, kit, flat=False).with_name("sub-01_ses-0_task-0_events.tsv")
    header = "onset\tduration\ttrial_type\tvalue\tsample\n"
    for said in ("{'kind': open('/tmp/never', 'w')}", "{'kind': " + "(" * 3000 + "}", "{1, 2}", "{" * 5000):
        table.write_text(f"{header}1.0\t0.1\t{said}\t1\t1000\n")
        with pytest.raises(StudyError, match=r"line 2 is not an event"):
            load(tmp_path)
    table.write_text(header)
    with pytest.raises(StudyError, match=r"holds no events"):
        load(tmp_path)


def test_the_source_needs_no_register():
    assert SOURCE.register == "" and {part.kind for part in SOURCE.parts} == {"osf"}
