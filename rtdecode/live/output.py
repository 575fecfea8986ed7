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
    """To a tenth of a microsecond."""
    return int(ms * 1e4 + 0.5) / 1e4 if math.isfinite(ms) else ms


class DecisionText:
    """`decision_line` with its kind as JSON text, twenty times faster: what a candidate says of itself is
    written once, the rest is put into the places of a form. A decision waits for this text."""

    def __init__(self) -> None:
        self._bank: object = None  # whose candidates these are, and of what windows
        self._window_s = 0.0
        self._said: list[bytes] = []
        self._forms: dict[object, bytes] = {}
        compiled = kernels()
        self._splice = compiled.splice if compiled else _splice

    def encode(self, decision: Decision, stage_ms: dict[str, float], offset_s: float | None) -> bytes:
        """One line without its end."""
        d, ranked = decision, decision.retrieved
        t_local = d.t + (offset_s or 0.0)
        try:
            times = [int(ms * 1e4 + 0.5) / 1e4 for ms in stage_ms.values()]
        except (ValueError, OverflowError):  # of what is no number, or infinite
            times = None
        if not isinstance(ranked, Ranked) or len(ranked.order) > MOST or t_local - t_local or times is None:
            return _ENCODE({"kind": "decision", **decision_line(d, stage_ms, offset_s)}).encode()
        if ranked.said is not self._bank or ranked.window_s != self._window_s:
            self._turn_to(ranked)
        probs, about = ranked.probs, self._said
        kind = (len(probs), offset_s is None, d.text is None, not d.warnings)
        form = self._forms.get((*kind, *stage_ms)) or self._begin(ranked, stage_ms, *kind)
        row = [d.index, d.run, d.sample, d.t, t_local, ranked.margin, *ranked.scores, *probs, *times]
        pieces = [about[k] for k in ranked.order]
        if d.text is not None:
            pieces.append(_ENCODE(_text(d.text)).encode())
        if d.warnings:
            pieces.append(_ENCODE(list(d.warnings)).encode())
        return self._splice(form, orjson.dumps(row), pieces)

    def _turn_to(self, ranked: Ranked) -> None:
        """What follows is of this bank, and of windows so long."""
        self._bank, self._window_s = ranked.said, ranked.window_s
        about = [{key: said[key] for key in _ABOUT} for said in ranked.said]
        self._said = [_ENCODE(said)[1:-1].encode() for said in about]
        self._forms.clear()

    def _begin(
        self, ranked: Ranked, stages: Iterable[str], count: int, nowhere: bool, silent: bool, sound: bool
    ) -> bytes:
        """The form of such a line, its places as `kernels.splice` knows them. nowhere: without our own time;
        silent: without text;  sound: without warnings"""

        def number(k: int) -> str:
            return "\1" + chr(k)

        def piece(k: int) -> str:
            return "\2" + chr(k)

        hits = ", ".join(
            f'{{"rank": {k + 1}, {piece(k)}, "score": {number(6 + k)}, "prob": {number(6 + count + k)}}}'
            for k in range(count)
        )
        local = "" if nowhere else f', "t_local": {number(4)}'
        shown = f'"chance": {_ENCODE(ranked.chance)}, "candidates": {ranked.candidates}'
        times = ", ".join(f"{_ENCODE(stage)}: {number(6 + 2 * count + k)}" for k, stage in enumerate(stages))
        text = "null" if silent else piece(count)
        warnings = "[]" if sound else piece(count + (not silent))
        form = (
            f'{{"kind": "decision", "schema": {SCHEMA}, "index": {number(0)}, "run": {number(1)}, '
            f'"sample": {number(2)}, "t": {number(3)}{local}, "retrieved": {{{shown}, '
            f'"window_s": {_ENCODE(ranked.window_s)}, "margin": {number(5)}, "hits": [{hits}]}}, '
            f'"text": {text}, "stage_ms": {{{times}}}, "warnings": {warnings}}}'
        ).encode("latin-1")
        self._forms[count, nowhere, silent, sound, *stages] = form
        return form


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
