"""The first seconds of a recording, with its markers, as a file of its own: how the shipped demo is made."""

from pathlib import Path

from rtdecode.errors import RecordingError
from rtdecode.recordings import read
from rtdecode.types import to_samples
from rtdecode.xdf_writer import XdfWriter


def cut(source: Path, seconds: float, out: Path, stream: str | None = None) -> Path:
    """Write the first `seconds` of `source` to the XDF file `out`, sample for sample.

    RecordingError when the recording is shorter, has a gap in that span, or `out` exists.
    """
    recording = read(source, stream)
    count = to_samples(seconds, recording.sfreq)
    if count > recording.segments[0][1]:
        held = recording.segments[0][1] / recording.sfreq
        raise RecordingError(f"{source} holds {held:g} s without a gap, {seconds:g} s were asked for")
    if out.exists():
        raise RecordingError(f"{out} exists", hint="choose another file or remove it")
    units = set(recording.units)
    if len(units) != 1:
        raise RecordingError(f"{source} has channels in several units: {', '.join(sorted(units))}")
    start = float(recording.times[0])
    with XdfWriter(out) as file:
        file.samples(
            recording.data[:count],
            start,
            recording.sfreq,
            recording.name,
            recording.stype,
            recording.labels,
            units.pop(),
            f"{out.stem}-eeg",
        )
        file.markers(
            ((start + marker.t, marker.text) for marker in recording.markers if 0 <= marker.t < seconds),
            f"{recording.name}Markers",
            f"{out.stem}-markers",
        )
    return out
