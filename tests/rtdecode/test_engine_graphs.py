"""Engines that run one static graph: OpenVINO, compiled modules, and the GPU's session without its GPU."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from rtdecode.engines import EngineInfo, Session, open_session, open_trial, setup_of
from rtdecode.engines.incremental import IncrementalSession
from rtdecode.errors import BundleError, ConfigError

pytest.importorskip("torch", reason="bundles of real networks are made with torch")
import torch

from rtdecode.engines import inductor
from rtdecode.engines.cuda import DeviceSession
from rtdecode.engines.modules import Part, parts_of
from tests.decoders import CHANNELS, HOP, SIZE, decoder, decoder_bundle


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory):
    net = decoder(causal=True, taps=9, text=True, depth=2)
    return decoder_bundle(tmp_path_factory.mktemp("stream") / "bundle", net)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory):
    net = decoder(causal=False, taps=9, depth=2)
    return decoder_bundle(tmp_path_factory.mktemp("window") / "bundle", net)


def samples(count: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, CHANNELS)).astype(np.float32)


def device_session(bundle) -> DeviceSession:
    setup = setup_of(bundle)
    (part,) = parts_of(bundle, setup, "cuda")
    size = HOP if setup.mode == "stream" else SIZE
    info = EngineInfo("cuda", setup.mode, setup.hop, "fp32", 1, "cpu")
    return DeviceSession(part.module, part, info, size, CHANNELS, "cpu")


def same(one: Session, other: Session, pieces: list[np.ndarray]) -> None:
    for x in pieces:
        found, expected = one.run(x), other.run(x)
        np.testing.assert_allclose(found.estimate, expected.estimate, atol=1e-4)
        if expected.log_probs is not None:
            np.testing.assert_allclose(found.log_probs, expected.log_probs, atol=1e-4)


def test_the_gpus_session_is_the_stream(stream) -> None:
    session, x = device_session(stream), samples(10 * HOP)
    pieces = [x[at : at + HOP] for at in range(0, len(x), HOP)]
    same(session, open_session(stream), pieces)
    middle = session.state()
    first = session.run(pieces[0]).estimate
    session.rehearse(pieces[1])
    session.load_state(middle)
    np.testing.assert_array_equal(session.run(pieces[0]).estimate, first)
    session.reset()
    same(session, open_session(stream), pieces)


def test_what_the_gpus_session_gave_stays_as_it_was(stream) -> None:
    session, x = device_session(stream), samples(2 * HOP)
    first = session.run(x[:HOP]).estimate
    kept = first.copy()
    session.run(x[HOP:])
    np.testing.assert_array_equal(first, kept)


def test_the_gpus_session_takes_windows(window) -> None:
    same(device_session(window), open_session(window), [samples(SIZE), samples(SIZE)[::-1].copy()])


def test_states_of_another_session_are_refused(stream) -> None:
    session = device_session(stream)
    with pytest.raises(ConfigError, match="a state of another session"):
        session.load_state({"state_0": np.zeros((1, 1, 1), np.float32)})


def test_a_text_network_cannot_be_compiled(stream, window) -> None:
    import dataclasses

    other = dataclasses.replace(window.spec.model, config={"name": "chunk"})
    bundle = dataclasses.replace(window, spec=dataclasses.replace(window.spec, model=other))
    with pytest.raises(ConfigError, match="named 'decoder' only"):
        parts_of(bundle, setup_of(bundle), "cuda")


class TestOpenVino:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("openvino", reason="the extra [openvino] is not installed")

    def test_stream(self, stream) -> None:
        x = samples(10 * HOP)
        session = open_session(stream, "openvino")
        assert session.info().parity is not None
        same(session, open_session(stream), [x[at : at + HOP] for at in range(0, len(x), HOP)])

    def test_incremental(self, window) -> None:
        session, x = open_session(window, "openvino", mode="incremental"), samples(SIZE + 4 * HOP)
        assert isinstance(session, IncrementalSession)
        pieces = [x[at : at + SIZE] for at in range(0, 4 * HOP, HOP)]
        same(session, open_session(window), pieces)

    def test_bfloat16_is_near_where_there_is_any(self, stream) -> None:
        import openvino

        from rtdecode.engines.precision import relative

        if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            with pytest.raises(ConfigError, match="no bfloat16"):
                open_trial(stream, "openvino", precision="bf16")
            return
        session = open_trial(stream, "openvino", precision="bf16")
        assert 1e-5 < relative(session, stream) < 5e-2

    def test_a_file_that_is_no_model(self, stream, tmp_path: Path) -> None:
        import openvino

        from rtdecode.engines.openvino import OpenVinoGraph

        broken = tmp_path / "model.onnx"
        broken.write_bytes((stream.path / "model.onnx").read_bytes()[:200])
        with pytest.raises(BundleError, match="not a model OpenVINO can load"):
            OpenVinoGraph(openvino.Core(), broken, setup_of(stream))


class OneLayer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(CHANNELS, 2)

    def forward(self, x):
        return (self.layer(x),)


class TestInductor:
    @pytest.fixture(autouse=True)
    def _cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path))

    def test_without_a_compiler_it_is_refused(self, stream, monkeypatch, tmp_path: Path) -> None:
        monkeypatch.delenv("CXX", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ConfigError, match=r"no C\+\+ compiler here") as found:
            open_session(stream, "inductor")
        assert "g++" in found.value.hint
        assert not [entry for entry in tmp_path.iterdir() if entry.is_dir()]

    def test_a_compiler_that_fails_is_one_sentence(self, stream, monkeypatch, tmp_path: Path) -> None:
        from torch._inductor.exc import InvalidCxxCompiler

        def fails(*_: object, **__: object) -> None:
            raise InvalidCxxCompiler

        monkeypatch.setattr(inductor.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr("torch._inductor.aoti_compile_and_package", fails)
        with pytest.raises(ConfigError, match="cannot compile this network: No working C"):
            open_session(stream, "inductor")
        assert list(tmp_path.iterdir()) == []

    def test_a_library_that_does_not_load_is_said(self, stream, tmp_path: Path) -> None:
        (part,) = parts_of(stream, setup_of(stream), "inductor")
        (tmp_path / "payload").write_bytes(b"not a library")
        with pytest.raises(ConfigError, match="does not load here"):
            inductor.CompiledGraph(tmp_path / "payload", part)

    @pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
    @pytest.mark.skipif("RTDECODE_COMPILE" not in os.environ, reason="slow C++: set RTDECODE_COMPILE=1")
    def test_compiled_once_it_runs_without_a_compiler(self, stream, monkeypatch, tmp_path: Path) -> None:
        """One layer for a whole network: compiling C++ takes seconds however small it is."""
        torch.manual_seed(0)
        layer, x = OneLayer().eval(), samples(SIZE)[None]
        part = Part("window", layer, (torch.zeros(1, SIZE, CHANNELS),), ("x",), ("estimate",))
        setup, versions = setup_of(stream), {"torch": torch.__version__}
        path = inductor.compiled(stream, setup, part, versions)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert inductor.compiled(stream, setup, part, versions) == path
        found = inductor.CompiledGraph(path, part).run({"x": x})["estimate"]
        np.testing.assert_allclose(found[0], layer(torch.from_numpy(x))[0][0].detach().numpy(), atol=1e-5)
