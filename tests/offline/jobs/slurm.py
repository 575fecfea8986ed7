"""A SLURM cluster of one node, of Debian's packages: started for a test, stopped by process id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offline.jobs.work import with_parent

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
NEEDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")
READY_S, STOP_S = 60.0, 10.0

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/linear
ReturnToService=2
KillWait=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname={host} CPUs=1
PartitionName=all Nodes=localhost Default=YES MaxTime=10 State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; "" where there can."""
    absent = [name for name in NEEDS if shutil.which(name, path=PATH) is None]
    if absent:
        return f"{absent[0]} is not installed (apt-get install slurm-wlm munge)"
    return "" if os.getuid() == 0 else "SLURM's node needs root"


@contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """The path of slurm.conf, the node idle when the block begins."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    config = folder / "slurm.conf"
    host = socket.gethostname().split(".")[0]
    controller_port, node_port = _free_ports(2)
    config.write_text(
        CONFIG.format(folder=folder, host=host, controller_port=controller_port, node_port=node_port)
    )
    env = {**os.environ, "PATH": PATH, "SLURM_CONF": str(config)}
    own = (f"--key-file={key}", *(f"--{n}-file={folder}/munge.{n}" for n in ("pid", "log", "seed")))
    commands = (
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *own],
        ["slurmctld", "-D", "-c", "-f", str(config)],
        ["slurmd", "-D", "-f", str(config), "-N", "localhost"],
    )
    running: list[subprocess.Popen[bytes]] = []
    with (folder / "daemons.log").open("wb") as log:
        try:
            for command in commands:
                started = subprocess.Popen(
                    command, env=env, stdout=log, stderr=log, preexec_fn=with_parent(signal.SIGTERM)
                )
                running.append(started)
            _wait_until_idle(env, running, folder)
            yield config
        finally:
            subprocess.run(["scancel", "--user=root"], env=env, capture_output=True, timeout=30, check=False)
            for process in reversed(running):
                _stop(process)


def _wait_until_idle(env: dict[str, str], running: list[subprocess.Popen[bytes]], folder: Path) -> None:
    until = time.monotonic() + READY_S
    said = ""
    while "idle" not in said:
        for process in running:
            if process.poll() is not None or time.monotonic() > until:
                logs = "\n".join(f"{p.name}: {p.read_text()[-1500:]}" for p in sorted(folder.glob("*.log")))
                raise AssertionError(f"{process.args} {process.poll()}; sinfo says {said!r}\n{logs}")
        found = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=env, capture_output=True, text=True, check=False
        )
        said = (found.stdout + found.stderr).strip()
        time.sleep(0.1)  # between two questions


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
