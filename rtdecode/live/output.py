"""What leaves the core: a decision as a JSON object, and what a picture says of the bundle.

The objects are the schema of `rtdecode live --headless`, described in docs/output.md.
"""

import json
import math
from collections.abc import Iterable
from typing import Any

import orjson

from rtdecode.bundle import Bundle
from rtdecode.config import to_json
from rtdecode.live.decoding import decision_window_s
from rtdecode.live.story import TEXT_TAIL
from rtdecode.snapshot import BundleCard
from rtdecode.types import Decision, Hypothesis, Ranked

SCHEMA = 1
_ABOUT = ("id", "text", "source", "start")  # what a candidate says of itself
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def decision_line(decision: Decision, stage_ms: dict[str, float], offset_s: float | None) -> dict[str, Any]:
    """stage_ms: milliseconds by stage, with "total"; offset_s: from the stream's clock to ours, if known."""
    retrieved, text = decision.retrieved, decision.text
    line: dict[str, Any] = {
        "schema": SCHEMA,
        "index": decision.index,
        "run": decision.run,
        "sample": decision.sample,
        "t": decision.t,
    }
    if offset_s is not None:
        line["t_local"] = decision.t + offset_s
    line["retrieved"] = retrieved and {
        "chance": retrieved.chance,
        "candidates": retrieved.candidates,
        "window_s": retrieved.window_s,
        "margin": retrieved.margin,
        "hits": [
            {
                "rank": rank,
                "id": hit.id,
                "text": hit.text,
                "source": hit.source,
                "start": hit.start,
                "score": hit.score,
                "prob": hit.prob,
            }
            for rank, hit in enumerate(retrieved.hits, 1)
        ],
    }
    line["text"] = _text(text)
    line["stage_ms"] = {stage: round(ms, 4) for stage, ms in stage_ms.items()}
    line["warnings"] = list(decision.warnings)
    return line


class DecisionText:
    """`decision_line` with its kind as JSON text, several times faster: what a candidate says of itself is
    written once, the rest is filled into a form. A decision waits for this text."""

    def __init__(self) -> None:
        self._bank: object = None  # whose candidates these are
        self._said: list[str] = []
        self._forms: dict[object, str] = {}

    def encode(self, decision: Decision, stage_ms: dict[str, float], offset_s: float | None) -> bytes:
        """One line without its end."""
        d, ranked = decision, decision.retrieved
        t_local = d.t + (offset_s or 0.0)
        if not (isinstance(ranked, Ranked) and math.isfinite(sum(stage_ms.values(), t_local))):
            return self._plain(d, stage_ms, offset_s)
        count, kind = len(ranked.order), (len(ranked.order), offset_s is None, *stage_ms)
        form = self._forms.get(kind) or self._forms.setdefault(
            kind, _form(count, offset_s is not None, stage_ms)
        )
        if ranked.said is not self._bank:
            self._bank = ranked.said
            self._said = [_ENCODE({key: about[key] for key in _ABOUT})[1:-1] for about in ranked.said]
        times = (d.t,) if offset_s is None else (d.t, t_local)
        numbers = [*times, ranked.chance, ranked.window_s, ranked.margin, *ranked.scores, *ranked.probs]
        shortest = orjson.dumps(numbers).decode()[1:-1].split(",")
        hits = [""] * (3 * count)
        hits[0::3] = [self._said[k] for k in ranked.order]
        hits[1::3], hits[2::3] = shortest[-2 * count : -count], shortest[-count:]
        text = "null" if d.text is None else _ENCODE(_text(d.text))
        warnings = _ENCODE(list(d.warnings)) if d.warnings else "[]"
        first, between = shortest[: -2 * count - 2], shortest[-2 * count - 2 : -2 * count]
        about = (d.index, d.run, d.sample, *first, ranked.candidates, *between)
        return (form % (*about, *hits, text, *stage_ms.values(), warnings)).encode()

    def _plain(self, decision: Decision, stage_ms: dict[str, float], offset_s: float | None) -> bytes:
        return _ENCODE({"kind": "decision", **decision_line(decision, stage_ms, offset_s)}).encode()


def _form(count: int, has_local: bool, stages: Iterable[str]) -> str:
    """How a line is written that has so many hits."""
    times = '"t": %s, "t_local": %s' if has_local else '"t": %s'
    hits = ", ".join(f'{{"rank": {rank}, %s, "score": %s, "prob": %s}}' for rank in range(1, count + 1))
    took = ", ".join(f'"{stage}": %.4f' for stage in stages)
    return (
        f'{{"kind": "decision", "schema": {SCHEMA}, "index": %d, "run": %d, "sample": %d, {times}, '
        f'"retrieved": {{"chance": %s, "candidates": %d, "window_s": %s, "margin": %s, "hits": [{hits}]}}, '
        f'"text": %s, "stage_ms": {{{took}}}, "warnings": %s}}'
    )


def _text(text: Hypothesis | None) -> dict[str, Any] | None:
    if text is None:
        return None
    return {
        "committed": text.committed[-TEXT_TAIL:],
        "committed_chars": len(text.committed),
        "delta": text.delta,
        "tentative": text.tentative,
        "words": [to_json(word) for word in text.words],
        "ended": text.ended,
        "corrected": [to_json(change) for change in text.corrected],
        "pace": None if text.pace is None else to_json(text.pace),
    }


def bundle_card(bundle: Bundle) -> BundleCard:
    """What the screen says of the bundle."""
    spec = bundle.spec
    return BundleCard(
        name=spec.name,
        unit=spec.stream.unit,
        band_hz=(spec.preprocess.highpass_hz, spec.preprocess.lowpass_hz)
        if spec.preprocess.lowpass_hz
        else (),
        reference=spec.stream.reference,
        hop_ms=1e3 * spec.hop_s,
        window_s=decision_window_s(bundle),
        candidates=len(bundle.bank.candidates) if bundle.bank else 0,
        delay_ms=1e3 * spec.delay_s,
        has_retrieval=spec.retrieval is not None,
        has_text=spec.text is not None,
        times_real=spec.training.times_real,
    )
