"""A listener for tests, in a process of its own: pulls samples from a stream and saves them.

python -m tests.pull NAME SAMPLES FILE.npz [markers|watched]

markers  wait for NAME-markers, too;  watched  samples are watched for before they are pulled
"""

import sys
import time

import numpy as np
import pylsl

from rtdecode.sources.lsl import Lost, LslSource, Wanted, quiet, resolve, select


def main(name: str, samples: str, file: str, how: str = "") -> None:
    quiet()
    markers, watched = how == "markers", how == "watched"
    until, found = time.monotonic() + 20, resolve(1.0)
    while markers and not any(f.info.name == f"{name}-markers" for f in found) and time.monotonic() < until:
        found = resolve(1.0)
    # markers first: the outlet begins when somebody listens to the samples
    marked = None
    if any(f.info.name == f"{name}-markers" for f in found):
        marked = pylsl.StreamInlet(select(found, Wanted(f"{name}-markers")).handle, recover=False)
        marked.open_stream(20.0)
    source = LslSource(select(found, Wanted(name)))
    parts: list[np.ndarray] = []
    stamps: list[np.ndarray] = []
    at: list[float] = []
    texts, deadline = [], time.monotonic() + 30
    while sum(len(t) for t in stamps) < int(samples) and time.monotonic() < deadline:
        try:
            wanted = len(stamps) % 7 + 1 if watched else 1
            if watched:  # now and then too briefly, and for other numbers than are pulled
                source.watch(wanted + len(stamps) % 3 - 1, time.perf_counter() + (len(stamps) % 4) * 0.01)
            data, t = source.pull(wanted, 0.05)
        except Lost:
            break
        parts.append(data.copy())
        stamps.append(t.copy())
        at += [pylsl.local_clock()] * len(t)
        text, when = marked.pull_sample(0.0) if marked else (None, 0.0)
        texts += [(when, text[0])] if text else []
    np.savez(
        file,
        data=np.concatenate(parts),
        t=np.concatenate(stamps),
        at=at,
        marker_t=[when for when, _ in texts],
        marker_text=[text for _, text in texts],
        labels=source.info.labels,
        units=source.info.units,
        about=[source.info.stype, source.info.source_id, source.info.dtype, str(source.info.sfreq)],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
