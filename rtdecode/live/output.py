"""What leaves the core: a decision as a JSON object, and what a picture says of the bundle.

The objects are the schema of `rtdecode live --headless`, described in docs/output.md.
"""

import json
import math
from typing import Any

from rtdecode.bundle import Bundle
from rtdecode.config import to_json
from rtdecode.live.decoding import decision_window_s
from rtdecode.live.story import TEXT_TAIL
from rtdecode.snapshot import BundleCard
from rtdecode.types import Decision, Hit, Hypothesis

SCHEMA = 1
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
    written once. A decision waits for this text."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}  # by candidate

    def encode(self, decision: Decision, stage_ms: dict[str, float], offset_s: float | None) -> bytes:
        """One line without its end."""
        d, retrieved = decision, decision.retrieved
        if retrieved is None or not all(map(math.isfinite, (d.t, retrieved.margin, *stage_ms.values()))):
            return _ENCODE({"kind": "decision", **decision_line(d, stage_ms, offset_s)}).encode()
        local = "" if offset_s is None else f', "t_local": {d.t + offset_s!r}'
        hits = ", ".join([self._hit(rank, hit) for rank, hit in enumerate(retrieved.hits, 1)])
        stages = ", ".join([f'"{stage}": {round(ms, 4)!r}' for stage, ms in stage_ms.items()])
        return (
            f'{{"kind": "decision", "schema": {SCHEMA}, "index": {d.index}, "run": {d.run}, '
            f'"sample": {d.sample}, "t": {d.t!r}{local}, "retrieved": {{"chance": {retrieved.chance!r}, '
            f'"candidates": {retrieved.candidates}, "window_s": {retrieved.window_s!r}, '
            f'"margin": {retrieved.margin!r}, "hits": [{hits}]}}, "text": {_ENCODE(_text(d.text))}, '
            f'"stage_ms": {{{stages}}}, "warnings": {_ENCODE(list(d.warnings))}}}'
        ).encode()

    def _hit(self, rank: int, hit: Hit) -> str:
        said = self._said.get(hit.candidate)
        if said is None:
            about = {"id": hit.id, "text": hit.text, "source": hit.source, "start": hit.start}
            said = self._said[hit.candidate] = _ENCODE(about)[1:-1]
        return f'{{"rank": {rank}, {said}, "score": {hit.score!r}, "prob": {hit.prob!r}}}'


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
