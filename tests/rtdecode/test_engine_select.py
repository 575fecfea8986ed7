"""Which engine runs, and why: the choice of `auto`, and names that are never replaced.

Why it matters: a decoder that quietly runs on something else than it was told cannot be trusted or compared.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engines import EngineInfo, Frames, open_session, open_trial, select, setup_of
from rtdecode.engines.select import choose
from rtdecode.engines.session import Base, Session, Setup
from rtdecode.errors import BundleError, ConfigError, MissingExtra

DEMO = Path(__file__).parents[2] / "recordings" / "demo"


@pytest.fixture(scope="module")
def demo() -> Bundle:
    return load_bundle(DEMO)


class Fake(Base):
    """Takes `ms` on a clock that only it moves."""

    def __init__(self, name: str, setup: Setup, ms: float, clock: "Clock"):
        super().__init__(EngineInfo(name, setup.mode, setup.hop, setup.precision, 1), setup.hop, 1)
        self.parity, self.resets, self._ms, self._clock = 1e-6, 0, ms, clock

    def reset(self) -> None:
        self.resets += 1

    def run(self, x: np.ndarray) -> Frames:
        self._clock.now += self._ms / 1e3
        return Frames(None, None)

    def rehearse(self, x: np.ndarray) -> None: ...

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def load_state(self, state) -> None: ...


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def chosen(demo: Bundle, monkeypatch, **engines: float | Exception):
    """engines: milliseconds a hop, or what opening it raises."""
    clock = Clock()
    monkeypatch.setattr(select, "missing", lambda name: "")

    def opener(bundle: Bundle, name: str, setup: Setup) -> Session:
        found = engines[name]
        if isinstance(found, Exception):
            raise found
        return Fake(name, setup, found, clock)

    return choose(demo, setup_of(demo), opener, tuple(engines), clock=clock)


def test_the_quickest_wins_and_every_other_has_its_reason(demo, monkeypatch) -> None:
    choice = chosen(
        demo,
        monkeypatch,
        onnx=2.0,
        openvino=1.0,
        numpy=5.0,
        cuda=MissingExtra("torch (engine cuda)", "offline"),
        tensorrt=BundleError("differs from the golden output by 0.003, allowed is 0.0001"),
        inductor=OSError("libfoo.so.1: cannot open shared object file"),
    )
    info = choice.session.info()
    assert info.name == "openvino" and "1.00 ms" in info.reason and "onnx 2.00 ms" in info.reason
    words = "\n".join(choice.words)
    assert choice.words[0].startswith("engine openvino in fp32: parity 1e-06")
    assert "not onnx: 2.00 ms a hop, openvino needs 1.00 ms" in words
    assert "not cuda: torch (engine cuda) is not installed" in words
    assert "not tensorrt: differs from the golden output by 0.003" in words
    assert "not inductor: it does not start: OSError: libfoo.so.1" in words
    assert len(choice.trials) == 6


def test_the_default_is_kept_unless_clearly_beaten(demo, monkeypatch) -> None:
    choice = chosen(demo, monkeypatch, openvino=1.9, onnx=2.0)
    assert choice.session.info().name == "onnx"
    assert "not clearly quicker" in choice.words[1]


def test_where_nothing_runs_every_reason_is_told(demo, monkeypatch) -> None:
    with pytest.raises(ConfigError, match="onnx: gone; numpy: bad"):
        chosen(demo, monkeypatch, onnx=ConfigError("gone"), numpy=ConfigError("bad"))


def test_a_trial_leaves_no_trace(demo, monkeypatch) -> None:
    opened: list[Session] = []

    def opener(bundle: Bundle, name: str, setup: Setup) -> Session:
        opened.append(open_trial(bundle, name, precision=setup.precision))
        return opened[-1]

    session = choose(demo, setup_of(demo), opener, ("onnx", "numpy"), rounds=4).session
    expected = open_session(demo)
    for x in demo.golden["x"][:3]:
        np.testing.assert_allclose(session.run(x).estimate, expected.run(x).estimate, atol=1e-5)
    assert len(opened) == 2


def test_auto_runs_and_says_why(demo, monkeypatch) -> None:
    monkeypatch.setattr(select, "driver", lambda: "")
    info = open_session(demo, "auto").info()
    assert info.name in ("onnx", "openvino", "numpy") and info.reason
    assert info.parity is not None and info.parity <= 1e-4


@pytest.mark.parametrize("engine", ["tensorrt", "cuda", "cuda-inductor"])
def test_without_a_gpu_its_engines_are_not_even_imported(monkeypatch, engine: str) -> None:
    monkeypatch.setattr(select, "driver", lambda: "")
    assert "no NVIDIA GPU" in select.missing(engine)


@pytest.mark.parametrize("engine", ["tensorrt", "cuda", "cuda-inductor"])
def test_a_gpu_engine_asked_for_by_name_is_refused_without_one(demo, engine: str) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match=f"engine {engine} needs") as found:
        open_session(demo, engine)
    assert "--engine onnx" in found.value.hint


def test_a_missing_library_is_refused_by_name(demo, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(MissingExtra, match=r"openvino.*rtdecode\[openvino\]"):
        open_session(demo, "openvino")


def test_an_unknown_engine_names_the_closest(demo) -> None:
    with pytest.raises(ConfigError, match="did you mean openvino"):
        open_session(demo, "openvno")


@pytest.mark.parametrize("engine", ["torch", "numpy", "inductor"])
def test_a_precision_an_engine_has_not_is_refused(demo, engine: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=f"engine {engine} has no int8"):
        open_session(demo, engine, precision="int8")


def test_reduced_precision_needs_a_report_that_passes(demo, monkeypatch, tmp_path) -> None:
    pytest.importorskip("onnx", reason="graphs are quantised with it")
    from rtdecode.engines.precision import Agreement, identity, keep, stored

    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="has not been compared with float32") as found:
        open_session(demo, precision="int8")
    assert "--agree" in found.value.hint
    session = open_trial(demo, "onnx", precision="int8")
    info = session.info()
    assert info.precision == "int8" and info.parity is None
    of = identity(demo)
    report = Agreement(of, "onnx", "int8", "stream", info.hop, dict(info.versions), 200, 197, 0.01, "f", "")
    path = keep(report, info)
    assert stored(demo, info) == report
    said = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in said.items() if name != "what"}))
    assert stored(demo, info) == report, "of a version that compared nothing but rankings"
    path.write_text(json.dumps({name: value for name, value in said.items() if name != "same"}))
    assert stored(demo, info) is None
    path.write_text(json.dumps(said))
    with pytest.raises(ConfigError, match=r"disagrees with float32.*98.5 %"):
        open_session(demo, precision="int8")
    keep(dataclasses.replace(report, same=199), info)
    assert open_session(demo, precision="int8").info().precision == "int8"


def test_int8_is_near_and_not_the_same(demo, monkeypatch, tmp_path) -> None:
    pytest.importorskip("onnx", reason="graphs are quantised with it")
    from rtdecode.engines.precision import relative

    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path))
    error = relative(open_trial(demo, "onnx", precision="int8"), demo)
    assert 1e-5 < error < 1e-3  # 8 bits alone: 1e-2
