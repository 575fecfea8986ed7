"""What the sections of a report are made of: the session, the truth, the bundle, the channels."""

from dataclasses import dataclass
from pathlib import Path

from rtdecode.bundle import Bundle
from rtdecode.errors import RecordingError
from rtdecode.report.channels import ChannelHealth, channel_health
from rtdecode.report.facts import Session, gather
from rtdecode.report.truth import Told, find_bundle, tell
from rtdecode.session.reader import SessionLog


@dataclass(frozen=True)
class Material:
    """missing: sentences about what the log does not hold."""

    session: Session
    told: Told
    bundle: Bundle | None
    channels: list[ChannelHealth]
    missing: tuple[str, ...]


def collect(directory: Path, bundle: Path | None = None) -> Material:
    """Read a log and, where it is, its bundle.

    RecordingError when the directory is no log or holds nothing; BundleError for another bundle in `bundle`.
    """
    log = SessionLog(directory)
    session = gather(log)
    if not log.streams and not session.decisions and not session.events:
        raise RecordingError(
            f"{directory} is an empty log: no stream was connected, nothing was decoded",
            hint="`rtdecode live --record` and `rtdecode record` write logs",
        )
    found, why = find_bundle(session, bundle)
    return Material(session, tell(session, found, why), found, channel_health(session), _missing(session))


def _missing(session: Session) -> tuple[str, ...]:
    log = session.log
    found = list(log.cut)
    if not log.closed:
        found.append("The log has no end: its writer was stopped, or still writes.")
    if not log.streams:
        found.append("The log holds no samples: nothing is known of the channels.")
    if not session.decisions and log.manifest.bundle is not None:
        found.append("The log holds no decision: the stream never filled the decoder's first window.")
    if session.clock and not session.clock.steady:
        found.append(
            "The stream's stamps do not keep pace with the session's clock: decisions stand at the time of "
            "the line before them, and what was heard cannot be compared."
        )
    if lost := log.unrecorded():
        found.append(f"{lost} samples reached the decoder and not the log: the recorder could not keep up.")
    return tuple(found)
