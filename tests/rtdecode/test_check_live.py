"""`rtdecode check` from end to end: a real stream, its markers, the shipped bundle, what is written.

Why it matters: the steps are pure; this is the one place where they meet samples that arrive.
"""

import json
from pathlib import Path

import pytest

from tests.processes import ROOT, running, unique_name

pytestmark = pytest.mark.live
DEMO = ROOT / "recordings" / "demo"


def test_the_demo_at_eight_times_its_speed_passes_all_but_its_rate(tmp_path: Path) -> None:
    """Signal, scale and story do not mind how fast they come; the delay step must."""
    name, out = unique_name(), tmp_path / "out"
    replay = ["-m", "rtdecode", "replay", f"{DEMO}.xdf", "--stream", name, "--speed", "8"]
    check = ["-m", "rtdecode", "check", "--headless", "--stream", name, "--bundle", str(DEMO), "--wait", "15"]
    check += ["--markers", f"{name}-markers", "--skip", "blink", "--out", str(out)]
    check += ["--seconds-scale", "0.3", "--story-seconds", "24"]
    with running(replay, tmp_path) as player, running(check, tmp_path) as c:
        assert c.end(60) == 1, c.err
        player.process.terminate()
    assert not c.said("Traceback")
    found = json.loads((out / "check.json").read_text())
    assert (out / "check.txt").read_text().endswith("3 passed, 1 failed, 1 skipped\n")
    assert c.out[-1] == "3 passed, 1 failed, 1 skipped"
    steps = {step["key"]: step for step in found["steps"]}
    assert {key: step["state"] for key, step in steps.items()} == {
        "noise": "passed",
        "blink": "skipped",
        "scale": "passed",
        "delay": "failed",
        "story": "passed",
    }
    numbers = {m["name"]: m for step in steps.values() for m in step["measures"]}
    assert numbers["good channels"]["value"] >= 29
    assert 0.5 < numbers["typical ratio"]["value"] < 2
    assert 1500 < numbers["rate"]["value"] < 2500
    assert numbers["rate"]["ok"] is False
    assert numbers["loop"]["value"] > 0
    assert numbers["top-10"]["value"] > 0.8
    assert numbers["shifted control"]["value"] < 0.3
    assert numbers["untrained"]["value"] < 0.3
    assert numbers["independent windows"]["value"] >= 5
    assert found["stream"]["name"] == name
    assert found["times_real"] == 100.0


def test_what_cannot_run_is_said_in_a_sentence(tmp_path: Path) -> None:
    with running(["-m", "rtdecode", "check", "--bundle", str(DEMO), "--stream", "x"], tmp_path) as c:
        assert c.end(30) == 2
    assert c.err == ["error: stdout is not a terminal (--headless checks line by line)"]
    both = ["--headless", "--markers", "m", "--story", "s.tsv"]
    with running(["-m", "rtdecode", "check", "--bundle", str(DEMO), *both], tmp_path) as c:
        assert c.end(30) == 2
    assert "--markers and --story both say what is heard" in c.err[-1]
