"""What each engine needs is one table, which auto, the doctor and `offline export --engine` ask.

Why it matters: who wants another engine must be told what to install, before the work and not after it.
"""

import tomllib
from pathlib import Path

import pytest

import rtdecode.doctor as doctor
from rtdecode.bundle import load_bundle
from rtdecode.engines import EVERY, prepare, select, tensorrt
from rtdecode.engines.select import NEEDS, missing
from rtdecode.errors import ConfigError, MissingExtra

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "recordings" / "demo"


def test_the_table_has_every_engine_and_names_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(NEEDS) == set(EVERY)
    assert {need.extra for need in NEEDS.values()} - {""} <= set(extras)


def test_the_doctor_lists_each_engine_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = select.find_spec
    for module in (select, doctor):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == "openvino" else real(name))
    monkeypatch.setattr(select, "driver", lambda: "")
    found = {finding.what: finding for finding in doctor.engines()}
    assert list(found) == [f"engine {name}" for name in EVERY]
    assert {finding.level for finding in found.values()} == {"ok", "absent"}
    assert found["engine openvino"].level == found["engine tensorrt"].level == "absent"
    assert found["engine onnx"].level == found["engine numpy"].level == "ok"
    assert "pip install 'rtdecode[openvino]'" in found["engine openvino"].said
    assert "no NVIDIA GPU" in found["engine tensorrt"].said
    assert found["engine onnx"].said.startswith("onnxruntime ")


def test_without_the_default_engine_nothing_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    real = select.find_spec
    for module in (select, doctor):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxruntime" else real(name))
    found = {finding.what: finding for finding in doctor.engines()}
    assert found["engine onnx"].level == "fail" and found["engine onnx"].remedy == "pip install rtdecode"


def test_a_gpu_without_a_runtime_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "driver", lambda: "580.1")
    monkeypatch.setattr(select, "find_spec", lambda name: object() if name == "torch" else None)
    assert missing("cuda") == ""
    assert "tensorrt_rtx or tensorrt is not installed (pip install 'rtdecode[tensorrt]')" in missing(
        "tensorrt"
    )
    monkeypatch.setattr(select, "find_spec", lambda name: None if name == "torch" else object())
    assert "torch is not installed" in missing("tensorrt")


def test_the_default_engine_needs_nothing_made(capsys: pytest.CaptureFixture) -> None:
    prepare.require_known("onnx")
    said = prepare.prepare(load_bundle(DEMO), "onnx")
    assert said.startswith("engine onnx: nothing to prepare: the bundle is enough; it differs")


def test_what_cannot_be_made_here_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tensorrt.PYTHON, raising=False)
    monkeypatch.setattr(tensorrt, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"torch-tensorrt .*pip install 'rtdecode\[tensorrt\]'"):
        prepare.require_known("tensorrt")
    monkeypatch.setattr(select, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="engine openvino cannot be made ready here: openvino is not inst"):
        prepare.require_known("openvino")
    with pytest.raises(ConfigError, match="there is no engine 'onyx'"):
        prepare.require_known("onyx")
