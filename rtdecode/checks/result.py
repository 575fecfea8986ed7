"""What a check found: numbers beside their limits, one sentence of fact and one of what to do.

Knows no stream, no screen and no file; every step of a sitting ends as one `Outcome`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["passed", "failed", "skipped"]
GLYPHS: dict[str, str] = {"passed": "✓", "failed": "✕", "skipped": "–", "": "·"}


@dataclass(frozen=True)
class Measure:
    """One number. value: plain, for machines; text: with its unit; limit: in words, empty where there is
    none; ok: None where nothing depends on it.
    """

    name: str
    value: float | None
    text: str
    limit: str = ""
    ok: bool | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            object.__setattr__(self, "value", None)  # JSON has no such number; the text says it


@dataclass(frozen=True)
class Channel:
    """One channel's part in it. level: 0..1 of a bar; word: what is wrong with it, empty when nothing is."""

    label: str
    text: str
    level: float
    word: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a step ended. measures: the first is what the step is about; remedy: empty when it passed."""

    key: str
    state: State
    said: str
    remedy: str = ""
    measures: tuple[Measure, ...] = ()
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A step before it runs. seconds: of signal; ask: what the listener or the operator should do."""

    key: str
    title: str
    seconds: float
    ask: str


PLANS = (
    Plan("noise", "Noise floor", 20.0, "Sit still, eyes open, and look at one point."),
    Plan("blink", "Blinks", 10.0, "Blink once, firmly, each time the word BLINK appears."),
    Plan("scale", "Scale", 20.0, "Sit still: the signal is compared with that of the training."),
    Plan(
        "delay",
        "Delay",
        10.0,
        "Nothing to do: clocks and the way through this machine are timed.",
    ),
    Plan("story", "Known story", 60.0, "Listen to the story; the decoder does not know where in it you are."),
)
KEYS = tuple(plan.key for plan in PLANS)


def skipped(key: str, why: str, remedy: str = "") -> Outcome:
    return Outcome(key, "skipped", why, remedy)


def failed(key: str, why: str, remedy: str) -> Outcome:
    return Outcome(key, "failed", why, remedy)


def judged(
    key: str,
    measures: tuple[Measure, ...],
    said: str,
    remedies: Mapping[str, str],
    channels: tuple[Channel, ...] = (),
) -> Outcome:
    """Passed when no measure is outside its limit. remedies: by the name of the measure that failed first."""
    wrong = [measure.name for measure in measures if measure.ok is False]
    state: State = "failed" if wrong else "passed"
    return Outcome(key, state, said, remedies[wrong[0]] if wrong else "", measures, channels)


def text_lines(number: int, plan: Plan, outcome: Outcome) -> list[str]:
    """One step as plain lines, for a terminal and for check.txt."""
    lines = [f"{GLYPHS[outcome.state]} {outcome.state:<7}  {number} {plan.title}"]
    for measure in outcome.measures:
        mark = {True: "✓", False: "✕", None: " "}[measure.ok]
        limit = f"   limit {measure.limit}" if measure.limit else ""
        lines.append(f"    {mark} {measure.name:<19} {measure.text}{limit}")
    lines.append(f"    {outcome.said}")
    if wrong := [channel for channel in outcome.channels if channel.word]:
        named = ", ".join(f"{channel.label} {channel.word} ({channel.text})" for channel in wrong[:8])
        lines.append(f"    {named}{f' and {len(wrong) - 8} more' if len(wrong) > 8 else ''}")
    if outcome.remedy:
        lines.append(f"    → {outcome.remedy}")
    return lines


def exit_code(outcomes: Mapping[str, Outcome]) -> int:
    """0: every step ended and none failed (a step may be skipped); 1: one failed; 2: one did not run."""
    if any(outcome.state == "failed" for outcome in outcomes.values()):
        return 1
    ran = any(outcome.state == "passed" for outcome in outcomes.values())
    return 0 if ran and all(key in outcomes for key in KEYS) else 2


def summary(outcomes: Mapping[str, Outcome]) -> str:
    """ "3 passed, 1 failed, 1 skipped"; steps that did not run are said, too."""
    count = {
        state: sum(o.state == state for o in outcomes.values()) for state in ("passed", "failed", "skipped")
    }
    parts = [f"{n} {state}" for state, n in count.items() if n]
    if missing := len(KEYS) - len(outcomes):
        parts.append(f"{missing} not run")
    return ", ".join(parts)
