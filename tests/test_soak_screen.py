"""The soak before the screen, shortened: a real terminal, planted faults, every count exact. No times."""

from pathlib import Path

import pytest

from rtdecode.bench.sender import Plan
from rtdecode.bench.soak_screen import _missing, soak_screen
from tests.bundles import make_bundle, planted
from tests.processes import LSL_CONFIG, ROOT


@pytest.mark.live
def test_every_count_is_exact_on_the_screen_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "lsl_api.cfg"
    config.write_text(LSL_CONFIG)
    monkeypatch.setenv("LSLAPICFG", str(config))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    bundle = make_bundle(tmp_path / "tiny").path
    outcome = soak_screen(bundle, planted(10.0), 60.0, speed=20.0, every_s=11.0, settle_s=5.0)
    assert min(outcome.planted[what] for what in ("lost", "gaps", "restarts", "nan", "flat")) > 0
    assert outcome.wrong == ()
    assert outcome.decisions > 50
    assert set(outcome.rss_mb) == {"screen", "core", "recorder"}


def test_decisions_that_are_missing_are_counted() -> None:
    plan = Plan("x", "", 4, 1000.0, 3.0, skip=((1000, 200),), away=((2000, 100),))
    runs = {
        run: list(range(50, stop - start + 1, 20))
        for run, (start, stop) in enumerate(((0, 1000), (1200, 2000), (2100, 3000)), 1)
    }
    assert _missing(plan, runs, 20, 3.0) == 0
    del runs[2][5], runs[3][-2:]
    assert _missing(plan, runs, 20, 3.0) == 3
