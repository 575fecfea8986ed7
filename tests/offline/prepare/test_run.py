"""Prepared once, kept while nothing changes, redone when something does, never half there."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest

from offline.prepare import recording as recording_module
from offline.prepare.run import Prepared, begin, prepare_recording, prepare_study, split_tables
from offline.prepare.settings import PrepareSettings
from offline.prepare.signal import prepared_signal
from offline.prepare.store import open_prepared
from offline.split import leaks
from offline.study import UNKNOWN_POSITION, Study
from rtdecode.errors import StudyError
from tests.offline.prepare.heard import LABELS, POSITIONS, SFREQ

PLAIN = PrepareSettings()


def with_recording(study: Study, number: int, **changes) -> Study:
    recordings = list(study.recordings)
    recordings[number] = replace(recordings[number], **changes)
    return replace(study, recordings=tuple(recordings))


def test_the_simulated_study_comes_back_as_it_was(simulated, tmp_path):
    chosen = PrepareSettings(sfreq=100.0)
    assert prepare_study(simulated, tmp_path, chosen).done == tuple(r.name for r in simulated.recordings)
    prepared = open_prepared(tmp_path)
    assert (prepared.name, prepared.licence, prepared.sfreq) == ("simulated", "CC0", 100.0)
    assert prepared.subjects == ("sub-01", "sub-02") and prepared.facts["gain"] == 10.0
    for raw, here in zip(simulated.recordings, prepared.recordings, strict=True):
        signal = here.signal()
        assert isinstance(signal, np.memmap) and not signal.flags.writeable
        np.testing.assert_array_equal(signal, prepared_signal(raw.read(), raw.sfreq, chosen))
        assert signal.shape == (here.n_samples, len(here.labels)) and here.labels == raw.labels
        assert here.events == raw.events and here.subject == raw.subject and here.unit == raw.unit
        assert [b.split for b in here.blocks] == [raw.split]
        assert np.ptp(here.positions, axis=0) == pytest.approx([1, 1])


def test_blocks_and_every_field_of_an_event_survive(heard, tmp_path):
    prepare_study(heard, tmp_path / "out", PLAIN)
    tables = split_tables(heard, PLAIN)
    for raw, here in zip(heard.recordings, open_prepared(tmp_path / "out").recordings, strict=True):
        assert here.events == raw.events and here.blocks == tables[raw.name]
        assert here.blocks[-1].stop == float("inf") and len(here.blocks) > 3
        assert (here.session, here.positions, here.labels) == ("ses-0", POSITIONS, LABELS)
        assert here.duration == pytest.approx(len(np.load(raw.path)) / SFREQ, abs=1 / 120)


def test_unchanged_is_left_alone_and_what_changed_is_redone(heard, tmp_path):
    out, names = tmp_path / "out", tuple(r.name for r in heard.recordings)
    assert prepare_study(heard, out, PLAIN).done == names
    before = {p: p.stat().st_mtime_ns for p in (out / "recordings").rglob("*") if p.is_file()}
    assert prepare_study(heard, out, PLAIN) == Prepared((), names)
    assert {p: p.stat().st_mtime_ns for p in before} == before

    samples = np.load(heard.recordings[1].path)
    np.save(heard.recordings[1].path, samples + 1)
    assert prepare_study(heard, out, PLAIN).done == (names[1],)
    np.testing.assert_allclose(
        open_prepared(out).recordings[1].signal(),
        prepared_signal(samples + 1, SFREQ, PLAIN),
    )
    events = heard.recordings[2].events[:-1]
    assert prepare_study(with_recording(heard, 2, events=events), out, PLAIN).done == (names[2],)
    assert prepare_study(heard, out, replace(PLAIN, split_rule="sentence")).done == names


def test_the_key_is_content_not_dates_or_places(heard, tmp_path):
    out = tmp_path / "out"
    prepare_study(heard, out, PLAIN)
    for recording in heard.recordings:
        recording.path.touch()  # a new date, the same bytes
    assert prepare_study(heard, out, PLAIN).done == ()
    moved = tmp_path / "moved"
    heard.root.rename(moved)
    elsewhere = [replace(r, path=moved / r.path.name, files=(moved / r.path.name,)) for r in heard.recordings]
    assert prepare_study(replace(heard, root=moved, recordings=tuple(elsewhere)), out, PLAIN).done == ()


@pytest.mark.parametrize("file", ["signal.npy", "events.jsonl", "blocks.jsonl", "recording.json"])
def test_a_file_that_went_missing_is_named_and_made_again(heard, tmp_path, file):
    out = tmp_path / "out"
    prepare_study(heard, out, PLAIN)
    gone = out / "recordings" / heard.recordings[1].name / file
    gone.unlink()
    with pytest.raises(StudyError, match=f"incomplete.*{heard.recordings[1].name}.*{file} is missing"):
        open_prepared(out)
    assert prepare_study(heard, out, PLAIN).done == (heard.recordings[1].name,)
    open_prepared(out)


@pytest.mark.parametrize("step", ["prepared_signal", "write_array", "_write_lines", "write_json"])
def test_killed_between_two_files_it_goes_on(heard, tmp_path, monkeypatch, step):
    """Why it matters: a study of hundreds of recordings takes hours, and machines go down."""
    out, calls = tmp_path / "out", []
    intact = getattr(recording_module, step)

    def dies(*given, **named):
        calls.append(given)
        if len(calls) == 2 + (step == "_write_lines"):
            raise KeyboardInterrupt
        return intact(*given, **named)

    monkeypatch.setattr(recording_module, step, dies)
    with pytest.raises(KeyboardInterrupt):
        prepare_study(heard, out, PLAIN)
    monkeypatch.undo()
    with pytest.raises(StudyError, match=rf"incomplete.*{heard.recordings[1].name}.recording\.json"):
        open_prepared(out)
    report = prepare_study(heard, out, PLAIN)
    assert report.unchanged == (heard.recordings[0].name,) and len(report.done) == 3
    assert len(open_prepared(out).recordings) == 4
    assert not list(out.rglob("*.part"))


def test_redoing_is_not_mistaken_for_done(heard, tmp_path, monkeypatch):
    """With other settings, an interrupted second run leaves neither the old nor a mixture to be opened."""
    out = tmp_path / "out"
    prepare_study(heard, out, PLAIN)
    monkeypatch.setattr(
        recording_module, "prepared_signal", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        prepare_study(heard, out, replace(PLAIN, highpass_hz=0.5))
    with pytest.raises(StudyError, match=r"incomplete.*recording\.json is missing"):
        open_prepared(out)
    monkeypatch.undo()
    prepare_study(heard, out, replace(PLAIN, highpass_hz=0.5), only=["*sub-01*"])
    begin(heard, out, replace(PLAIN, highpass_hz=0.5))
    with pytest.raises(
        StudyError, match=r"sub-02_run-0 was prepared with highpass_hz 0\.0, the study is with 0\.5"
    ):
        open_prepared(out)


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(heard, tmp_path, monkeypatch):
    out, synced = tmp_path / "out", []
    begin(heard, out, PLAIN)

    def full(descriptor):
        synced.append(descriptor)
        if len(synced) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("offline.disk.os.fsync", full)
    with pytest.raises(StudyError, match="the disk is full: cannot write"):
        prepare_study(heard, out, PLAIN)
    monkeypatch.undo()
    assert not list(out.rglob("*.part")) and not list(out.rglob("recording.json"))
    assert prepare_study(heard, out, PLAIN).done == tuple(r.name for r in heard.recordings)


def test_one_recording_is_a_job(simulated, simulated_root, tmp_path):
    names = begin(simulated, tmp_path, PLAIN)
    for name in reversed(names):
        assert prepare_recording("simulated", simulated_root, name, tmp_path, PLAIN)
    assert not prepare_recording("simulated", simulated_root, names[0], tmp_path, PLAIN)
    assert prepare_study(simulated, tmp_path, PLAIN).done == ()
    with pytest.raises(StudyError, match="no recording 'sub-01_run-1'"):
        prepare_recording("simulated", simulated_root, "sub-01_run-1", tmp_path, PLAIN)


def test_a_part_of_a_study(heard, tmp_path):
    prepare_study(heard, tmp_path / "out", PLAIN, only=["sub-02*"])
    prepared = open_prepared(tmp_path / "out")
    assert prepared.subjects == ("sub-02",) and len(prepared.recordings) == 2
    with pytest.raises(StudyError, match=r"no recording of heard is named sub-09\*"):
        prepare_study(heard, tmp_path / "out", PLAIN, only=["sub-09*"])


def test_progress_tells_recordings_and_what_is_inside_them(heard, tmp_path):
    told = []
    prepare_study(heard, tmp_path / "out", PLAIN, progress=lambda *what: told.append(what))
    assert [t for t in told if t[0] == "recordings"] == [("recordings", n, 4) for n in (1, 2, 3, 4)]
    assert {t[0] for t in told} == {"recordings", *(r.name for r in heard.recordings)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sfreq": 250.0}, "sub-01_run-1 was recorded at 250 Hz, sub-01_run-0 at 256 Hz"),
        ({"labels": LABELS[:4]}, "sub-01_run-1 has 4 channels, sub-01_run-0 has 5"),
        ({"labels": ("X", *LABELS[1:])}, "has the channel 'X' where sub-01_run-0 has 'E0'"),
        ({"unit": "volts"}, "sub-01_run-1 is in volts, sub-01_run-0 in microvolts"),
    ],
)
def test_recordings_that_differ_are_refused_before_anything_is_written(heard, tmp_path, changes, words):
    with pytest.raises(StudyError, match=words):
        prepare_study(with_recording(heard, 1, **changes), tmp_path / "out", PLAIN)
    assert not (tmp_path / "out").exists()


def test_channels_may_differ_where_the_study_says_so(heard, tmp_path):
    other = with_recording(
        heard, 1, labels=LABELS[:4], positions=(), reader=lambda recording: np.load(recording.path)[:, :4]
    )
    prepare_study(replace(other, facts={"varies": ["channels"]}), tmp_path / "out", PLAIN)
    prepared = open_prepared(tmp_path / "out")
    assert [len(r.labels) for r in prepared.recordings] == [5, 4, 5, 5]
    assert prepared.recordings[1].positions == (UNKNOWN_POSITION,) * 4


def bad_events(heard, **changes):
    first, second, *rest = heard.recordings[1].events
    return with_recording(heard, 1, events=(first, replace(second, **changes), *rest))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": 30.0}, "out of order"),
        ({"start": -1.0}, r"from -1\.000 s"),
        ({"duration": 1e6}, r"the recording from 0 to 35\.000 s"),
        ({"offset": float("nan")}, "nan s into its sound"),
        ({"start": float("nan")}, "starts at nan"),
    ],
)
def test_bad_events_are_named(heard, tmp_path, changes, words):
    with pytest.raises(StudyError, match=words):
        prepare_study(bad_events(heard, **changes), tmp_path / "out", PLAIN)
    assert not list((tmp_path / "out").glob("recordings/sub-01_run-1/*.json"))


def test_a_missing_file_and_bad_samples_name_their_recording(heard, tmp_path):
    data = np.load(heard.recordings[1].path)
    data[5, 2] = np.inf
    np.save(heard.recordings[1].path, data)
    with pytest.raises(StudyError, match="sub-01_run-1: the recording holds 1 values that are not numbers"):
        prepare_study(heard, tmp_path / "out", PLAIN)
    heard.recordings[1].path.unlink()
    with pytest.raises(StudyError, match=r"sub-01_run-1 is incomplete: .*run-1\.npy is missing"):
        prepare_study(heard, tmp_path / "out", PLAIN)


def test_faster_than_recorded_is_refused(heard, tmp_path):
    with pytest.raises(StudyError, match="sub-01_run-0: recorded at 256 Hz, to be prepared at 300 Hz"):
        prepare_study(heard, tmp_path / "out", PrepareSettings(sfreq=300.0))


def test_a_directory_holds_one_study(heard, tmp_path):
    prepare_study(heard, tmp_path / "out", PLAIN)
    with pytest.raises(StudyError, match="holds the study 'heard', not 'other'"):
        prepare_study(replace(heard, name="other"), tmp_path / "out", PLAIN)


def test_leaks_can_be_taken_away(heard, tmp_path):
    """The published rule joins sentences by each subject's clock: the same text may land in two splits."""
    first = heard.recordings[0]
    late = tuple(replace(e, start=e.start + 40) for e in first.events if e.kind == "word")
    twice = with_recording(
        heard, 0, events=(*first.events, *late[5 * 4 :]), reader=lambda r: np.tile(np.load(r.path), (3, 1))
    )
    tables = split_tables(twice, PLAIN)
    assert leaks([(r.name, r.events, tables[r.name]) for r in twice.recordings])
    kept = split_tables(twice, replace(PLAIN, drop_leaks=True))
    assert not leaks([(r.name, r.events, kept[r.name]) for r in twice.recordings])
    assert [b.start for b in tables[first.name]] == [b.start for b in kept[first.name]]


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not JSON"), ('{"schema": 2}', "schema 2, expected 1"), ('{"schema": 1}', "has no 'study'")],
)
def test_what_is_no_prepared_study_is_refused(tmp_path, text, words):
    with pytest.raises(StudyError, match="is no prepared study"):
        open_prepared(tmp_path)
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(StudyError, match=words):
        open_prepared(tmp_path)


def test_a_damaged_signal_is_refused(heard, tmp_path):
    prepare_study(heard, tmp_path / "out", PLAIN)
    first = open_prepared(tmp_path / "out").recordings[0]
    np.save(first.root / "signal.npy", np.zeros((3, 5), np.float32))
    with pytest.raises(StudyError, match=r"holds float32 \(3, 5\), its description says"):
        first.signal()
    (first.root / "signal.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(StudyError, match="cannot read"):
        first.signal()
    assert json.loads((first.root / "recording.json").read_text())["key"] == first.key
