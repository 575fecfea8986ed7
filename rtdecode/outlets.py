"""Results as LSL streams, for whoever acts on them: three outlets, never waiting for a reader.

    PREFIX-retrieved  strings, irregular: one JSON object per ranking
    PREFIX-scores     float64, irregular: the same in numbers, one channel each (SCORES)
    PREFIX-text       strings, irregular: one JSON object per piece of committed text, numbered without a hole

Every sample is stamped with the decision's own time on this machine's LSL clock. Knows nothing of decoding.
"""

import json
import math
import platform
from typing import Any

import pylsl

from rtdecode.config import to_json
from rtdecode.types import Decision

SCORES = ("index", "run", "sample", "top1_prob", "top1_score", "margin", "chance", "candidates")
UNITS = ("count", "count", "sample", "probability", "cosine", "probability", "probability", "count")
SCHEMA = 1


class Outlets:
    """prefix: the streams' names begin with it. has_*: which heads the bundle has; the rest is not opened."""

    def __init__(self, prefix: str, *, has_retrieval: bool = True, has_text: bool = True):
        self._retrieved = self._scores = self._text = None
        if has_retrieval:
            self._retrieved = pylsl.StreamOutlet(_info(prefix, "retrieved", "Markers", 1, "string"))
            about = _info(prefix, "scores", "Scores", len(SCORES), "double64")
            about.set_channel_labels(list(SCORES))
            about.set_channel_units(list(UNITS))
            self._scores = pylsl.StreamOutlet(about)
        if has_text:
            self._text = pylsl.StreamOutlet(_info(prefix, "text", "Markers", 1, "string"))
        self._said = 0

    def decided(self, decision: Decision, offset_s: float | None) -> None:
        """Push one decision. offset_s: from the stream's clock to ours; unknown, the present is the stamp."""
        local = decision.t + offset_s if offset_s is not None else math.nan
        stamp = local if math.isfinite(local) else pylsl.local_clock()
        if self._retrieved is not None and self._scores is not None and decision.retrieved:
            self._retrieved.push_sample([_json(_ranking(decision))], stamp)
            self._scores.push_sample(_numbers(decision), stamp)
        if (
            self._text is not None
            and (text := decision.text)
            and (text.delta or text.ended or text.corrected)
        ):
            self._text.push_sample([_json(_delta(decision, self._said))], stamp)
            self._said += 1


def _where(decision: Decision) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "index": decision.index,
        "run": decision.run,
        "sample": decision.sample,
        "t": decision.t,
    }


def _ranking(decision: Decision) -> dict[str, Any]:
    found = decision.retrieved
    assert found is not None
    hits = [
        {"id": hit.id, "text": hit.text, "source": hit.source, "score": hit.score, "prob": hit.prob}
        for hit in found.hits
    ]
    level = {"chance": found.chance, "candidates": found.candidates, "margin": found.margin}
    return {**_where(decision), **level, "hits": hits, "warnings": list(decision.warnings)}


def _numbers(decision: Decision) -> list[float]:
    found = decision.retrieved
    assert found is not None
    where = [float(decision.index), float(decision.run), float(decision.sample)]
    first = found.hits[0]
    return [*where, first.prob, first.score, found.margin, found.chance, float(found.candidates)]


def _delta(decision: Decision, number: int) -> dict[str, Any]:
    """number: counts these messages over the whole session, so that a reader sees what it missed."""
    text = decision.text
    assert text is not None
    said = {"seq": number, "delta": text.delta, "committed_chars": len(text.committed), "ended": text.ended}
    said["words"] = [to_json(word) for word in text.words]
    if text.corrected:
        said["corrected"] = [to_json(change) for change in text.corrected]
    return {**_where(decision), **said}


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _info(prefix: str, kind: str, stype: str, channels: int, form: str) -> pylsl.StreamInfo:
    # the same id at every start on this machine: readers that recover streams find it again
    source_id = f"rtdecode-{platform.node()}-{prefix}-{kind}"
    return pylsl.StreamInfo(f"{prefix}-{kind}", stype, channels, pylsl.IRREGULAR_RATE, form, source_id)
