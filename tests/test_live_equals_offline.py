"""A live replay through LSL decides what an offline evaluation decides: on real EEG, and on the shipped demo.

Why it matters: every score here is computed offline. It speaks of the live decoder only because of this.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.recordings import decode, read
from rtdecode.types import Decision
from tests.processes import ROOT, live, running, unique_name

pytestmark = pytest.mark.live


def offline(bundle: Bundle, file: Path, stream: str | None = None) -> list[Decision]:
    recording = read(file, stream)
    return decode(Engine(bundle, bundle.spec.stream.bind(recording.info), open_session(bundle)), recording)


def replayed(bundle: Bundle, file: Path, folder: Path, decisions: int, *options: str) -> list[dict]:
    """What `live` says while `replay` plays `file`, faster than life but not than a busy machine follows."""
    name = unique_name()
    play = ["-m", "rtdecode", "replay", str(file.resolve()), "--stream", name, "--speed", "8", *options]
    every = ("--policy", "every", "--wait", "20")
    with (
        running(play, folder),
        live(folder, bundle.path, name, "--decisions", str(decisions), *every) as decoder,
    ):
        assert decoder.end(120) == 0, decoder.err
    return [json.loads(line) for line in decoder.out]


def assert_same(found: list[dict], expected: list[Decision]) -> None:
    assert [line["sample"] for line in found] == [decision.sample for decision in expected]
    for line, decision in zip(found, expected, strict=True):
        assert (line["retrieved"] is None) == (decision.retrieved is None)
        if decision.retrieved:
            hits = line["retrieved"]["hits"]
            assert [hit["id"] for hit in hits] == [hit.id for hit in decision.retrieved.hits]
            scores = [hit.score for hit in decision.retrieved.hits]
            np.testing.assert_allclose([hit["score"] for hit in hits], scores, atol=1e-4)
        if decision.text:
            assert line["text"]["delta"] == decision.text.delta
            assert line["text"]["tentative"] == decision.text.tentative


def test_real_eeg(tmp_path: Path, data_dir: Path) -> None:
    from offline.cocktail import train_cocktail
    from offline.cocktail_evaluate import evaluate_held_out

    data = data_dir / "eeg-cocktail-party"
    path = train_cocktail(data, 3, tmp_path / "bundle")
    expected = list(evaluate_held_out(path, data).decisions)
    assert len(expected) == 45
    assert_same(replayed(load_bundle(path), data / "1_3.mat", tmp_path, len(expected)), expected)


def test_the_demo(tmp_path: Path) -> None:
    bundle, file = load_bundle(ROOT / "recordings" / "demo"), ROOT / "recordings" / "demo.xdf"
    expected = offline(bundle, file, "EEG")
    assert len(expected) > 200
    assert_same(replayed(bundle, file, tmp_path, len(expected), "--select", "EEG"), expected)
