"""Streams, bundles and files as the start screen finds them."""

import dataclasses
from pathlib import Path

from rtdecode.found import Disk, Findings, FoundBundle, FoundLog, FoundRecording, FoundStream
from rtdecode.types import StreamInfo
from tests.bundles import LABELS, bundle_spec


def stream(name="EEG", labels=LABELS, unit="uV", sfreq=128.0, described=True, **more):
    info = StreamInfo(
        name, "EEG", labels, (unit,) * len(labels), sfreq, f"id-{name}", f"uid-{name}", "lab", **more
    )
    return FoundStream(info, described)


def bundle(name="tiny", problem="", **stream_changes):
    spec = bundle_spec()
    spec = dataclasses.replace(spec, name=name, stream=dataclasses.replace(spec.stream, **stream_changes))
    return FoundBundle(Path("bundles") / name, spec, problem, candidates=30)


def findings(streams=None, bundles=None, files=("a.xdf", "b.fif"), logs=("one", "two")):
    recordings = tuple(FoundRecording(Path("recordings") / name, "XDF", 3_000_000) for name in files)
    found_logs = tuple(
        FoundLog(Path("sessions") / name, "2026-01-02T03:04:05", "tiny", 1000) for name in logs
    )
    return Findings(
        (stream(),) if streams is None else tuple(streams),
        Disk((bundle(),) if bundles is None else tuple(bundles), recordings, found_logs),
    )
