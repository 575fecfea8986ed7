"""An exported bank keeps its features at their own rate only where that was seen to rank alike."""

import numpy as np
import pytest

from offline.contrastive import export
from rtdecode.retrieve import Bank, Candidate

SPANS = tuple(Candidate(f"c{k}", "w", "s", 4 * k, 4, 0.0, 0.1) for k in range(25))
REPEATED = Bank(np.repeat(np.eye(50, 6, dtype=np.float32) + np.arange(50)[:, None], 2, axis=0), SPANS)


def exported(monkeypatch: pytest.MonkeyPatch, bank: Bank, change: float) -> Bank:
    """The bank that is written when native scores differ by `change` in one candidate of one window."""
    rng = np.random.default_rng(0)
    windows = [rng.permutation(25).astype(np.float64) for _ in range(5)]

    def found_in(spec, session, scored, stretches):
        for number, scores in enumerate(windows):
            shift = change * (np.arange(25) == int(scores.argmin())) * (number == 4)
            yield scores + (shift if scored.rows is not None else 0), 0

    monkeypatch.setattr(export, "found_in", found_in)
    return export.leaner(None, None, bank, ())  # type: ignore[arg-type]


def test_the_same_rankings_bring_the_smaller_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    found = exported(monkeypatch, REPEATED, 0.5)  # the scores differ, their order does not
    assert found.rows is not None and len(found.features) == 50
    assert np.array_equal(found.timeline, REPEATED.features)


def test_one_other_ranking_keeps_the_bank_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exported(monkeypatch, REPEATED, 30.0) is REPEATED


def test_a_bank_at_the_models_own_rate_is_not_scored_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "found_in", None)
    plain = Bank(np.random.default_rng(1).normal(size=(100, 6)).astype(np.float32), SPANS)
    assert export.leaner(None, None, plain, ()) is plain  # type: ignore[arg-type]
