"""`offline export --engine`: what an engine needs is made with the bundle, or refused before the work."""

import json
from pathlib import Path

import pytest

from offline.cli import main
from offline.commands import training
from offline.loop.checkpointing import RUN
from rtdecode.bundle import load_bundle
from rtdecode.engines import tensorrt

DEMO = Path(__file__).parents[2] / "recordings" / "demo"


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Exports, with these engines, a run whose bundle is there already; how often is counted."""
    (tmp_path / RUN).write_text(json.dumps({"recipe": "windows"}))
    monkeypatch.setattr(training, "read_run", lambda path: {"recipe": "windows"}, raising=False)
    done: list[Path] = []

    def exported(options):
        done.append(options.out)
        return load_bundle(DEMO)

    monkeypatch.setattr(training, "_export_windows", exported)

    def run(*engines: str) -> tuple[int, int]:
        named = [word for engine in engines for word in ("--engine", engine)]
        command = ["export", "--run", str(tmp_path), "--data", str(tmp_path), "--out", str(tmp_path / "b")]
        return main([*command, *named]), len(done)

    return run


def test_the_default_engine_is_compared_with_the_bundle(export, capsys: pytest.CaptureFixture) -> None:
    assert export("onnx") == (0, 1)
    assert "engine onnx: nothing to prepare: the bundle is enough" in capsys.readouterr().err


def test_tensorrt_without_its_package_is_one_sentence_and_nothing_is_exported(
    export, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(tensorrt.PYTHON, raising=False)
    monkeypatch.setattr(tensorrt, "find_spec", lambda name: None)
    assert export("onnx", "tensorrt") == (2, 0)
    error = capsys.readouterr().err
    assert "torch-tensorrt (engine tensorrt) is not installed" in error and error.count("\n") == 1
