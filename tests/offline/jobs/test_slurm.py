"""Jobs on a real SLURM cluster of one node."""

import os

import pytest

from offline.jobs import places
from offline.jobs.job import SlurmOptions
from offline.jobs.results import read_result
from offline.jobs.submit import run_jobs
from rtdecode.errors import ConfigError
from tests.offline.jobs import slurm
from tests.offline.jobs.commands import endless, fail, gone, kill_worker, succeed

pytestmark = [
    pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing() or "there is one"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def one_node(tmp_path_factory):
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as config:
        yield config


@pytest.fixture
def cluster(one_node, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(one_node))
    monkeypatch.setattr(places.Slurm, "poll_s", 0.5)
    monkeypatch.setattr(places.Slurm, "grace_s", 0.0)  # one machine, one file system


def test_jobs_end_fail_and_are_lost_on_a_cluster(cluster, tmp_path):
    count, pid, seen = tmp_path / "count", tmp_path / "pid", []
    jobs = [fail("bad", "no such thing"), kill_worker("lost", pid), succeed("good", count)]
    asked = SlurmOptions(partition="all", minutes=5)
    outcomes = run_jobs(jobs, "auto", folder=tmp_path / "jobs", parallel=3, slurm=asked, progress=seen.append)
    assert [(one.name, one.status, one.error) for one in outcomes[::2]] == [
        ("bad", "failed", "no such thing"), ("good", "done", ""),
    ]  # fmt: skip
    assert outcomes[1].status == "lost" and "SLURM says" in outcomes[1].error
    assert gone(pid)
    assert {now.where for now in seen} == {"SLURM"}
    again = run_jobs([jobs[2]], "slurm", folder=tmp_path / "jobs")
    assert again[0].before and count.read_text() == "ran\n"
    with pytest.raises(ConfigError, match=r"sbatch refuses bad: .*partition"):
        run_jobs([jobs[0]], "slurm", folder=tmp_path / "jobs", slurm=SlurmOptions(partition="none"))


def test_interrupted_what_runs_and_what_is_queued_is_cancelled(cluster, tmp_path):
    pid, started = tmp_path / "pid", tmp_path / "started"
    os.mkfifo(started)
    jobs = [endless("endless", pid, started), succeed("queued", tmp_path / "count")]

    def interrupt(now):
        with started.open() as pipe:  # until the first runs
            pipe.read()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, "slurm", folder=tmp_path / "jobs", parallel=2, progress=interrupt)
    assert gone(pid)
    assert read_result(tmp_path / "jobs", jobs[0], os.getcwd()) is None
    # The one node is free again, and the queue empty: what was cancelled does not come back.
    last = succeed("last", tmp_path / "last")
    assert run_jobs([last], "slurm", folder=tmp_path / "jobs")[0].status == "done"
    assert not (tmp_path / "count").exists()


def test_what_the_cluster_takes_but_never_starts_is_lost(cluster, tmp_path):
    beyond = SlurmOptions(minutes=600)
    job = succeed("long", tmp_path / "count")
    outcome = run_jobs([job], "slurm", folder=tmp_path / "jobs", slurm=beyond)[0]
    assert outcome.status == "lost" and "PartitionTimeLimit" in outcome.error
    assert not (tmp_path / "count").exists()
