"""A stream for tests, in a process of its own: the planted recording, whole or spoilt on purpose.

python -m tests.outlet '{"name": "x", "nan": [256, 300], ...}'
"""

import json
import signal
import sys
from dataclasses import dataclass

import numpy as np
import pylsl

from rtdecode.config import from_json
from rtdecode.recordings import Marker, Recording
from rtdecode.replay import Replayer
from rtdecode.sources.lsl import quiet
from tests.bundles import LABELS, SFREQ, planted

DTYPES = {
    "int16": pylsl.cf_int16,
    "int32": pylsl.cf_int32,
    "float64": pylsl.cf_double64,
}


@dataclass(frozen=True)
class Plan:
    """nan: [first, stop) of the first channel's samples; gap: (sample, seconds) missing before it."""

    name: str
    seconds: float = 20.0
    speed: float = 1.0
    loop: bool = False
    source_id: str = "test-outlet"
    stype: str = "EEG"
    unit: str = "microvolts"
    labels: tuple[str, ...] = LABELS
    sfreq: float = SFREQ
    dtype: str = "float32"
    nan: tuple[int, ...] = ()
    gap: tuple[float, ...] = ()
    markers: bool = False
    wait: bool = True


def recording(plan: Plan) -> Recording:
    """What the outlet plays: every label gets the planted channel of that name, an unknown one the first."""
    at = [LABELS.index(label) if label in LABELS else 0 for label in plan.labels]
    data = planted(plan.seconds)[:, at].copy()
    stamps = np.arange(len(data)) / plan.sfreq
    if plan.nan:
        data[plan.nan[0] : plan.nan[1], 0] = np.nan
    if plan.gap:
        sample, seconds = int(plan.gap[0]), plan.gap[1]
        stamps[sample:] += seconds
    markers = tuple(Marker(float(s), f"second {s}") for s in range(int(plan.seconds))) if plan.markers else ()
    units = (plan.unit,) * len(plan.labels)
    return Recording(data, plan.sfreq, plan.labels, units, plan.stype, plan.name, stamps, markers)


def main() -> None:
    plan = from_json(Plan, json.loads(sys.argv[1]), "plan")
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    quiet()

    def stopping() -> bool:
        return bool(stopped)

    player = Replayer(recording(plan), plan.name, source_id=plan.source_id, speed=plan.speed, loop=plan.loop)
    if plan.dtype != "float32":
        channels = len(plan.labels)
        about = pylsl.StreamInfo(
            plan.name, plan.stype, channels, plan.sfreq, DTYPES[plan.dtype], plan.source_id
        )
        about.set_channel_labels(list(plan.labels))
        about.set_channel_units([plan.unit] * channels)
        player.outlet = pylsl.StreamOutlet(about)
    print("ready", flush=True)
    if plan.wait:
        player.wait_for_consumer(stopping)
    player.play(stopping)
    player.linger(stopping)


if __name__ == "__main__":
    main()
