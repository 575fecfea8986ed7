"""Corrections by a language model beside the session: what an event of the log says of one, if it is whole.

They change nothing of the text that was committed; they stand beside it. Knows nothing of HTML.
"""

from dataclasses import dataclass
from typing import Any

from rtdecode.report.clock import LONGEST_S, number

COUNTED = 1 << 31  # sentences of a run, runs of a session: a number beyond it is damage


@dataclass(frozen=True, slots=True)
class Rescored:
    """Another reading of a sentence, said at session second `t`.

    run, utterance  which one, counted from 1;  said, now: as it was committed, and as the model would have it
    confidence      the reading's share of all, in 0..1;  ms: since the sentence's end;  None where unknown
    late            it came after its deadline
    """

    t: float
    run: int
    utterance: int
    said: str
    now: str
    model: str
    confidence: float | None
    ms: float | None
    late: bool


def rescored(event: dict[str, Any], t: float) -> Rescored | None:
    """The correction that an event speaks of; None for any other event, and for half a correction."""
    told = event.get("correction")
    if not isinstance(told, dict):
        return None
    said, now, model = told.get("said"), told.get("now"), told.get("model", "")
    if not (isinstance(said, str) and isinstance(now, str) and isinstance(model, str)):
        return None
    run, utterance = (_count(told.get(key)) for key in ("run", "utterance"))
    share, ms = number(told.get("confidence")), number(told.get("ms"))
    return Rescored(
        t,
        run,
        utterance,
        said,
        now,
        model,
        share if share is not None and 0 <= share <= 1 else None,
        ms if ms is not None and 0 <= ms < 1e3 * LONGEST_S else None,
        told.get("late") is True,
    )


def _count(value: Any) -> int:
    """0 stands for what is not known."""
    return value if type(value) is int and 0 < value < COUNTED else 0
