"""`rtdecode bundle PATH`: the bundle card, on the screen, as text, or as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

from rtdecode.errors import BundleError
from rtdecode.finding import check_bundle
from rtdecode.found import FoundBundle

WIDTH = 100


def run_card(path: Path, *, as_json: bool = False) -> int:
    """Show what a bundle says of itself. BundleError for one that is not whole, once its card was printed."""
    found = check_bundle(path)
    if found.spec is None:
        raise BundleError(found.problem)
    if as_json:
        print(json.dumps(as_dict(found), indent=1, ensure_ascii=False))
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from rtdecode.tui.card_screen import CardApp

        CardApp(found).run()
    else:
        from rtdecode.tui.card import lines
        from rtdecode.tui.lines import plain

        print("\n".join(plain(line).rstrip() for line in lines(found, WIDTH)))
    if found.problem:
        raise BundleError(found.problem)
    return 0


def as_dict(found: FoundBundle) -> dict[str, Any]:
    """The card as plain numbers and words; null: not stated."""
    from rtdecode.config import to_json
    from rtdecode.engines.plan import why_not_incremental

    spec = found.spec
    assert spec is not None
    training, model = spec.training, spec.model
    modes = ["stream" if model.mode == "step" else "window"]
    if why_not_incremental(spec, model.hop, model.baseline) is None:
        modes.append("incremental")
    text = spec.text
    return {
        "name": spec.name,
        "path": str(found.path),
        "sha256": found.identity or None,
        "size_bytes": found.size_bytes,
        "verified": not found.problem,
        "problem": found.problem or None,
        "training": {
            "study": training.study or None,
            "subject": training.subject or None,
            "hours": training.hours or None,
            "note": training.note or None,
            "licence": training.licence or None,
            "times_real": training.times_real,
            "scores": [to_json(score) for score in training.scores] or None,
        },
        "stream": to_json(spec.stream),
        "filter": {
            "highpass_hz": spec.preprocess.highpass_hz,
            "lowpass_hz": spec.preprocess.lowpass_hz,
            "order": spec.preprocess.order,
        },
        "model": {
            "network": model.config.get("name"),
            "sfreq": spec.preprocess.sfreq,
            "modes": modes,
            "hop_ms": 1e3 * spec.hop_s,
            "window_s": spec.retrieval.frames / spec.frame_rate if spec.retrieval else None,
            "delay_ms": 1e3 * spec.delay_s,
            "filter_delay_ms": None if found.filter_delay_s is None else 1e3 * found.filter_delay_s,
            "control": "control.onnx" in spec.files,
        },
        "retrieval": {"candidates": found.candidates, "sources": len(found.sources)}
        if spec.retrieval
        else None,
        "text": {
            "language": None,
            "symbols": len(text.symbols),
            "search": "beam" if text.search else "greedy",
            "lm": text.lm or None,
            "ngrams": list(found.ngrams) or None,
            "words": found.words,
        }
        if text
        else None,
    }
