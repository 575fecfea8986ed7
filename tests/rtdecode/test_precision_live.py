"""`rtdecode live --precision`: less than float32 decodes only where it was shown to agree, and is logged.

Why it matters: an 8-bit network is four times as quick and may name another segment; nobody may find that out
in a session.
"""

import json
import re
from pathlib import Path

import pytest

from rtdecode.bundle import Bundle
from rtdecode.cli import main
from rtdecode.engines import open_trial
from rtdecode.engines.precision import Agreement, identity, keep
from tests.bundles import make_bundle
from tests.processes import live, outlet, unique_name

pytest.importorskip("onnx", reason="graphs are quantised with it")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path / "cache"))
    return make_bundle(tmp_path / "tiny")


def report(bundle: Bundle, same: int) -> None:
    """A report of 1000 queries, as `rtdecode engines --agree` stores it."""
    info = open_trial(bundle, "onnx", precision="int8").info()
    found = Agreement(identity(bundle), "onnx", "int8", info.mode, info.hop, dict(info.versions), 1000, same,
                      0.01, "held-out.xdf", "")  # fmt: skip
    keep(found, info)


def test_another_precision_is_a_mistake(capsys: pytest.CaptureFixture) -> None:
    assert main(["live", "--headless", "--bundle", "b", "--precision", "int4"]) == 2
    assert "--precision: 'int4' is not one of them" in capsys.readouterr().err


@pytest.mark.live
@pytest.mark.parametrize(
    ("same", "words"),
    [
        (None, "engine onnx in int8 has not been compared with float32 on this bundle (`rtdecode engines "),
        (989, "engine onnx in int8 disagrees with float32: first 10 of 1000 queries the same in 98.9 %"),
    ],
)
def test_without_a_report_that_passes_nothing_is_decoded(
    bundle: Bundle, tmp_path: Path, same: int | None, words: str
) -> None:
    if same is not None:
        report(bundle, same)
    with live(tmp_path, bundle.path, "no-such-stream", "--precision", "int8") as c:
        assert c.end(30) == 2
    (error,) = [line for line in c.err if line.startswith("error: ")]
    assert words in error and not c.said("Traceback") and c.out == []


@pytest.mark.live
def test_what_agrees_decodes_and_decodes_again_in_the_same_precision(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    report(bundle, 990)
    name, log = unique_name(), tmp_path / "log"
    options = ["--precision", "int8", "--decisions", "8", "--record", str(log), "--wait", "15"]
    with (
        outlet(tmp_path, name, speed=4.0, seconds=10.0),
        live(tmp_path, bundle.path, name, *options) as c,
    ):
        assert c.end(30) == 0, c.err
    manifest = json.loads((log / "session.json").read_text())
    assert manifest["config"]["precision"] == "int8"
    # elsewhere there is no report: what was decoded may still be decoded again
    for stored in (tmp_path / "cache").glob("agreement-*.json"):
        stored.unlink()
    assert main(["review", str(log), "--redecode"]) == 0
    said = re.search(r"(\d+) of (\d+) decisions are the same again, byte by byte", capsys.readouterr().out)
    assert said and said[1] == said[2] and int(said[1]) >= 8  # one more may have come while it stopped
    manifest["config"]["precision"] = "fp32"  # and it was that precision that made them the same
    (log / "session.json").write_text(json.dumps(manifest))
    assert main(["review", str(log), "--redecode"]) == 1
    assert "first difference" in capsys.readouterr().out


def test_a_report_speaks_of_one_bank(bundle: Bundle, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", text=False)
    assert other.spec.files["weights.safetensors"] == bundle.spec.files["weights.safetensors"]
    assert identity(bundle) == identity(make_bundle(tmp_path / "again")) != identity(other)
