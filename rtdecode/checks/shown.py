"""What a screen needs of a sitting, frozen: no stream, no decoder."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rtdecode.checks.result import PLANS, Outcome, Plan
from rtdecode.snapshot import ChannelState

Phase = Literal["ready", "running", "working", "over"]


@dataclass(frozen=True, eq=False)
class Shown:
    """at: the step that is next or under way, an index of `plans`;  outcomes: None before a step ran

    elapsed_s, total_s  of the step's signal;  prompt: now is the moment to blink;  prompts: so many so far
    signal    (T, C) the newest seconds, filtered, in the bundle's unit, at signal_sfreq Hz
    frontal   channels above the eyes;  note: what is wrong with the stream, empty when nothing is
    times_real  planted response over real EEG's; None when the bundle's training was real
    """

    stream: str
    channels: int
    sfreq: float
    bundle: str
    unit: str
    at: int = 0
    phase: Phase = "ready"
    plans: tuple[Plan, ...] = PLANS
    outcomes: tuple[Outcome | None, ...] = (None,) * len(PLANS)
    elapsed_s: float = 0.0
    total_s: float = 0.0
    prompt: bool = False
    prompts: int = 0
    quality: tuple[ChannelState, ...] = ()
    signal: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    signal_sfreq: float = 0.0
    frontal: tuple[int, ...] = ()
    note: str = ""
    times_real: float | None = None

    @property
    def plan(self) -> Plan:
        return self.plans[self.at]
