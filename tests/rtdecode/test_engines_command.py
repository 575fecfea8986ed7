"""`rtdecode engines`: a table of what runs, a reason for what does not, and a report of agreement.

Why it matters: it is where a user learns which engine a decoder will run on, and what to install for another.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import load_bundle
from rtdecode.cli import main
from rtdecode.commands.engines import chosen
from rtdecode.engines import open_session, select
from rtdecode.engines.probe import Probe, probe
from rtdecode.errors import ConfigError, RecordingError
from rtdecode.recordings import Recording

RECORDINGS = Path(__file__).parents[2] / "recordings"
DEMO = RECORDINGS / "demo"


def test_the_table_says_what_runs_what_does_not_and_what_is_chosen(capsys: pytest.CaptureFixture) -> None:
    if select.driver():
        pytest.skip("there is a GPU here")
    assert main(["engines", str(DEMO), "--only", "onnx,tensorrt", "--seconds", "1"]) == 0
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("onnx"))
    assert "fp32" in row and "stream, hop 16" in row and "onnxruntime" in row and "MB" in row
    assert "tensorrt: no NVIDIA GPU: this machine has no driver of one" in said
    assert "chosen by auto: onnx" in said


def test_json_and_an_exit_code_where_nothing_runs(capsys: pytest.CaptureFixture) -> None:
    if select.driver():
        pytest.skip("there is a GPU here")
    assert main(["engines", str(DEMO), "--only", "cuda", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"] == "" and "no NVIDIA GPU" in found["engines"][0]["why"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "onyx"], "there is no engine 'onyx'"),
        (["--agree", str(RECORDINGS / "demo.xdf")], "fp32 needs no report"),
    ],
)
def test_a_mistake_is_one_sentence(capsys: pytest.CaptureFixture, arguments: list[str], words: str) -> None:
    assert main(["engines", str(DEMO), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_a_truncated_network_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.copytree(DEMO, tmp_path / "demo")
    whole = (DEMO / "model.onnx").read_bytes()
    (tmp_path / "demo" / "model.onnx").write_bytes(whole[: len(whole) // 2])
    assert main(["engines", str(tmp_path / "demo")]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_probe_that_fails_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is not a bundle" in probe(tmp_path, "onnx").why
    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(crash))
    assert probe(DEMO, "onnx").why == "its process ended with signal 11"


def test_the_choice_is_the_one_auto_makes() -> None:
    onnx, quick, near = (Probe(name, "fp32", p50_ms=ms) for name, ms in
                         (("onnx", 2.0), ("openvino", 1.0), ("numpy", 1.9)))  # fmt: skip
    assert chosen([onnx, near]) == ("onnx", "the default; none needs less than 90 % of its time")
    assert chosen([onnx, quick, near])[0] == "openvino"
    assert chosen([Probe("onnx", "fp32", why="gone")])[0] == ""


def test_agreement_is_measured_on_a_held_out_recording_and_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("onnx", reason="graphs are quantised with it")
    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path))
    code = main(["engines", str(DEMO), "--precision", "int8", "--agree", str(RECORDINGS / "demo.xdf")])
    said = capsys.readouterr().out
    (report,) = tmp_path.glob("agreement-*.json")
    found = json.loads(report.read_text())
    assert found["queries"] > 100 and 0 < found["same"] <= found["queries"] and 0 < found["relative"] < 0.05
    # what `live --precision int8` asks for
    assert found["same"] >= 0.99 * found["queries"] and found["what"] == "first 10"
    assert code == 0 and "; agrees" in said
    assert open_session(load_bundle(DEMO), precision="int8").info().precision == "int8"


def test_one_that_says_otherwise_does_not_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("onnx", reason="graphs are quantised with it")
    from rtdecode.engines import halves

    def coarse(weights: np.ndarray) -> tuple[np.ndarray, ...]:
        first, second, *scales = split(weights)
        return first, np.zeros_like(second), *scales

    split = halves.split
    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path))
    monkeypatch.setattr(halves, "split", coarse)  # eight bits of each weight
    code = main(["engines", str(DEMO), "--precision", "int8", "--agree", str(RECORDINGS / "demo.xdf")])
    assert code == 1 and "does NOT agree: it will be refused" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="in int8 disagrees with float32"):
        open_session(load_bundle(DEMO), precision="int8")


def test_a_bundle_without_candidates_agrees_by_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx", reason="graphs are quantised with it")
    from rtdecode.commands import engines
    from tests.bundles import LABELS, SFREQ, make_bundle, planted

    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path / "cache"))
    whole = make_bundle(tmp_path / "tiny")
    units = ("microvolts",) * len(LABELS)
    recording = Recording(planted(seconds=30.0, seed=4), SFREQ, LABELS, units, "EEG", "held out")
    texts = dataclasses.replace(whole, spec=dataclasses.replace(whole.spec, retrieval=None), bank=None)
    report, file = engines.agreement(texts, recording, tmp_path / "held-out.xdf", "onnx", "int8")
    assert file.exists() and report.passes and report.queries > 50
    assert report.words.startswith(f"text of {report.queries} queries the same in 100.0 %")
    assert report.bundle != engines.agreement(whole, recording, tmp_path, "onnx", "int8")[0].bundle
    short = dataclasses.replace(recording, data=recording.data[:10])
    with pytest.raises(RecordingError, match=r"nothing is decoded from .*held-out\.xdf"):
        engines.agreement(texts, short, tmp_path / "held-out.xdf", "onnx", "int8")
    assert json.loads(file.read_text())["queries"] == report.queries, "the report of before stays"
    said = engines.answers(texts, open_session(texts), recording)
    answers = [[(delta, tentative + "x") for delta, tentative in said], said]
    monkeypatch.setattr(engines, "answers", lambda bundle, session, recording: answers.pop())
    assert engines.agreement(texts, recording, tmp_path, "onnx", "int8")[0].same == 0
