"""`offline prepare --jobs N`: one job a recording. The store knows what is unchanged. Knows no study."""

from collections.abc import Callable, Sequence
from pathlib import Path

from offline.disk import file_name
from offline.jobs.job import Job, Progress, SlurmOptions
from offline.jobs.results import check
from offline.jobs.submit import run_jobs
from offline.prepare.run import Prepared
from offline.prepare.settings import PrepareSettings
from rtdecode.errors import ConfigError

COMMAND = ("-m", "offline", "prepare")


def prepare_with_jobs(
    study_name: str,
    root: str | Path,
    out: str | Path,
    settings: PrepareSettings,
    names: Sequence[str],
    *,
    selection: str = "",
    where: str = "auto",
    parallel: int = 2,
    slurm: SlurmOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
    command: Sequence[str] = COMMAND,
) -> Prepared:
    """Every recording of `names` (those that `offline.prepare.run.begin` returned) as a job of its own.

    command  what the job's arguments (`arguments`) follow
    Raises RtdecodeError when some failed, naming them: the others are prepared, and the next call goes on.
    Else as `offline.jobs.submit.run_jobs`.
    """
    out = Path(out)
    jobs = [
        Job(name, (*command, *arguments(study_name, root, name, out, settings, selection))) for name in names
    ]
    before = {name: _written(out, name) for name in names}
    outcomes = run_jobs(
        jobs, where, folder=out / "jobs", parallel=parallel, slurm=slurm, again=True, progress=progress
    )
    check(outcomes)
    unchanged = tuple(name for name in names if before[name] and _written(out, name) == before[name])
    return Prepared(tuple(name for name in names if name not in unchanged), unchanged)


def arguments(
    study_name: str,
    root: str | Path,
    recording_name: str,
    out: str | Path,
    settings: PrepareSettings,
    selection: str = "",
) -> tuple[str, ...]:
    """Of the command that prepares this one recording, and nothing else, with these settings.

    Raises ConfigError for an order of the band-pass that the command line cannot say.
    """
    if settings.order != PrepareSettings().order:
        raise ConfigError(f"a band-pass of order {settings.order} cannot be asked of a job")
    return (
        f"--study={study_name}",
        f"--data={Path(root).resolve()}",
        f"--out={Path(out).resolve()}",
        f"--selection={selection}",
        f"--recording={recording_name}",
        f"--set=signal.sfreq={settings.sfreq!r}",
        f"--highpass-hz={settings.highpass_hz!r}",
        f"--lowpass-hz={settings.lowpass_hz!r}",
        f"--filter={settings.filter}",
        f"--split-rule={settings.split_rule}",
        f"--min-block-s={settings.min_block_s!r}",
        *(() if settings.drop_leaks else ("--keep-leaks",)),
    )


def _written(out: Path, name: str) -> int:
    """When a recording was last prepared, in ns; 0 = never."""
    try:
        return (out / "recordings" / file_name(name) / "recording.json").stat().st_mtime_ns
    except OSError:
        return 0
