"""The soak, shortened: planted gaps, NaN, a flat channel and a disconnection, every count exact. No times."""

from itertools import pairwise
from pathlib import Path

import pytest

from rtdecode.bench.sender import Plan
from rtdecode.bench.soak import account, plant, soak
from tests.processes import LSL_CONFIG


@pytest.mark.live
def test_every_count_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "lsl_api.cfg"
    config.write_text(LSL_CONFIG)
    monkeypatch.setenv("LSLAPICFG", str(config))
    outcome = soak(19.0, channels=16, sfreq=500.0, every_s=4.0, settle_s=3.0)
    assert min(outcome.planted[what] for what in ("lost", "gaps", "restarts", "nan", "flat")) > 0
    assert outcome.wrong == ()
    assert outcome.found == outcome.planted
    assert outcome.decisions > 500
    assert outcome.rss_mb > 20


def test_faults_take_turns_and_leave_room() -> None:
    plan = plant(60.0, 1000.0, "x", "y", 8, 5.0, 4.0)
    spans = sorted((*plan.skip, *plan.nan, *plan.flat, *plan.away))
    assert len(spans) == 11
    assert spans[0][0] == 4000
    assert all(b[0] - (a[0] + a[1]) >= 1000 for a, b in pairwise(spans))


def decisions(start: int, stop: int, window: int = 50, hop: int = 20) -> list[tuple[int, int]]:
    return [(s, s + start) for s in range(window, stop - start + 1, hop)]


def test_an_account_that_is_right() -> None:
    plan = Plan("x", "y", 4, 1000.0, 3.0, skip=((1000, 200),), away=((2000, 100),))
    runs = {1: decisions(0, 1000), 2: decisions(1200, 2000), 3: decisions(2100, 3000)}
    assert account(plan, runs, 20, 3000) == (0, [])
    del runs[2][5]
    assert account(plan, runs, 20, 3000) == (1, [])
    runs[3] = runs[3][:-2]
    assert account(plan, runs, 20, 3000) == (3, [])


def test_an_account_that_is_wrong() -> None:
    plan = Plan("x", "y", 4, 1000.0, 2.0, skip=((1000, 200),))
    runs = {1: decisions(0, 1000), 2: decisions(1207, 2000)}
    assert any("off by 7" in sentence for sentence in account(plan, runs, 20, 2000)[1])
    runs = {1: decisions(0, 1000), 2: decisions(1200, 2000)}
    runs[2] = runs[2][:4] + [(s + 3, i + 3) for s, i in runs[2][4:]]
    assert any("hop" in sentence for sentence in account(plan, runs, 20, 2000)[1])
