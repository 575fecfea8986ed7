"""What leaves the core: a decision as a JSON object, and what a picture says of the bundle.

The objects are the schema of `rtdecode live --headless`, described in docs/output.md.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import orjson

from rtdecode.bundle import Bundle
from rtdecode.config import to_json
from rtdecode.kernels import MOST, kernels
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
    return float(f"{ms:.4f}")


class DecisionText:
    """`decision_line` with its kind as JSON text, twenty times faster: what a candidate says of itself is
    written once, the rest is put into the places of a form. A decision waits for this text."""

    def __init__(self) -> None:
        self._bank: object = None  # whose candidates these are
        self._said: list[bytes] = []
        self._forms: dict[object, tuple[bytes, bytes]] = {}
        compiled = kernels()
        self._splice = compiled.splice if compiled else _splice

    def encode(self, decision: Decision, stage_ms: dict[str, float], offset_s: float | None) -> bytes:
        """One line without its end."""
        d, ranked = decision, decision.retrieved
        t_local = d.t + (offset_s or 0.0)
        finite = math.isfinite(sum(stage_ms.values(), t_local))
        if not (finite and isinstance(ranked, Ranked) and len(ranked.order) <= MOST):
            return _ENCODE({"kind": "decision", **decision_line(d, stage_ms, offset_s)}).encode()
        if ranked.said is not self._bank:
            self._bank = ranked.said
            about = [{key: said[key] for key in _ABOUT} for said in ranked.said]
            self._said = [_ENCODE(said)[1:-1].encode() for said in about]
        kind = (len(ranked.order), offset_s is None, *stage_ms)
        form, stages = self._forms.get(kind) or self._begin(kind, len(ranked.order), offset_s, stage_ms)
        shown = (ranked.chance, ranked.candidates, ranked.window_s, ranked.margin)
        row = [d.index, d.run, d.sample, d.t, t_local, *shown, *ranked.scores, *ranked.probs]
        pieces = [self._said[k] for k in ranked.order]
        pieces.append(b"null" if d.text is None else _ENCODE(_text(d.text)).encode())
        pieces.append(stages % tuple(stage_ms.values()))
        pieces.append(_ENCODE(list(d.warnings)).encode() if d.warnings else b"[]")
        return self._splice(form, orjson.dumps(row), pieces)

    def _begin(
        self, kind: object, count: int, offset_s: float | None, stages: Iterable[str]
    ) -> tuple[bytes, bytes]:
        """The form of a line with so many hits, its places as `kernels.splice` knows them, and that of its
        stages."""

        def number(k: int) -> str:
            return "\1" + chr(k)

        def piece(k: int) -> str:
            return "\2" + chr(k)

        hits = ", ".join(
            f'{{"rank": {k + 1}, {piece(k)}, "score": {number(9 + k)}, "prob": {number(9 + count + k)}}}'
            for k in range(count)
        )
        local = "" if offset_s is None else f', "t_local": {number(4)}'
        form = (
            f'{{"kind": "decision", "schema": {SCHEMA}, "index": {number(0)}, "run": {number(1)}, '
            f'"sample": {number(2)}, "t": {number(3)}{local}, "retrieved": {{"chance": {number(5)}, '
            f'"candidates": {number(6)}, "window_s": {number(7)}, "margin": {number(8)}, "hits": [{hits}]}}, '
            f'"text": {piece(count)}, "stage_ms": {{{piece(count + 1)}}}, "warnings": {piece(count + 2)}}}'
        ).encode("latin-1")
        names = ", ".join(f"{_ENCODE(stage).replace('%', '%%')}: %.4f" for stage in stages)
        self._forms[kind] = form, names.encode()
        return self._forms[kind]


_PLACE = re.compile(b"[\1\2].", re.DOTALL)


def _splice(form: bytes, numbers: bytes, pieces: list[bytes]) -> bytes:
    """As kernels.splice."""
    found = {1: numbers[1:-1].split(b","), 2: pieces}
    return _PLACE.sub(lambda place: found[place[0][0]][place[0][1]], form)


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
