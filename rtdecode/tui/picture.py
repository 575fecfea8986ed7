"""A made-up session for pictures, tests and the benchmark: `python -m rtdecode.tui.picture OUT.svg`.

The numbers are invented and say nothing about decoding; only the shapes are true to life: alpha over the
back of the head, blinks in front, one flat and one railed channel, a ranking, text, stage times, events.
"""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtdecode.snapshot import (
    BundleCard,
    ChannelState,
    Event,
    Health,
    Onset,
    Quantiles,
    Retry,
    Snapshot,
    State,
    TextLine,
)
from rtdecode.tui.app import LiveApp
from rtdecode.types import Decision, Hit, Hypothesis, Retrieved, StreamInfo

CAP = (
    "Fp1 Fp2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T7 T8 P7 P8 "
    "Fz Cz Pz Oz FC1 FC2 CP1 CP2 FC5 FC6 CP5 CP6 TP9 TP10 PO9 PO10"
)
LABELS = tuple(CAP.split())
SFREQ = 250.0
HOP_S = 0.1
SEGMENTS = (
    "draw me a sheep", "a sheep it must be", "i had never drawn a sheep", "the little prince came closer",
    "he looked at it carefully", "so i made a drawing", "no this one is too old",
    "i want one that lives a long time", "it is only his box", "this is exactly the way i wanted it",
)  # fmt: skip
SPOKEN = (
    (721.0, "she told me about the small planet where he lived"),
    (729.2, "and the flower that he kept under glass"),
    (736.4, "one day i asked him what he wanted"),
    (741.8, "he said please draw me a"),
)
WORD_S = 0.44  # between two words
EVENTS = (
    Event(658.4, "warn", "gap of 48 ms (12 samples): 2 windows skipped, filters restarted"),
    Event(671.0, "info", "bundle demo-story: 32 of 32 channels matched by name, unit µV"),
    Event(738.2, "warn", "F8 at the rail for 31 % of the last second"),
    Event(740.9, "warn", "T8 flat for 2.0 s"),
)


def spoken(elapsed_s: float) -> tuple[TextLine, ...]:
    """The text, and when its newest words were read: the made-up reader goes on and on."""
    words = SPOKEN[-1][1].split()
    newest = int(elapsed_s / WORD_S)
    onsets = tuple(Onset(WORD_S * k, -0.4, words[k % len(words)]) for k in range(newest - 10, newest + 1))
    return (*(TextLine(t, line) for t, line in SPOKEN[:-1]), TextLine(*SPOKEN[-1], onsets))


def labels(channels: int) -> tuple[str, ...]:
    return tuple(LABELS[i] if i < len(LABELS) else f"X{i + 1}" for i in range(channels))


def signal(channels: int, seconds: float, seed: int = 7) -> np.ndarray:
    """(T, C) float32 µV: noise, alpha waxing over the back, blinks over the front, F8 railed, T8 flat."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * SFREQ)
    t = np.arange(samples) / SFREQ
    spectrum = np.fft.rfft(rng.standard_normal((samples, channels)), axis=0)
    freqs = np.fft.rfftfreq(samples, 1 / SFREQ)[:, None]
    spectrum *= np.where((freqs > 0.5) & (freqs < 40), 1 / np.maximum(freqs, 1) ** 0.6, 0)
    x = np.fft.irfft(spectrum, samples, axis=0)
    x *= 7.0 / x.std()
    back = np.array([1.0 if name[0] in "PO" else 0.3 for name in labels(channels)])
    front = np.array(
        [1.0 if name.startswith("Fp") else 0.35 if name[0] == "F" else 0.03 for name in labels(channels)]
    )
    waxing = 0.5 + 0.5 * np.sin(2 * np.pi * 0.31 * t)
    x += (18 * waxing * np.sin(2 * np.pi * 10.1 * t + 0.4 * np.sin(t)))[:, None] * back
    for blink in np.arange(0.9, seconds, 2.7):
        x += (85 * np.exp(-(((t - blink) / 0.09) ** 2)))[:, None] * front
    for i, name in enumerate(labels(channels)):
        if name == "T8":
            x[:, i] = 0.1 * rng.standard_normal(samples)
        if name == "F8":
            x[:, i] = 200 * np.sign(np.sin(2 * np.pi * 0.9 * t))
    return x.astype(np.float32)


class Session:
    """The made-up session at any time. Also a Watcher, when given a clock to follow."""

    def __init__(self, channels: int = 32, span_s: float = 60.0):
        self.x = signal(channels, span_s)
        self.labels = labels(channels)
        glyphs = {"T8": "▁", "F8": "▲"}
        rms = np.sqrt((self.x[:250] ** 2).mean(axis=0))
        self.channels = tuple(
            ChannelState(name, glyphs.get(name, "✓"), float(rms[i])) for i, name in enumerate(self.labels)
        )

    def at(self, elapsed_s: float, published: float = 0.0, window_s: float = 2.0) -> Snapshot:
        """The snapshot written `elapsed_s` into the session."""
        stop = round(elapsed_s * SFREQ)
        shown = np.arange(stop - round(window_s * SFREQ), stop) % len(self.x)
        decided_s = np.floor(elapsed_s / HOP_S) * HOP_S
        wobble = np.sin(np.arange(10) + decided_s)
        odds = np.exp(np.array([3.2, 1.9, 1.2, 0.7, 0.3, 0.1, -0.1, -0.2, -0.4, -0.5]) + 0.1 * wobble)
        probs = odds / odds.sum() * 0.92
        hits = tuple(
            Hit(
                i,
                f"s{i:03d}",
                SEGMENTS[i],
                "Little Prince",
                252.6 + 5.4 * i,
                0.34 - 0.02 * i + 0.01 * wobble[i],
                probs[i],
            )
            for i in range(10)
        )
        stages = {"preprocess": 1.4, "infer": 11.0, "heads": 6.2, "publish": 0.8}
        jitter = float(wobble[0])
        times = {name: Quantiles(ms + 0.1 * jitter, 1.9 * ms, ms) for name, ms in stages.items()}
        decision = Decision(
            index=int(decided_s / HOP_S), run=2, sample=stop, t=elapsed_s,
            retrieved=Retrieved(hits, 50, 3.0), text=Hypothesis("", "she", ""),
        )  # fmt: skip
        return Snapshot(
            state=State.LIVE, state_s=elapsed_s - 660, run=2, elapsed_s=elapsed_s, published=published,
            stream=StreamInfo("actiCHamp-32", "EEG", self.labels, ("uV",) * len(self.labels), SFREQ),
            bundle=BundleCard(
                "demo-story", "uV", (0.5, 40.0), ("TP9", "TP10"), 1000 * HOP_S, 3.0, 50, 200.0, True, True, 8
            ),
            decision=decision, decided_s=float(decided_s), held_s=1.8, agrees=6,
            text=spoken(elapsed_s), tentative="she",
            channels=self.channels, events=EVENTS, event_count=31, signal_sfreq=SFREQ, signal=self.x[shown],
            health=Health(
                {**times, "total": Quantiles(19.6 + jitter, 41.0, 20.0)}, 0.22 + 0.01 * jitter, 250.02, 250.0,
                late=0, skipped=2, lost=12, gaps=1, restarts=1, clock_offset_ms=0.31,
            ),
        )  # fmt: skip


class Still:
    """A watcher whose snapshot is set by hand."""

    def __init__(self, snapshot: Snapshot | None = None):
        self.snapshot, self.stopped = snapshot, False

    def latest(self) -> Snapshot | None:
        return self.snapshot

    def stop(self) -> None:
        self.stopped = True


async def draw(snapshots: list[Snapshot], size: tuple[int, int]) -> str:
    """The screen as SVG after these snapshots, at `size` (columns, lines)."""
    watcher = Still()
    app = LiveApp(watcher, clock=lambda: watcher.snapshot.published if watcher.snapshot else 0.0)
    async with app.run_test(size=size) as pilot:
        for snapshot in snapshots:
            watcher.snapshot = snapshot
            app.update(True)
        await pilot.pause()
        app.update(True)
        await pilot.pause()
        return app.export_screenshot(title="rtdecode live")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rtdecode.tui.picture", description="Draw the screen as SVG."
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="120x36", help="columns x lines")
    parser.add_argument("--state", choices=[state.value for state in State], default="live")
    options = parser.parse_args(arguments)
    columns, lines = (int(part) for part in options.size.split("x"))
    session = Session()
    snapshots = [session.at(758.0), session.at(759.4)]
    if options.state != "live":
        detail = {"failed": "the engine stopped: see the log"}
        snapshots.append(
            replace(
                session.at(759.4),
                state=State(options.state),
                state_s=0.84,
                elapsed_s=760.2,
                detail=detail.get(options.state, ""),
                retry=Retry("named 'actiCHamp-32'", 8, 1.2) if options.state == "lost" else None,
            )
        )
    options.out.write_text(asyncio.run(draw(snapshots, (columns, lines))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
