"""The decoder itself: chunks in, decisions out. Synchronous; no threads, no streams, no clock of its own.

    Chunk -> ChannelMap -> Preprocess -> Ring -> Windower -> Session -> Retriever, Transcriber -> Decision

The same class decodes a live stream and evaluates a recording offline, so both give the same decisions.
"""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from rtdecode.bundle import Bundle, BundleSpec
from rtdecode.engines import Frames, Session
from rtdecode.preprocess import Preprocess
from rtdecode.quality import finite_test
from rtdecode.retrieve import Retriever
from rtdecode.ring import Ring
from rtdecode.transcribe import Transcriber
from rtdecode.types import Chunk, Decision, Retrieved
from rtdecode.window import Windower

NARROW_S = 2.0  # late for so long, text is searched narrowly: a short stall changes no word


class Mapper(Protocol):
    """From a stream's channels to the model's: a ChannelMap, or one that keeps bad channels out."""

    def apply(self, data: np.ndarray) -> np.ndarray: ...


class Engine:
    """One stream's decoder.

    bundle   what to decode with;  channels  the map from this stream's channels to the model's
    session  runs the network;     timer     seconds, only for the stage times
    """

    def __init__(
        self,
        bundle: Bundle,
        channels: Mapper,
        session: Session,
        timer: Callable[[], float] = time.perf_counter,
    ):
        spec = bundle.spec
        self.bundle, self.channels, self.session, self._timer = bundle, channels, session, timer
        self.preprocess = Preprocess(spec.preprocess)
        self._ring = Ring(spec.model.size + spec.model.hop, len(spec.stream.labels))
        self._windows = Windower(self._ring, spec.model.size, spec.model.hop)
        # a step model's frames never change: each is compared with the bank once
        hop = spec.model.hop // spec.model.stride if spec.model.mode == "step" else None
        self.retriever = (
            Retriever(spec.retrieval, bundle.bank, spec.frame_rate, hop=hop)
            if spec.retrieval and bundle.bank
            else None
        )
        self.transcriber = Transcriber(spec.text, spec.frame_rate, *bundle.language) if spec.text else None
        self._no_frames = np.empty((0, bundle.bank.features.shape[1] if bundle.bank else 0), np.float32)
        # nothing of a window that is left out is missed later
        self._forgetful = session.info().mode == "window" and not self.transcriber
        self._all_finite = finite_test()
        # at hand: a decision does not wait for what is looked up
        self._stride, self._baseline = spec.model.stride, spec.model.baseline
        self.run = self.skipped = 0
        self.reset()

    def reset(self) -> None:
        """Start a new run: sample 0, all state forgotten. Called at every gap."""
        self.preprocess.reset()
        self._ring.reset()
        self._windows.reset()
        self.session.reset()
        if self.retriever:
            self.retriever.reset()
        if self.transcriber:
            self.transcriber.reset()
        self.run += 1
        self._next_sample = 0
        self._awaited, self._due = -1, 0  # the window that comes next, and the sample after its last
        self._decisions = self._late = 0

    @property
    def filled_s(self) -> tuple[float, float]:
        """Seconds gathered for the first decision, and seconds it needs."""
        need = _first_decision(self.bundle.spec)
        return min(self._ring.stop, need) / self.bundle.spec.preprocess.sfreq, self.first_decision_s

    @property
    def first_decision_s(self) -> float:
        """Seconds of unbroken signal before the first decision."""
        return _first_decision(self.bundle.spec) / self.bundle.spec.preprocess.sfreq

    def samples_to_next_hop(self) -> int:
        """Raw samples still missing before the next window can be run; at least 1."""
        windows = self._windows
        if windows.start != self._awaited:  # asked for several times a hop
            self._awaited = windows.start
            self._due = self.preprocess.resampler.newest_input(windows.start + windows.size - 1) + 1
        return max(1, self._due - self._next_sample)

    def push(self, chunk: Chunk, rank: bool = True) -> list[Decision]:
        """Decide as often as the chunk allows: it may hold many hops, or be empty, which changes nothing.

        rank  False: the hops of this chunk are late and decide nothing; they are counted in `skipped` and
        in the index of the next decision. The network takes its step, unless its windows have no memory; the
        text takes every frame, searched narrowly once that goes on for NARROW_S.

        ValueError if the chunk does not continue the run: a gap must be answered by `reset`, which belongs
        to whoever watches the stream's clock.
        """
        if chunk.first != self._next_sample:
            raise ValueError(f"chunk starts at sample {chunk.first}, the run goes on at {self._next_sample}")
        decisions: list[Decision] = []
        done = 0
        while True:  # once for an empty chunk, too: all that it passes through is then warm
            piece = slice(done, min(done + self.samples_to_next_hop(), len(chunk.data)))
            began = self._timer()
            self._ring.write(self.preprocess.push(self.channels.apply(chunk.data[piece])))
            preprocess_s = self._timer() - began
            done = piece.stop
            self._next_sample = chunk.first + done
            if self._windows.ready():
                decision = self._decide(float(chunk.t[done - 1]), preprocess_s, rank)
                if decision:
                    decisions.append(decision)
            if done == len(chunk.data):
                return decisions

    def _decide(self, t: float, preprocess_s: float, rank: bool) -> Decision | None:
        window = self._windows.next()
        if not rank and self._forgetful and self.retriever and self.retriever.ready():
            self._skip()
            return None
        start = self._timer()
        frames = self.session.run(self._input(window.x))
        inferred = self._timer()
        self._check(frames)
        if self.transcriber and frames.log_probs is not None:
            self._late = 0 if rank else self._late + 1
            self.transcriber.push(frames.log_probs, late=self._late * self.bundle.spec.hop_s > NARROW_S)
        if self.retriever and frames.estimate is not None:
            self.retriever.push(frames.estimate, window.stop // self._stride)
            if not self.retriever.ready():
                return None
        if not rank:  # its text comes with the next decision
            self._skip()
            return None
        retrieved, warnings = self._retrieved()
        hypothesis = self.transcriber.take() if self.transcriber else None
        stage_ms = {
            "preprocess": 1e3 * preprocess_s,
            "infer": 1e3 * (inferred - start),
            "heads": 1e3 * (self._timer() - inferred),
        }
        index, self._decisions = self._decisions, self._decisions + 1
        return Decision(index, self.run, self._next_sample, t, retrieved, hypothesis, stage_ms, warnings)

    def _retrieved(self) -> tuple[Retrieved | None, tuple[str, ...]]:
        """The ranking of the newest window, or why there is none."""
        if not (self.retriever and self.retriever.ready()):
            return None, ()
        if self.retriever.ended():
            stimulus_s = self.retriever.stimulus_frames / self.bundle.spec.frame_rate
            return None, (f"the stimulus of {stimulus_s:.1f} s is over: nothing to compare with",)
        return self.retriever.rank(), ()

    def rehearse(self, network: bool = True) -> bool:
        """Decide once more as before and forget it; False where nothing was decided yet. network: or only
        what follows it.

        A decoder that sleeps between hops finds the caches cold: the first use costs up to five times the
        second. Done just before a hop is complete, it is the rehearsal that pays. It changes no state.
        """
        if not self._decisions:
            return False
        if network:
            last = self._windows.start - self._windows.hop
            if last < self._ring.first:
                return False
            self.session.rehearse(self._input(self._ring.read(last, last + self._windows.size)))
        if self.retriever:
            self.retriever.push(self._no_frames, self.retriever.stop)
        retrieved, warnings = self._retrieved()
        Decision(0, self.run, self._next_sample, 0.0, retrieved, None, {}, warnings)
        return True

    def _input(self, x: np.ndarray) -> np.ndarray:
        """What the network is given of a window."""
        if self._baseline:
            x = x - x[: self._baseline].mean(axis=0)
        return np.ascontiguousarray(x)

    def _check(self, frames: Frames) -> None:
        for head in frames:
            if head is not None and not self._all_finite(head):
                raise ArithmeticError("the network's output is not finite")

    def _skip(self) -> None:
        self._decisions += 1
        self.skipped += 1


def _first_decision(spec: BundleSpec) -> int:
    """Model samples that the first decision needs."""
    need = spec.model.size
    if spec.retrieval:
        onset = spec.retrieval.delay if spec.retrieval.align == "onset" else 0
        need = max(need, (spec.retrieval.frames + onset) * spec.model.stride)
    return -(-(need - spec.model.size) // spec.model.hop) * spec.model.hop + spec.model.size
