"""Everything that can go wrong and be said in one sentence.

    RtdecodeError              exit code 2: the user can mend it
    ├── ConfigError            an option or configuration key that does not exist or does not fit
    ├── StreamError            the LSL side: no such stream, two of one name, lost
    │   └── ContractError      a stream whose channels, unit or rate do not fit the bundle
    ├── BundleError            a damaged, incomplete or foreign bundle
    ├── RecordingError         a file that cannot be read as a recording
    ├── StudyError             a study tree that is incomplete, or splits that leak
    ├── TrainingError          a training run that cannot start or go on
    └── MissingExtra           a library that belongs to an optional extra

An error says what happened, the two values that disagree, and what to do next (`hint`). Libraries raise
these; only the command line prints them and chooses the exit code.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class RtdecodeError(Exception):
    """Base of all errors a user can mend. `hint` is the next thing to do."""

    def __init__(self, message: str, *, hint: str = ""):
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(RtdecodeError):
    """An option or key that does not exist or whose value does not fit."""


class StreamError(RtdecodeError):
    """The stream could not be found, opened or kept."""


class ContractError(StreamError):
    """The stream does not fit the bundle; `problems` lists every difference."""

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), hint: str = ""):
        super().__init__(message, hint=hint)
        self.problems = problems


class BundleError(RtdecodeError):
    """A bundle that is incomplete, damaged, or not ours."""


class RecordingError(RtdecodeError):
    """A file that cannot be read as a recording."""


class StudyError(RtdecodeError):
    """A study tree that is not what it should be, or a split that leaks."""


class TrainingError(RtdecodeError):
    """A training run that cannot start or cannot go on."""


class MissingExtra(RtdecodeError):
    """A library of an optional extra is not installed."""

    def __init__(self, what: str, extra: str):
        super().__init__(f"{what} is not installed", hint=f"pip install 'rtdecode[{extra}]'")
        self.extra = extra


def closest(name: str, valid: Iterable[str]) -> str:
    """Words for an error: the closest valid names, or all of them when none is close."""
    names = sorted(valid)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"valid: {', '.join(names)}"
