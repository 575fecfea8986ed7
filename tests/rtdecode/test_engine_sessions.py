"""Every engine in every mode against the float64 oracle; streams in any pieces; states that can be carried.

Why it matters: an engine is chosen by its speed. That is allowed because the answer does not depend on it.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from rtdecode.bundle import Bundle
from rtdecode.engines import ENGINES, PARITY, Frames, Session, open_session, open_trial, why_not_incremental
from rtdecode.engines.incremental import IncrementalSession
from rtdecode.engines.plan import plan_of
from rtdecode.errors import BundleError, ConfigError

pytest.importorskip("torch", reason="bundles of real networks are made with torch")
from tests.decoders import CHANNELS, HOP, SIZE, decoder, decoder_bundle

ROOT = Path(__file__).parents[2]
HEADS = ("estimate", "log_probs")
STREAM, WINDOW = "stream", "window"  # both with a linear path, the stream with text


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    folder, made = tmp_path_factory.mktemp("bundles"), {}

    def get(name: str) -> Bundle:
        if name not in made:
            net = decoder(causal=name == STREAM, taps=9, text=name == STREAM, depth=3)
            made[name] = decoder_bundle(folder / name, net, hops=(1,))
        return made[name]

    return get


def samples(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, CHANNELS)).astype(np.float32)


def fed(session: Session, x: np.ndarray, hop: int) -> list[Frames]:
    return [session.run(x[at : at + hop]) for at in range(0, len(x), hop)]


def windows(x: np.ndarray, hop: int) -> list[np.ndarray]:
    return [x[at : at + SIZE] for at in range(0, len(x) - SIZE + 1, hop)]


def joined(frames: Iterable[Frames], head: str) -> np.ndarray | None:
    parts = [values for frame in frames if (values := getattr(frame, head)) is not None]
    return np.concatenate(parts) if parts else None


def same(found: list[Frames], expected: list[Frames], tolerance: float) -> None:
    for head in HEADS:
        one, other = joined(found, head), joined(expected, head)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.shape == other.shape
            assert np.abs(one - other).max() <= tolerance * (np.sqrt(other.var(axis=0).mean()) or 1.0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hop", [1, HOP])
def test_a_stream_is_the_oracles(bundles, engine: str, hop: int) -> None:
    bundle, x = bundles(STREAM), samples(96)
    oracle = fed(open_session(bundle, "numpy", precision="fp64"), x, HOP)
    assert oracle[0].estimate is not None and oracle[0].estimate.dtype == np.float64
    session = open_session(bundle, engine, hop=hop)
    same(fed(session, x, hop), oracle, PARITY)
    assert session.info().parity is not None and session.info().parity <= PARITY


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("mode", "hop"), [("window", HOP), ("incremental", HOP), ("incremental", 1)])
def test_windows_are_the_oracles(bundles, engine: str, mode, hop: int) -> None:
    bundle, x = bundles(WINDOW), samples(SIZE + 12 * HOP)
    oracle = open_session(bundle, "numpy", precision="fp64")
    session = open_session(bundle, engine, mode=mode, hop=hop)
    found = [session.run(window) for window in windows(x, hop)]
    same(found, [oracle.run(window) for window in windows(x, hop)], PARITY)
    if isinstance(session, IncrementalSession):
        wholes = session.wholes
        session.run(samples(SIZE, seed=6))
        assert session.wholes == wholes + 1


@pytest.mark.parametrize(
    ("name", "mode", "hop"),
    [
        (STREAM, "stream", HOP),
        (STREAM, "stream", 1),
        (WINDOW, "window", HOP),
        (WINDOW, "incremental", HOP),
    ],
)
def test_int8_is_near_the_oracle_in_every_mode(
    bundles, name: str, mode, hop: int, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path))
    monkeypatch.setattr("rtdecode.engines.halves.LEAST", 1)  # of a network as small as this, every product
    bundle, x = bundles(name), samples(16 * HOP)
    oracle = open_session(bundle, "numpy", mode="stream" if mode == "stream" else "window", precision="fp64")
    session = open_trial(bundle, "onnx", mode=mode, hop=hop, precision="int8")
    if mode == "stream":
        expected, found = fed(oracle, x, HOP), fed(session, x, hop)
    else:
        expected, found = ([each.run(window) for window in windows(x, hop)] for each in (oracle, session))
    one, other = joined(found, "estimate"), joined(expected, "estimate")
    assert one is not None and other is not None
    error = np.linalg.norm(one - other) / np.linalg.norm(other)
    assert 1e-6 < error < 5e-4  # float32: 1e-7; 8 bits alone: 1e-2


@settings(max_examples=15, deadline=None)
@given(pieces=st.lists(st.integers(1, 30), min_size=1, max_size=12))
def test_any_pieces_give_the_same_stream(bundles, pieces: list[int]) -> None:
    bundle, x = bundles(STREAM), samples(sum(pieces))
    whole = open_session(bundle, "numpy", precision="fp64").run(x)
    for engine in ("numpy", "torch"):  # those whose steps have no fixed length
        session, found, at = open_session(bundle, engine), [], 0
        for piece in pieces:
            found.append(session.run(x[at : at + piece]))
            at += piece
        same(found, [whole], PARITY)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", ["stream", "window", "incremental"])
def test_a_state_can_be_carried_to_another_session(bundles, engine: str, mode) -> None:
    bundle = bundles(STREAM if mode == "stream" else WINDOW)
    x = samples(SIZE + 8 * HOP)
    pieces = np.split(x[: 12 * HOP], 12) if mode == "stream" else windows(x, HOP)
    session = open_session(bundle, engine, mode=mode)
    for piece in pieces[:4]:
        session.run(piece)
    state = session.state()
    rest = [session.run(piece) for piece in pieces[4:]]
    other = open_session(bundle, engine, mode=mode)
    other.run(pieces[-1])
    other.load_state(state)
    other.rehearse(pieces[0])
    other.warmup(2)
    again = [other.run(piece) for piece in pieces[4:]]
    for one, two in zip(rest, again, strict=True):
        for head in HEADS:
            assert np.array_equal(getattr(one, head), getattr(two, head))  # None equals None
    if isinstance(other, IncrementalSession):
        assert other.wholes == session.wholes  # it went on, it did not start again
    spoiled = session.state()
    for values in spoiled.values():
        values += 1  # copies: what their holder does to them is no one else's business
    same([other.run(pieces[-1])], [session.run(pieces[-1])], 0)


def test_a_state_goes_from_engine_to_engine(bundles) -> None:
    bundle, x = bundles(STREAM), samples(10 * HOP)
    first = open_session(bundle, "onnx")
    fed(first, x[: 5 * HOP], HOP)
    expected = fed(open_session(bundle, "onnx"), x, HOP)[5:]
    for engine in ("torch", "numpy"):
        session = open_session(bundle, engine)
        session.load_state(first.state())
        same(fed(session, x[5 * HOP :], HOP), expected, PARITY)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "mode"), [(STREAM, None), (WINDOW, "incremental")])
def test_a_foreign_state_is_refused(bundles, engine: str, name: str, mode) -> None:
    bundle = bundles(name)
    session = open_session(bundle, engine, mode=mode)
    session.run(samples(bundle.spec.model.size))
    state = session.state()
    one = sorted(state)[0]
    with pytest.raises(ConfigError, match=f"lacks \\['{one}'\\], has nothing"):
        session.load_state({name: values for name, values in state.items() if name != one})
    with pytest.raises(ConfigError, match="has \\['more'\\]"):
        session.load_state({**state, "more": np.zeros(1)})
    with pytest.raises(ConfigError, match=f"{one} is float32"):
        session.load_state({**state, one: state[one][:, 1:]})
    with pytest.raises(ConfigError, match=f"{one} is float16"):
        session.load_state({**state, one: state[one].astype(np.float16)})


@pytest.mark.parametrize("engine", ENGINES)
def test_the_future_changes_nothing(bundles, engine: str) -> None:
    bundle, x = bundles(STREAM), samples(8 * HOP)
    before = fed(open_session(bundle, engine), x, HOP)[:5]
    x[5 * HOP :] = 50
    same(fed(open_session(bundle, engine), x, HOP)[:5], before, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_outside_the_window_change_nothing(bundles, engine: str) -> None:
    """The incremental session saw the samples before; its answer must not remember them."""
    bundle, x = bundles(WINDOW), samples(2 * SIZE)
    session = open_session(bundle, engine, mode="incremental")
    at = SIZE // HOP * HOP
    for start in range(0, at + 1, HOP):
        one = session.run(x[start : start + SIZE])
    x[:at], x[at + SIZE :] = 50, 50
    session.reset()
    for start in range(0, at + 1, HOP):
        other = session.run(x[start : start + SIZE])
    same([other], [one], PARITY)
    fresh = open_session(bundle, engine, mode="window").run(x[at : at + SIZE])
    same([other], [fresh], PARITY)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_short_skip_is_stepped_over_and_a_long_one_starts_again(bundles, engine: str) -> None:
    bundle, x = bundles(WINDOW), samples(2 * SIZE)
    session, oracle = open_session(bundle, engine, mode="incremental"), open_session(bundle, "numpy")
    assert isinstance(session, IncrementalSession)
    opened, wholes = session.wholes, 0
    for at, whole in ((0, 1), (HOP, 0), (3 * HOP, 0), (6 * HOP, 0), (10 * HOP, 1), (HOP, 1), (HOP + 1, 1)):
        window, wholes = x[at : at + SIZE], wholes + whole
        same([session.run(window)], [oracle.run(window)], PARITY)
        assert session.wholes == opened + wholes


def test_rehearsing_leaves_a_stream_as_it_was(bundles) -> None:
    bundle, x = bundles(STREAM), samples(4 * HOP)
    for engine in ENGINES:
        session = open_session(bundle, engine)
        expected = fed(session, x, HOP)
        session.reset()
        session.warmup()
        for at, frames in zip(range(0, len(x), HOP), expected, strict=True):
            session.rehearse(samples(HOP, seed=9))
            same([session.run(x[at : at + HOP])], [frames], 0)


def test_info_says_what_runs(bundles) -> None:
    info = open_session(bundles(WINDOW), "onnx", mode="incremental", hop=1).info()
    assert (info.name, info.mode, info.hop, info.precision, info.threads) == (
        "onnx",
        "incremental",
        1,
        "fp32",
        1,
    )
    assert info.versions["onnxruntime"]


def test_what_cannot_be_is_refused_with_the_reason(bundles) -> None:
    stream, window = bundles(STREAM), bundles(WINDOW)
    with pytest.raises(ConfigError, match="streams in causal steps, which reuse everything"):
        open_session(stream, mode="incremental")
    with pytest.raises(ConfigError, match="has no mode stream: its network takes whole windows"):
        open_session(window, mode="stream")
    with pytest.raises(ConfigError, match="there is no mode 'incremental-ish'"):
        open_session(window, mode="incremental-ish")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is too short: 16 frames depend on its edges and 60 are new"):
        open_session(window, mode="incremental", hop=60)
    with pytest.raises(BundleError, match=r"holds no incremental-5\.onnx"):
        open_session(window, mode="incremental", hop=5)
    with pytest.raises(ConfigError, match="engine onnx has no bf16"):
        open_session(window, precision="bf16")


def test_windows_centred_on_their_own_mean_are_never_continued(bundles) -> None:
    spec = bundles(WINDOW).spec
    assert why_not_incremental(spec, HOP) is None
    reason = why_not_incremental(spec, HOP, baseline=30)
    assert reason is not None and "the mean of each window's first 30 samples" in reason


def test_numpy_needs_neither_torch_nor_onnxruntime() -> None:
    code = "import sys, rtdecode.engines.numpy; print({'torch', 'onnxruntime', 'models'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "set()"


def test_weights_of_another_net_are_refused(bundles, tmp_path: Path) -> None:
    bundle = bundles(STREAM)
    save_file({"encoder.front.weight": np.zeros((6, CHANNELS, 1))}, tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match="does not fit"):
        open_session(dataclasses.replace(bundle, path=tmp_path), "numpy")
    config = {**bundle.spec.model.config, "name": "other"}
    model = dataclasses.replace(bundle.spec.model, config=config)
    other = dataclasses.replace(bundle, spec=dataclasses.replace(bundle.spec, model=model))
    with pytest.raises(BundleError, match="only networks named 'decoder' are known here, not 'other'"):
        open_session(other, "numpy")


def test_a_graph_of_another_net_is_refused(bundles, tmp_path: Path) -> None:
    bundle = bundles(WINDOW)
    files = {**bundle.spec.files, "incremental-7.onnx": ""}
    for file in bundle.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "incremental-7.onnx").write_bytes((tmp_path / f"incremental-{HOP}.onnx").read_bytes())
    other = dataclasses.replace(bundle, path=tmp_path, spec=dataclasses.replace(bundle.spec, files=files))
    with pytest.raises(BundleError, match=r"takes x of shape \[1, 6, 7\], bundle.json says \[1, 7, 7\]"):
        open_session(other, mode="incremental", hop=7)
    (tmp_path / "incremental-7.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match="is not a model ONNX Runtime can load"):
        open_session(other, mode="incremental", hop=7)


def test_wrong_steps_are_noticed_when_a_session_opens(bundles, tmp_path: Path) -> None:
    """The golden windows alone never take a step: opening must."""
    bundle = bundles(WINDOW)
    for file in bundle.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    graph = onnx.load(tmp_path / f"incremental-{HOP}.onnx")
    bias = next(tensor for tensor in graph.graph.initializer if tensor.name == "trunk.stages.1.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(1.01 * onnx.numpy_helper.to_array(bias), bias.name))
    onnx.save(graph, tmp_path / f"incremental-{HOP}.onnx")
    with pytest.raises(BundleError, match="differs from the golden output"):
        open_session(dataclasses.replace(bundle, path=tmp_path), mode="incremental")


@pytest.mark.parametrize("changes", [{}, {"stride": 2}, {"kernel": 4}, {"glu_every": 0}])
@pytest.mark.parametrize("causal", [True, False])
def test_the_plan_read_from_a_bundle_is_the_nets_own(causal: bool, changes: dict) -> None:
    import models
    from models.inference import plan

    net = decoder(causal=causal, taps=9, **changes).folded(0)
    own, read = plan(net), plan_of(models.describe(net))
    assert own.linear is not None and read.linear is not None
    for one, two in zip((*own.stages, own.linear), (*read.stages, read.linear), strict=True):
        shared = [field.name for field in dataclasses.fields(one)]
        assert [getattr(one, name) for name in shared] == [getattr(two, name) for name in shared]
    assert (own.before, own.after) == (read.before, read.after)
