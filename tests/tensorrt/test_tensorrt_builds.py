"""TensorRT takes every graph whole, and builds it, on a machine without a GPU: in a Python of its own.

Why it matters: one operator that TensorRT lacks cuts a network into engines with torch between them, and
nobody sees it until a GPU is rented. `.ci/tensorrt-env` makes that Python. What the engines compute, and how
quickly, only a GPU can tell.
"""

import math
import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="graphs are exported with torch")
import torch

from models import DecoderConfig, DecoderNet, EncoderConfig
from models.inference import IncrementalNet, StreamNet, WindowNet
from rtdecode.engines import tensorrt
from rtdecode.engines.modules import Part
from rtdecode.engines.tensorrt import build_part, engine_file
from rtdecode.engines.tensorrt_build import parsed
from rtdecode.errors import ConfigError, MissingExtra

CHANNELS, SIZE, HOP = 208, 360, 12  # the published size
LOCAL = Path(__file__).parents[2] / ".venv-trt" / "bin" / "python"
MAGIC = b"vtrt"
BUILD_S = 10.0


@pytest.fixture(scope="module")
def python() -> str:
    found = Path(os.environ.get(tensorrt.PYTHON) or LOCAL)
    if not found.exists():
        pytest.skip(f"no Python with torch-tensorrt: .ci/tensorrt-env makes one, or set {tensorrt.PYTHON}")
    return str(found)


def decoder(causal: bool) -> DecoderNet:
    torch.manual_seed(0)
    places = tuple((0.5 + 0.4 * math.cos(k), 0.5 + 0.4 * math.sin(k)) for k in range(CHANNELS))
    return DecoderNet(DecoderConfig(CHANNELS, EncoderConfig(places, causal=causal), 1024)).eval().folded(0)


def part(name: str) -> Part:
    if name == "wav2vec2":
        pytest.importorskip("transformers", reason="its encoder is transformers'")
        from offline.export import StepGraph
        from tests.models.text.nets import net

        model = net("wav2vec2").folded(1)
        module: torch.nn.Module = StepGraph(model)  # type: ignore[arg-type]
        size = model.stride * model.block
        example = (torch.zeros(1, size, model.config.n_channels), *model.initial_state(1))
    elif name == "window":
        module, example = WindowNet(decoder(False)), (torch.zeros(1, SIZE, CHANNELS),)
    elif name == "incremental":
        module = IncrementalNet(decoder(False), HOP)
        example = (torch.zeros(1, HOP, CHANNELS), *module.contexts())
    else:
        module = StreamNet(decoder(True))
        example = (torch.zeros(1, HOP, CHANNELS), *module.initial_state())
    return Part(name, module.eval(), tuple(example), (), ())


@pytest.mark.parametrize("name", ["window", "stream", "incremental", "wav2vec2"])
def test_one_engine_of_all_operators_is_built(python: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "engine"
    report = build_part(part(name), path, python)
    assert report["supported"] == report["operators"] > 50
    assert report["engines"] == 1 and report["unsupported"] == []
    assert path.read_bytes()[:4] == MAGIC and path.stat().st_size == report["bytes"] > 1_000_000
    # of a busy machine the processor's time, of one with many cores the wall's
    assert min(report["build_s"], report["build_cpu_s"]) < BUILD_S


class Unsupported(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(torch.relu(x)) + 1.0


def test_an_operator_that_tensorrt_lacks_is_named(python: str, tmp_path: Path) -> None:
    odd = Part("window", Unsupported().eval(), (torch.zeros(1, 4, 3),), (), ())
    with pytest.raises(ConfigError, match=r"takes 2 of 3 operators.*bessel_j0"):
        build_part(odd, None, python)


def test_a_builder_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tensorrt.PYTHON, "/nowhere/python")
    with pytest.raises(ConfigError, match="RTDECODE_TRT names /nowhere/python"):
        tensorrt.builder()
    monkeypatch.delenv(tensorrt.PYTHON)
    monkeypatch.setattr(tensorrt, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"torch-tensorrt.*rtdecode\[tensorrt\]"):
        tensorrt.builder()


def test_an_engine_is_built_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.decoders import decoder as small
    from tests.decoders import decoder_bundle

    bundle = decoder_bundle(tmp_path / "bundle", small(causal=True, depth=1))
    from rtdecode.engines import setup_of
    from rtdecode.engines.modules import parts_of

    setup, asked = setup_of(bundle), []

    def answer(python: str, arguments: list[str]) -> dict:
        asked.append(arguments)
        if "--engine" in arguments:
            Path(arguments[arguments.index("--engine") + 1]).write_bytes(MAGIC)
        return {"versions": versions, "operators": 3, "supported": 3, "engines": 1, "unsupported": []}

    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tensorrt, "builder", lambda: "python")
    monkeypatch.setattr(tensorrt, "_asked", answer)
    versions = {"tensorrt-rtx": "1.5"}
    (stream,) = parts_of(bundle, setup, "tensorrt")
    first = engine_file(bundle, setup, stream)
    assert engine_file(bundle, setup, stream) == first and first.read_bytes() == MAGIC
    assert sum("--engine" in arguments for arguments in asked) == 1
    versions["tensorrt-rtx"] = "1.6"
    assert engine_file(bundle, setup, stream) != first
    assert engine_file(bundle, setup, stream, "NVIDIA X, sm_90") != first


def test_a_report_of_another_form_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="another form"):
        parsed("TensorRT will run 12 operators")
