"""Scores: chance is chance, perfect is perfect, and validation agrees with what live text would be."""

import numpy as np
import pytest
import torch

from offline.evaluate import Report
from offline.features import SYMBOLS, encode_text
from offline.segments import Crops
from offline.validate import greedy, topk
from rtdecode.bundle import Score
from rtdecode.score import TopK
from rtdecode.transcribe import TextSpec, Transcriber
from tests.offline.tiny import config


def test_topk_of_noise_is_chance_and_of_the_truth_is_one():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(300, 20, 3))
    noise, chance = topk(rng.normal(size=truth.shape), truth, 30)
    assert chance == pytest.approx(0.1)
    assert abs(noise - chance) < 0.06
    assert topk(5 * truth + 7, truth, 1)[0] == 1.0  # level and offset do not count


def log_probs_of(path: str) -> np.ndarray:
    """One frame a character; '_' is the blank."""
    symbols = [0 if c == "_" else int(encode_text(c)[0]) for c in path]
    return np.log(np.eye(len(SYMBOLS))[symbols] + 1e-6).astype(np.float32)


def test_validation_reads_text_as_the_live_transcriber_does():
    frames = log_probs_of("__tt_hhe_ ffo_ox_ _ran_")
    live = Transcriber(TextSpec(SYMBOLS))
    live.push(frames)
    said = live.take()
    assert greedy(frames, SYMBOLS) == (said.committed + said.tentative).strip() == "the foox ran"


def test_report_says_what_a_score_is_beside():
    score = Score("retrieval top-10", 0.6, 0.05, control=0.06, ridge=0.5, ideal=0.8, n=100)
    lines = Report((score,), 200, TopK(100, 0.01, 0.05, 200), ()).lines()
    assert "60.0%" in lines[0]
    for part in ("chance 5.0%", "untrained 6.0%", "ridge 50.0%", "ideal observer 80.0%", "n = 100"):
        assert part in lines[0]
    assert "shuffled" in lines[1]


def test_too_short_recordings_are_refused():
    from offline.segments import Track

    short = Track("x", 0, np.zeros((20, 8), np.float32), np.zeros((10, 4), np.float32), np.ones(10, bool), ())
    with pytest.raises(ValueError, match="longer than a crop"):
        Crops([short], config(), np.random.default_rng(0))


def test_recordings_without_sentences_still_give_windows():
    from offline.segments import Track

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2000, 8)).astype(np.float32), rng.normal(size=(1000, 4)).astype(np.float32)
    batch = Crops([Track("x", 0, x, y, np.ones(1000, bool), ())], config(), rng).batch()
    assert batch.y.shape == (16, 32, 4) and int(batch.n_symbols.sum()) == 0
    assert torch.isfinite(batch.x).all()
