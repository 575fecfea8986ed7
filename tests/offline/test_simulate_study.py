"""The study on disk: what is written is what is loaded, whole or not at all, and no held-out sentence is
trained on.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import pyxdf

from offline.simulate import build
from offline.simulate.build import simulate
from offline.simulate.text import sentences
from offline.studies.simulated import load
from offline.study import assert_disjoint
from rtdecode.errors import StudyError

SMALL = {
    "subjects": 2,
    "minutes_train": 0.5,
    "minutes_valid": 0.25,
    "minutes_test": 0.4,
    "gain": 30.0,
    "recombined": 5,
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "book.txt"
    path.write_text(".\n".join(sentences()[:70]))
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory, book):
    return simulate(tmp_path_factory.mktemp("study") / "sim", text=book, **SMALL)


def test_loads_whole(root):
    study = load(root)
    assert study.name == "simulated" and study.gain == 30 and study.subjects == ("sub-01", "sub-02")
    assert [r.split for r in study.select("test")] == ["test", "test"] and len(study.recordings) == 6
    for recording in study.recordings:
        data = recording.read()
        assert data.dtype == np.float32 and data.shape[1] == len(recording.labels) == 32
        last = max(event.start + event.duration for event in recording.events)
        assert last < len(data) / recording.sfreq
    assert set(study.facts["sentences"]["test"]) == {
        e.text for r in study.select("test") for e in r.of_kind("sentence")
    }


def test_events_lie_inside_their_sounds_and_sounds_are_there(root):
    study = load(root)
    for recording in study.recordings:
        sentence_at = None
        for event in recording.events:
            samples, sfreq = study.audio(event.stimulus)
            assert event.offset + event.duration <= len(samples) / sfreq + 0.01
            if event.kind == "sentence":
                sentence_at = event
            assert (
                abs(event.start - event.offset - sentence_at.start) < 1e-5
                and event.stimulus == sentence_at.stimulus
            )
        starts = [event.start for event in recording.of_kind("word")]
        assert starts == sorted(starts)
        for event in recording.of_kind("word"):
            assert event.sequence.split()[event.index] == event.text
        words = " ".join(event.text for event in recording.of_kind("word"))
        assert words == " ".join(event.text for event in recording.of_kind("sentence"))
        gaps = [
            b.start - a.start - a.duration
            for a, b in zip(
                [*recording.of_kind("sentence")], [*recording.of_kind("sentence")][1:], strict=False
            )
        ]
        assert all(0.24 < gap < 0.61 for gap in gaps)


def test_markers_in_the_recording_equal_the_events(root):
    recording = load(root).recordings[0]
    streams, _ = pyxdf.load_xdf(str(recording.path), dejitter_timestamps=False)
    eeg, markers = streams
    events = [event for event in recording.events if event.kind != "phoneme"]
    stamps = np.asarray(markers["time_stamps"]) - eeg["time_stamps"][0]
    assert np.allclose(stamps, [event.start for event in events], atol=1e-5)
    first = json.loads(markers["time_series"][0][0])
    assert (
        first["kind"] == "sentence"
        and first["text"] == events[0].text
        and first["stimulus"] == events[0].stimulus
    )


def test_subjects_hear_other_orders_and_answer_differently(root):
    one, two = load(root).select("test")
    assert [e.text for e in one.of_kind("sentence")] != [e.text for e in two.of_kind("sentence")]
    assert not np.allclose(one.read(), two.read())


def test_same_arguments_same_files(root, tmp_path, book):
    again = simulate(tmp_path / "again", text=book, **SMALL)
    for path in root.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(root)).read_bytes(), path.name


def test_a_full_directory_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(StudyError, match="not empty"):
        simulate(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_on_the_way_leaves_nothing(tmp_path, book, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(build, "_write_wav", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate(tmp_path / "sim", text=book, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_refuses_no_subjects_negative_gain_and_no_minutes(tmp_path):
    for change in ({"subjects": 0}, {"gain": -1.0}, {"minutes_valid": 0.0}):
        with pytest.raises(StudyError, match="positive"):
            simulate(tmp_path / "sim", **{**SMALL, **change})


def test_too_short_a_text_for_the_test_minutes(tmp_path, book):
    with pytest.raises(StudyError, match="held-out sentences last"):
        simulate(tmp_path / "sim", text=book, **{**SMALL, "minutes_test": 30.0})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "missing", ["study.json", "recordings/sub-01_run-02.xdf", "recordings/sub-02_run-01.events.tsv"]
)
def test_incomplete_tree_names_the_missing_file(root, tmp_path, missing):
    shutil.copytree(root, tmp_path / "copy")
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(StudyError, match=missing.rsplit("/")[-1]):
        load(tmp_path / "copy")


def test_wrong_description_and_cut_recording(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    facts = json.loads((copy / "study.json").read_text())
    for change, message in (({"schema": 9}, "schema 9"), ({"labels": None}, "labels")):
        changed = {**facts, **change}
        if changed["labels"] is None:
            del changed["labels"]
        (copy / "study.json").write_text(json.dumps(changed))
        with pytest.raises(StudyError, match=message):
            load(copy)
    (copy / "study.json").write_text("{")
    with pytest.raises(StudyError, match="not JSON"):
        load(copy)
    path = load(root).recordings[0].path
    (copy / "cut.xdf").write_bytes(path.read_bytes()[:200])
    with pytest.raises(StudyError, match=r"cut\.xdf"):
        replace(load(root).recordings[0], path=copy / "cut.xdf").read()


def test_a_leak_between_splits_is_refused(root):
    study = load(root)
    train, test = study.select("train")[0], study.select("test")[0]
    leaking = replace(train, events=train.events + tuple(test.of_kind("sentence"))[:1])
    with pytest.raises(StudyError, match="both train and test"):
        assert_disjoint(replace(study, recordings=(leaking, test)))
    with pytest.raises(StudyError, match="no stimulus"):
        study.audio("nothing")
