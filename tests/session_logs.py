"""A session log made by hand, with everything planted that a report must find again.

30 s of 8 channels at 128 Hz in two runs (a gap of 1.5 s after 16 s), a decision every 0.25 s, markers that
tell what was heard, channels that fail at known seconds, and texts that would be markup if let through.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.session.manifest import create, manifest
from rtdecode.session.writer import LogWriter
from rtdecode.types import StreamInfo
from tests.bundles import LABELS, SFREQ

HOSTILE = (
    "<script>document.title='owned'</script>\"'><img src=http://example.invalid/x onerror=alert(1)>&amp;"
)
BEGAN, OFFSET = 5000.0, 0.25  # this machine's clock at session second 0; from the stream's clock to it
FIRST, GAP_AT, GAP_S, STOP = 1.0, 17.0, 1.5, 32.5  # session seconds of the first sample, the gap and the end
HOP_S, WINDOW_S, LAG_S = 0.25, 1.5, 0.02  # LAG_S: from a stamp to the line that speaks of it
HEARD_AT, HEARD_S = 2.0, 18.0
LATE_MS = 400.0
FLAT, GONE, RAILED = (3, 6.0, 9.0), (5, 20.5, 22.5), (7, 10.0, 12.0)  # channel, from, to: session seconds


def truth_at(t: float, candidates: int) -> int | None:
    """The candidate that is heard at a session second: segments of 0.5 s from second 1.5 of the sound on."""
    k = int((t - HEARD_AT - 1.5) // 0.5)
    return k if 0 <= t - HEARD_AT < HEARD_S and 0 <= k < candidates else None


def rank_of(index: int) -> int:
    """How well decision `index` ranks what is heard: first, second, not among ten."""
    return (1, 2, 11)[index % 3]


def write_session(path: Path, bundle: Bundle, *, closed: bool = True, health: bool = True) -> Path:
    """Write the log into the new directory `path`."""
    create(path, manifest(bundle.path, {"engine": "onnx", "markers": HOSTILE}))
    writer = LogWriter(path)
    labels = tuple(HOSTILE[:40] if c == FLAT[0] else label for c, label in enumerate(LABELS))
    writer.stream(
        StreamInfo(HOSTILE, "EEG", labels, ("microvolts",) * 8, SFREQ, "i", "u", "lab"), list(range(8))
    )
    lines: list[tuple[float, dict[str, Any]]] = list(_lines(bundle, health))
    rng = np.random.default_rng(0)
    samples = 0
    for run, begin, stop in ((1, FIRST, GAP_AT), (2, GAP_AT + GAP_S, STOP)):
        writer.run(run, samples)
        t = begin + np.arange(round((stop - begin) * SFREQ)) / SFREQ
        data = _signal(rng, t)
        for at in range(0, len(t), 32):
            writer.samples(data[at : at + 32], t[at : at + 32] + BEGAN - OFFSET)
            samples += len(t[at : at + 32])
            if at == 0:
                writer.clock(BEGAN + begin, OFFSET)
            while lines and lines[0][0] <= t[min(at + 32, len(t) - 1)]:
                writer.line(json.dumps(lines.pop(0)[1]).encode() + b"\n")
    for _, line in lines:
        writer.line(json.dumps(line).encode() + b"\n")
    if closed:
        writer.close()
    else:
        writer.flush()
        writer.abandon()
    return path


def _signal(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    data = rng.normal(size=(len(t), 8)).astype(np.float32) * 10
    for (channel, start, stop), value in ((FLAT, 4.0), (GONE, np.nan), (RAILED, None)):
        where = (t >= start) & (t < stop)
        data[where, channel] = np.clip(data[where, channel], -1, 1) if value is None else value
    return data


def _lines(bundle: Bundle, health: bool) -> list[tuple[float, dict[str, Any]]]:
    """(when written, line), in order."""
    marker = {"kind": "sentence", "text": "planted", "stimulus": "planted", "duration": HEARD_S}
    found = [
        _event(HEARD_AT, "mark", json.dumps(marker)),
        _event(HEARD_AT + 0.01, "mark", HOSTILE),
        _event(4.4, "warn", f"{HOSTILE}: used as it is"),
        _event(
            GAP_AT + GAP_S, "warn", f"192 samples ({GAP_S:.3f} s) are missing by their stamps: run 2 begins"
        ),
    ]
    for at in range(20):
        word = {"kind": "word", "text": f"w{at}", "stimulus": "planted", "duration": 0.3}
        found.append(_event(4 + 0.53 * at, "mark", json.dumps(word)))
    for t, state in ((0.1, "connecting"), (FIRST, "filling"), (FIRST + WINDOW_S, "live"), (17.5, "stale"),
                     (GAP_AT + GAP_S, "filling"), (GAP_AT + GAP_S + WINDOW_S, "live")):  # fmt: skip
        found.append((t, {"kind": "state", "state": state, "run": 1, "t": t}))
    index = 0
    for run, begin, stop in ((1, FIRST, GAP_AT), (2, GAP_AT + GAP_S, STOP)):
        for t in np.arange(begin + WINDOW_S, stop, HOP_S):
            found.append((t + LAG_S, _decision(bundle, index, run, float(t), float(t - begin))))
            index += 1
    if health:
        for t in np.arange(5.0, STOP, 5.0):
            age = {"p50": 1e3 * LAG_S, "p99": 30.0, "last": 20.0, "max": 31.0}
            stages = {"publish": {"p50": 0.2, "p99": 0.4, "last": 0.2, "max": 0.5}}
            counted = {"late": 7, "skipped": 3, "lost": 192, "gaps": 1, "restarts": 2, "backward": 4}
            line = {"stages": stages, "load": 0.01 * t, "rate_hz": 127.9, "nominal_hz": SFREQ, "age": age}
            found.append((t, {"kind": "health", "state": "live", "t": float(t), **line, **counted}))
    return sorted(found, key=lambda pair: pair[0])


def _event(t: float, level: str, text: str) -> tuple[float, dict[str, Any]]:
    return t, {"kind": "event", "t": t, "level": level, "text": text}


def _decision(bundle: Bundle, index: int, run: int, t: float, into_run_s: float) -> dict[str, Any]:
    assert bundle.bank
    ids = [candidate.id for candidate in bundle.bank.candidates]
    truth = truth_at(t, len(ids))
    best = [ident for at, ident in enumerate(ids) if at != truth][:10]
    if truth is not None and rank_of(index) <= 10:
        best.insert(rank_of(index) - 1, ids[truth])
    hits = [
        {"rank": rank, "id": ident, "text": HOSTILE, "source": "planted", "start": 0.0, "score": 0.5,
         "prob": 0.4 / rank}
        for rank, ident in enumerate(best[:10], 1)
    ]  # fmt: skip
    words: list[dict[str, Any]] = []
    if index % 2 == 0:
        text = HOSTILE if index == 4 else f"w{index // 2}"
        confidence = (0.3, 0.7, 0.9, 0.99)[index // 2 % 4]
        words = [{"text": text, "start": -1.0, "stop": -0.6, "confidence": confidence, "delay_s": 0.75}]
    delta = "".join(word["text"] + " " for word in words)
    return {
        "kind": "decision", "schema": 1, "index": index, "run": run, "sample": round(into_run_s * SFREQ),
        "t": BEGAN - OFFSET + t, "t_local": BEGAN + t,
        "retrieved": {"chance": 1 / len(ids), "candidates": len(ids), "window_s": WINDOW_S, "margin": 0.2,
                      "hits": hits},
        "text": {"committed": "", "committed_chars": 0, "delta": delta, "tentative": "", "words": words,
                 "ended": "silence" if index % 20 == 18 else "", "corrected":
                 [{"said": HOSTILE, "now": "w"}] if index == 18 else [], "pace": None},
        "stage_ms": {"preprocess": 0.1, "infer": 1.0 + index / 100, "heads": 0.5,
                     "total": LATE_MS if index == 30 else 3.0},
        "warnings": [HOSTILE] if index == 5 else [],
    }  # fmt: skip
