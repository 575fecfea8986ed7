"""Run many independent commands and wait for them; what is finished is not run again.

One that fails does not stop the others. Interrupted (Ctrl-C), what runs or is queued is cancelled, and the
next call goes on. Knows nothing of what the commands do; never prints.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from offline.disk import room
from offline.jobs.job import Job, Outcome, Progress, SlurmOptions
from offline.jobs.places import Place, open_place
from offline.jobs.results import forget, last_line, log_path, outcome, read_result
from rtdecode.errors import ConfigError


def run_jobs(
    jobs: Sequence[Job],
    where: str = "auto",
    *,
    folder: str | Path,
    parallel: int = 1,
    slurm: SlurmOptions | None = None,
    again: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """What came of each job, in the order of `jobs`; `results.check` raises for those that failed.

    where     "local", "slurm", or "auto": SLURM where a cluster answers. `progress` says which it is
    folder    for results and logs, one for each set of jobs; on SLURM where all nodes see it
    parallel  at most so many at once (on SLURM: in the queue)
    again     run also what is done: for commands that know themselves what is new
    Raises ConfigError for two jobs of one name, for SLURM where there is none or that refuses a job;
    StudyError when the disk is full; ModuleNotFoundError without submitit.
    """
    names = [job.name for job in jobs]
    for name in names:
        if not name or names.count(name) > 1:
            raise ConfigError(f"two jobs are called {name!r}" if name else "a job has no name")
    if parallel < 1:
        raise ConfigError(f"{parallel} jobs at once are none", hint="at least 1")
    folder = Path(folder).resolve()
    cwd = str(Path.cwd())
    finished: dict[str, Outcome] = {}
    for job in jobs:
        found = None if again else read_result(folder, job, cwd)
        if found is not None and found.code == 0:
            finished[job.name] = outcome(folder, found, before=True)
    left = [job for job in jobs if job.name not in finished]
    if not left:
        return [finished[name] for name in names]
    with room(folder):
        (folder / "submitit").mkdir(parents=True, exist_ok=True)
        place = open_place(where, folder, slurm or SlurmOptions())
        running = _Running(place, folder, cwd, deque(left), parallel)

        def report(last: Outcome | None = None) -> None:
            if progress:
                good = sum(one.status == "done" for one in finished.values())
                bad = len(finished) - good
                progress(Progress(place.name, len(jobs), good, bad, len(running.numbers), last))

        try:
            running.fill()
            report()
            while running.numbers:
                time.sleep(place.poll_s)
                for ended in running.collect():
                    finished[ended.name] = ended
                    running.fill()
                    report(ended)
        except BaseException:
            place.cancel(list(running.numbers))
            raise
    return [finished[name] for name in names]


@dataclass
class _Running:
    """The jobs that wait and those that a place has. numbers: what the place calls each."""

    place: Place
    folder: Path
    cwd: str
    waiting: deque[Job]
    parallel: int
    numbers: dict[str, Job] = field(default_factory=dict)
    over_since: dict[str, float] = field(default_factory=dict)

    def fill(self) -> None:
        while self.waiting and len(self.numbers) < self.parallel:
            job = self.waiting.popleft()
            forget(self.folder, job.name)
            self.numbers[self.place.submit(job, self.cwd)] = job

    def collect(self) -> list[Outcome]:
        """Outcomes of those that have ended since."""
        over = self.place.over(list(self.numbers))
        now = time.monotonic()
        ended = []
        for number, job in list(self.numbers.items()):
            if number not in over and not self.place.early:
                continue
            found = read_result(self.folder, job, self.cwd)
            if found is not None:
                ended.append(outcome(self.folder, found))
            elif number not in over or now - self.over_since.setdefault(number, now) < self.place.grace_s:
                continue
            else:
                ended.append(self._lost(number, job, over[number]))
            del self.numbers[number]
        return ended

    def _lost(self, number: str, job: Job, why: str) -> Outcome:
        log = log_path(self.folder, job.name)
        said = last_line(log)
        if not said:  # it did not come to its command
            log = self.place.log(number)
            said = last_line(log)
        return Outcome(job.name, "lost", None, 0.0, f"{why}; {said}" if said else why, log)
