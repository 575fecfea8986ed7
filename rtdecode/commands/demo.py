"""`rtdecode demo`: the shipped recording as a live LSL stream, decoded live. Nothing is precomputed.

Two real processes and a real stream: `replay` publishes recordings/demo.xdf, `live` decodes it. On a terminal
it is the screen of `rtdecode replay --bundle`, whose bar tells right from wrong while it plays. Without one
the decisions are compared with what the recording says was heard, and with an untrained network on the same
samples.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engine import Engine
from rtdecode.engines.onnx import OnnxSession
from rtdecode.errors import RecordingError
from rtdecode.recordings import Recording, pieces, read
from rtdecode.score import TopK, Truth, cer, heard, top_k
from rtdecode.tracking import TEXT_SETTLES_S
from rtdecode.wording import counted


def run_demo(recordings: Path, *, headless: bool, duration_s: float, since: float | None) -> int:
    """Show the demo; with `headless`, or without a terminal, a summary after `duration_s` seconds."""
    file, bundle = recordings / "demo.xdf", load_bundle(recordings / "demo")
    if not file.is_file():
        raise RecordingError(
            f"there is no {file}", hint="run this in the project's folder, or give --recordings"
        )
    if not headless and sys.stdout.isatty():
        from rtdecode.commands.replay_screen import run_replay_decoded

        return run_replay_decoded(file, bundle.path, headless=False, loop=True)
    name = f"rtdecode-demo-{os.getpid()}"
    with _replay(file, name):
        return _summarise(bundle, file, _decide(name, bundle.path, duration_s, since))


@contextmanager
def _replay(file: Path, name: str) -> Iterator[None]:
    command = [sys.executable, "-m", "rtdecode", "replay", str(file), "--stream", name, "--loop"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _decide(name: str, bundle: Path, duration_s: float, since: float | None) -> list[dict[str, Any]]:
    """The decisions of a real `live --headless`, as parsed JSON."""
    command = [sys.executable, "-m", "rtdecode", "live", "--stream", name, "--bundle", str(bundle)]
    command += ["--headless", "--duration", f"{duration_s:g}", "--wait", "15"]
    decisions: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as live:
        assert live.stdout is not None
        for line in live.stdout:
            if not decisions:
                waited = f" {time.time() - since:.1f} s after the command" if since else ""
                print(f"first decision{waited}; decoding for {duration_s:g} s", file=sys.stderr, flush=True)
            decisions.append(json.loads(line))
    if live.returncode or not decisions:
        gave = counted(len(decisions), "decision")
        raise RecordingError(f"the demo gave {gave}, exit code {live.returncode}")
    return decisions


def _summarise(bundle: Bundle, file: Path, decisions: list[dict[str, Any]]) -> int:
    recording = read(file, "EEG")
    spec = bundle.spec
    candidates = bundle.bank.candidates if bundle.bank else ()
    truth = Truth(candidates, heard((marker.t, marker.text) for marker in recording.markers))
    at = {candidate.id: index for index, candidate in enumerate(candidates)}
    # Truth is known for the recording's first pass: an unbroken run, and no further than its end.
    decisions = [d for d in decisions if d["run"] == 1 and d["sample"] <= len(recording.data)]
    if not decisions:
        raise RecordingError(f"the stream of {file.name} broke before the first decision", hint="try again")
    seconds = [decision["sample"] / spec.stream.sfreq for decision in decisions]
    ranked = top_k(
        (
            ([at[hit["id"]] for hit in decision["retrieved"]["hits"]], truth.candidate(t - spec.delay_s))
            for t, decision in zip(seconds, decisions, strict=True)
        ),
        len(candidates),
    )
    said = "".join(d["text"]["delta"] for d in decisions) + decisions[-1]["text"]["tentative"]
    expected = truth.text(seconds[-1] - TEXT_SETTLES_S)
    untrained, blind = _untrained(bundle, recording, decisions[-1]["sample"], truth)
    total = np.percentile([d["stage_ms"]["total"] for d in decisions], [50, 99])
    infer = np.percentile([d["stage_ms"]["infer"] for d in decisions], [50, 99])
    note = (
        f", simulated listener at {spec.training.times_real:g} x real EEG" if spec.training.times_real else ""
    )
    print(f"demo: {counted(len(decisions), 'decision')} in {seconds[-1]:.1f} s of {file.name}{note}")
    print(f"  heard  {expected}\n  read   {said}")
    rows = [
        ("top-1", f"{ranked.top1:.2f}", f"chance {ranked.chance1:.3f}", f"untrained {untrained.top1:.2f}"),
        (
            "top-10",
            f"{ranked.top10:.2f}",
            f"chance {ranked.chance10:.3f}",
            f"untrained {untrained.top10:.2f}",
        ),
        (
            "CER",
            f"{cer(said, expected):.2f}",
            f"{len(expected)} characters",
            f"untrained {cer(blind, expected):.2f}",
        ),
        (
            "total",
            f"p50 {total[0]:.2f} ms",
            f"p99 {total[1]:.2f} ms",
            "sample readable -> decision published",
        ),
        ("infer", f"p50 {infer[0]:.2f} ms", f"p99 {infer[1]:.2f} ms", f"of a hop of {1e3 * spec.hop_s:g} ms"),
    ]
    for row in rows:
        print("  {:7}{:14}{:16}{}".format(*row))
    print(
        f"  {len(candidates)} candidates, window {decisions[-1]['retrieved']['window_s']:g} s, n = {ranked.n}"
    )
    return 0


def _untrained(bundle: Bundle, recording: Recording, samples: int, truth: Truth) -> tuple[TopK, str]:
    """The same network with untrained weights on the same samples: its ranking and its text."""
    session = OnnxSession(bundle.path / "control.onnx", bundle.spec)
    engine = Engine(bundle, bundle.spec.stream.bind(recording.info), session)
    decisions = []
    for chunk in pieces(recording, 4096):
        keep = max(0, samples - chunk.first)
        decisions += engine.push(chunk._replace(data=chunk.data[:keep], t=chunk.t[:keep]))
        if keep < len(chunk.data):
            break
    spec = bundle.spec
    ranked = top_k(
        (
            (
                [hit.candidate for hit in d.retrieved.hits],
                truth.candidate(d.sample / spec.stream.sfreq - spec.delay_s),
            )
            for d in decisions
            if d.retrieved
        ),
        len(bundle.bank.candidates) if bundle.bank else 1,
    )
    text = "".join(d.text.delta for d in decisions if d.text)
    last = decisions[-1].text if decisions else None
    return ranked, text + (last.tentative if last else "")
