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
    line["stage_ms"] = {stage: _brief(ms) for stage, ms in stage_ms.items()}
    line["warnings"] = list(decision.warnings)
    return line


def _brief(ms: float) -> float:
    """To four digits; `round` takes four times as long where its code is not in the caches."""
    return math.floor(1e4 * ms + 0.5) / 1e4 if math.isfinite(ms) else ms


class DecisionText:
    """`decision_line` with its kind as JSON text, ten times faster: what a candidate says of itself is
    written once, the rest is put between the words of a form. A decision waits for this text."""

    def __init__(self) -> None:
        self._bank: object = None  # whose candidates these are
        self._said: list[bytes] = []
        self._forms: dict[object, list[bytes]] = {}

    def encode(self, decision: Decision, stage_ms: dict[str, float], offset_s: float | None) -> bytes:
        """One line without its end."""
        d, ranked = decision, decision.retrieved
        t_local = d.t + (offset_s or 0.0)
        if not (isinstance(ranked, Ranked) and math.isfinite(sum(stage_ms.values(), t_local))):
            return _ENCODE({"kind": "decision", **decision_line(d, stage_ms, offset_s)}).encode()
        if ranked.said is not self._bank:
            self._bank = ranked.said
            about = [{key: said[key] for key in _ABOUT} for said in ranked.said]
            self._said = [_ENCODE(said)[1:-1].encode() for said in about]
        count, times = len(ranked.order), (d.t,) if offset_s is None else (d.t, t_local)
        first = [
            d.index,
            d.run,
            d.sample,
            *times,
            ranked.chance,
            ranked.candidates,
            ranked.window_s,
            ranked.margin,
        ]
        stages = [_brief(ms) for ms in stage_ms.values()]
        numbers = orjson.dumps([*first, *ranked.scores, *ranked.probs, *stages])[1:-1].split(b",")
        hits, at = [b""] * (3 * count), len(first)
        hits[0::3] = [self._said[k] for k in ranked.order]
        hits[1::3], hits[2::3] = numbers[at : at + count], numbers[at + count : at + 2 * count]
        text = b"null" if d.text is None else _ENCODE(_text(d.text)).encode()
        warnings = _ENCODE(list(d.warnings)).encode() if d.warnings else b"[]"
        kind = (count, len(times), *stage_ms)
        line = self._forms.setdefault(kind, []) or self._begin(kind, count, len(times) > 1, stage_ms)
        line[1::2] = [*numbers[:at], *hits, text, *numbers[at + 2 * count :], warnings]
        return b"".join(line)

    def _begin(self, kind: object, count: int, has_local: bool, stages: Iterable[str]) -> list[bytes]:
        """The words of a line with so many hits, and between each two of them room for a value."""
        hit = '{{"rank": {}, %, "score": %, "prob": %}}'.format
        local = ', "t_local": %' if has_local else ""
        words = (
            f'{{"kind": "decision", "schema": {SCHEMA}, "index": %, "run": %, "sample": %, "t": %'
            f'{local}, "retrieved": {{"chance": %, "candidates": %, '
            f'"window_s": %, "margin": %, "hits": [{", ".join(map(hit, range(1, count + 1)))}]}}, "text": %, '
            f'"stage_ms": {{{", ".join(f"{_ENCODE(stage)}: %" for stage in stages)}}}, "warnings": %}}'
        ).encode()
        between = words.split(b"%")
        line = self._forms[kind] = [b""] * (2 * len(between) - 1)
        line[0::2] = between
        return line


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
