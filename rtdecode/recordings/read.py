"""Opens a recording by the ending of its name, and turns whatever goes wrong into one sentence."""

from collections.abc import Callable
from pathlib import Path

from rtdecode.errors import RecordingError, RtdecodeError, closest
from rtdecode.recordings.recording import Recording, checked

FORMATS = {
    ".xdf": "XDF (Lab Streaming Layer)",
    ".xdfz": "XDF, compressed",
    ".xdf.gz": "XDF, compressed",
    ".fif": "FIF",
    ".fif.gz": "FIF, compressed",
    ".edf": "EDF",
    ".bdf": "BDF (BioSemi)",
    ".vhdr": "BrainVision",
    ".ds": "CTF",
    ".con": "KIT",
    ".sqd": "KIT",
    ".mat": "cocktail-party set",
}


def read(path: str | Path, stream: str | None = None) -> Recording:
    """The recording in a file (or a CTF .ds folder), in microvolts and femtotesla where a unit is stated.

    A session log (a folder with session.json) is a recording, too.

    stream  which one of an XDF file: its name, its type, or NAME/TYPE; None when there is but one
    RecordingError says in a sentence why a file cannot be read; MissingExtra names what to install.
    """
    path = Path(path)
    ending = _ending(path)
    if not path.exists():
        raise RecordingError(f"there is no recording {path}")
    if path.is_dir() and (path / "session.json").exists():
        from rtdecode.recordings.session_log import read_session

        return read_session(path, stream)
    if path.is_dir() and ending not in FORMATS:
        hint = "give a file, a session log or a CTF folder; `rtdecode review DIR` lists the logs in a folder"
        raise RecordingError(f"{path} is a folder, not a recording", hint=hint)
    if ending not in FORMATS:
        beside = path.with_suffix(".vhdr")
        if ending in (".eeg", ".vmrk") and beside.is_file():
            raise RecordingError(f"{path} is a part of a BrainVision recording", hint=f"give {beside}")
        said = f"ends in {ending!r}" if ending else "has no ending"
        raise RecordingError(f"{path} {said}, which is no format read here", hint=closest(ending, FORMATS))
    if path.is_dir() != (ending == ".ds"):
        found, needed = ("folder", "file") if path.is_dir() else ("file", "folder")
        raise RecordingError(f"{path} is a {found}, a {FORMATS[ending]} recording is a {needed}")
    if path.is_file() and not path.stat().st_size:
        raise RecordingError(f"{path} is empty (0 bytes)")
    if stream is not None and not ending.startswith(".xdf"):
        raise RecordingError(
            f"{path} holds one recording, there is no stream {stream!r} to choose",
            hint="streams are chosen in XDF files",
        )
    try:
        return checked(path, _reader(ending)(path, stream))
    except RtdecodeError:
        raise
    except Exception as problem:  # parsers of foreign formats raise whatever they met
        if isinstance(problem, OSError) and problem.strerror:  # the system's own: permissions, disks
            raise RecordingError(f"cannot read {path}: {problem.strerror}") from problem
        raise RecordingError(
            f"{path} is damaged, or not what its name says ({FORMATS[ending]}){_because(problem)}",
            hint="copy the file again from where it was recorded",
        ) from problem


def _because(problem: Exception) -> str:
    """What a parser says of a file; its own slips and its advice to programmers say nothing of one."""
    if isinstance(problem, AttributeError | TypeError | LookupError | AssertionError):
        return ""
    return f": {first_line(problem).split('. Pass ')[0]}"


def _ending(path: Path) -> str:
    name = path.name.lower()
    double = next((ending for ending in FORMATS if ending.count(".") == 2 and name.endswith(ending)), "")
    return double or path.suffix.lower()


def _reader(ending: str) -> Callable[[Path, str | None], Recording]:
    if ending.startswith(".xdf"):
        from rtdecode.recordings.xdf import read_xdf

        return read_xdf
    if ending == ".mat":
        from rtdecode.recordings.cocktail import read_cocktail

        return lambda path, _: read_cocktail(path)
    from rtdecode.recordings.mne_io import read_mne

    return lambda path, _: read_mne(path)


def first_line(problem: BaseException) -> str:
    """The first line of what an exception says, or its type when it says nothing."""
    lines = str(problem).strip().splitlines()
    return (lines[0] if lines else type(problem).__name__).rstrip(".")
