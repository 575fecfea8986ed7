"""Preparing a study with one job a recording gives the store that one process gives."""

from dataclasses import replace

import pytest

from offline.jobs.prepare import arguments, prepare_with_jobs
from offline.prepare.run import begin, prepare_study
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import open_prepared
from offline.simulate.build import simulate
from offline.simulate.text import sentences
from offline.studies.simulated import load
from rtdecode.errors import ConfigError, RtdecodeError

SETTINGS = PrepareSettings(
    sfreq=60.0, highpass_hz=0.5, lowpass_hz=25.0, filter="causal", split_rule="sentence", min_block_s=3.0,
    drop_leaks=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "book.txt").write_text(".\n".join(sentences()[:60]))
    return simulate(
        folder / "study", subjects=1, minutes_train=0.2, minutes_valid=0.1, minutes_test=0.1, gain=10.0,
        recombined=4, text=folder / "book.txt",
    )  # fmt: skip


def test_jobs_prepare_what_one_process_prepares(root, tmp_path):
    study = load(root)
    out, (good, bad) = tmp_path / "jobs", [recording.name for recording in study.recordings[:2]]
    assert begin(study, out, SETTINGS, only=[good]) == (good,)
    study.recordings[1].path.write_bytes(b"no recording")
    called = ("simulated", root, out, SETTINGS)
    with pytest.raises(RtdecodeError, match=rf"1 of 2 jobs failed: {bad}: .*logs"):
        prepare_with_jobs(*called, [good, bad], where="local", parallel=2)
    done = prepare_with_jobs(*called, [good], where="local")
    assert (done.done, done.unchanged) == ((), (good,))
    # Nothing is left to do for a process alone: study, split table and settings were the same.
    assert prepare_study(study, out, SETTINGS, only=[good]).unchanged == (good,)
    assert open_prepared(out).recordings[0].name == good


def test_a_job_says_every_setting():
    said = arguments("simulated", "/data", "sub-01_a b", "/out", SETTINGS, "depositors")
    assert "--recording=sub-01_a b" in said and "--set=signal.sfreq=60.0" in said
    assert "--keep-leaks" not in said
    assert "--keep-leaks" in arguments("simulated", "/data", "a", "/out", replace(SETTINGS, drop_leaks=False))
    with pytest.raises(ConfigError, match="order 4"):
        arguments("simulated", "/data", "a", "/out", replace(SETTINGS, order=4))
