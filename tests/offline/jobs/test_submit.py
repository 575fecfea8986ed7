"""Jobs on this machine: they end, fail, are killed, are cancelled, and are not run twice."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from offline.jobs.job import Job, SlurmOptions
from offline.jobs.places import choose
from offline.jobs.results import check, last_line, log_path, read_result
from offline.jobs.submit import run_jobs
from rtdecode.errors import ConfigError, RtdecodeError
from tests.offline.jobs.commands import after, endless, fail, gone, kill_worker, succeed


def test_one_that_fails_or_is_lost_does_not_stop_the_others_and_is_run_again(tmp_path):
    count, pid, seen = tmp_path / "count", tmp_path / "pid", []
    jobs = [
        fail("bad", "no such thing"),
        kill_worker("lost/1", pid),
        succeed("good", count),
        Job("killed", ("-c", "import os; os.kill(os.getpid(), 9)")),
    ]
    outcomes = run_jobs(jobs, "local", folder=tmp_path / "jobs", parallel=2, progress=seen.append)
    assert [(one.name, one.status, one.code) for one in outcomes] == [
        ("bad", "failed", 1), ("lost/1", "lost", None), ("good", "done", 0), ("killed", "failed", -9),
    ]  # fmt: skip
    assert gone(pid)
    assert outcomes[0].error == "no such thing"
    assert "killed" in outcomes[1].error and "half way" in outcomes[1].error
    assert "SIGKILL" in outcomes[3].error
    assert all(one.log.is_file() for one in outcomes)
    assert log_path(tmp_path / "jobs", "good", "out").read_text() == "result of good\n"
    assert max(now.running for now in seen) == 2
    assert (seen[-1].done, seen[-1].failed, seen[-1].total, seen[-1].where) == (1, 3, 4, "this machine")
    assert "no such thing" in "".join(map(str, seen))
    with pytest.raises(RtdecodeError, match=r"3 of 4 jobs failed: bad: no such thing; lost/1: .*logs"):
        check(outcomes)

    mended = [replace(jobs[0], arguments=("-c", "pass")), jobs[2]]
    outcomes = run_jobs(mended, "local", folder=tmp_path / "jobs")
    assert [(one.status, one.before) for one in outcomes] == [("done", False), ("done", True)]
    check(outcomes)
    assert count.read_text() == "ran\n"
    changed = [replace(jobs[2], key="another configuration")]
    assert not run_jobs(changed, "local", folder=tmp_path / "jobs")[0].before
    assert not run_jobs(changed, "local", folder=tmp_path / "jobs", again=True)[0].before
    assert count.read_text() == "ran\n" * 3


def test_interrupted_what_runs_is_cancelled_with_all_it_started(tmp_path):
    pid, started = tmp_path / "pid", tmp_path / "started"
    os.mkfifo(started)
    jobs = [endless("endless", pid, started), after("first", started), succeed("later", tmp_path / "count")]

    def interrupt(now):
        if now.last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, "local", folder=tmp_path / "jobs", parallel=2, progress=interrupt)
    assert gone(pid)
    assert read_result(tmp_path / "jobs", jobs[0], os.getcwd()) is None
    assert read_result(tmp_path / "jobs", jobs[1], os.getcwd()).code == 0
    assert not (tmp_path / "count").exists()


def test_a_command_that_takes_too_long_is_stopped_and_says_so(tmp_path):
    pid = tmp_path / "pid"
    job = Job("slow", ("-c", f"open({str(pid)!r}, 'w').write(str(__import__('os').getpid())); {PAUSE}"))
    call = (str(tmp_path), job.name, job.arguments, "", os.getcwd(), {}, 1.0)
    code = f"from offline.jobs.work import work; work(*{call!r})"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    found = read_result(tmp_path, job, os.getcwd())
    assert found.code == -signal.SIGKILL and "out of time" in found.error
    assert not pid.exists() or gone(pid)


PAUSE = "__import__('signal').pause()"


def test_a_job_sees_the_gpus_of_whoever_starts_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    job = Job("gpu", ("-c", "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"))
    run_jobs([job], "local", folder=tmp_path)
    assert log_path(tmp_path, "gpu", "out").read_text() == "3\n"


def test_what_cannot_be_run_is_refused_before_anything_starts(tmp_path):
    job = Job("a", ("-c", "pass"))
    for jobs, parallel, words in (
        ([job, job], 1, "two jobs"),
        ([job], 0, "0 jobs"),
        ([Job("", ())], 1, "no"),
    ):
        with pytest.raises(ConfigError, match=words):
            run_jobs(jobs, "local", folder=tmp_path / "jobs", parallel=parallel)
    with pytest.raises(ConfigError, match="did you mean slurm"):
        choose("slurn")
    with pytest.raises(ConfigError, match="0 CPUs"):
        SlurmOptions(cpus=0)
    assert not (tmp_path / "jobs").exists()


def test_auto_is_slurm_only_where_a_cluster_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose("auto") == "local"
    with pytest.raises(ConfigError, match="no sbatch on the path"):
        choose("slurm")
    for name in ("sbatch", "srun", "squeue", "scancel", "sinfo"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'slurm_load_partitions: no contact' >&2; exit 1\n")
        (tmp_path / name).chmod(0o755)
    assert choose("auto") == "local"
    with pytest.raises(ConfigError, match="no contact"):
        choose("slurm")
    (tmp_path / "sinfo").write_text("#!/bin/sh\nexit 0\n")
    assert choose("auto") == "slurm"


def test_the_last_line_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_text("x" * 20_000 + "\n10 %\r90 %\rerror: the disk is full\n\n  \n")
    assert last_line(log) == "the disk is full"
