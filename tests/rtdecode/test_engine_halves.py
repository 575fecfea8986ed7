"""Products of int8 in halves: what they compute, what they leave alone, and what becomes of silence and NaN.

Why it matters: eight bits alone exchange the candidates of a third of all decisions.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engines import Session, open_session, open_trial
from rtdecode.errors import BundleError

onnx = pytest.importorskip("onnx", reason="graphs are quantised with it")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from rtdecode.engines import halves  # noqa: E402
from rtdecode.engines.halves import LEAST, in_halves, limit, split  # noqa: E402
from rtdecode.engines.precision import quantise  # noqa: E402

DEMO = Path(__file__).parents[2] / "recordings" / "demo"
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def demo() -> Bundle:
    return load_bundle(DEMO)


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("RTDECODE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def graph(nodes: list, weights: dict[str, np.ndarray], shape: tuple[int, ...], opset: int = 17):
    """A model of one input x and one output y."""
    port = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "g",
        [port("x", TensorProto.FLOAT, shape)],
        [port("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    return model


def run(model, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(["y"], {"x": x})[0]


def estimate(session: Session, x: np.ndarray) -> np.ndarray:
    found = session.run(x).estimate
    assert found is not None
    return found


def operators(model) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("yes", [True, False])
def test_what_a_branch_takes_from_around_it_stays(yes: bool) -> None:
    def branch(op: str):
        out = helper.make_tensor_value_info(op, TensorProto.FLOAT, [4, 300])
        return helper.make_graph([helper.make_node(op, ["h", "b"], [op])], op, [], [out])

    ends = {"then_branch": branch("Add"), "else_branch": branch("Sub")}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("If", ["c"], ["y"], **ends)]
    weights = {"w": RNG.normal(size=(32, 300)).astype(np.float32), "b": np.ones(300, np.float32)}
    model, x = graph(nodes, {**weights, "c": np.array(yes)}, (4, 32)), RNG.normal(size=(4, 32))
    expected = run(model, x.astype(np.float32))
    assert in_halves(model) == 1
    assert np.allclose(run(model, x.astype(np.float32)), expected, atol=0.01)


@pytest.mark.parametrize("most", [127, 63])
def test_the_halves_of_a_weight_make_it_again(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "limit", lambda: most)  # as this processor adds, or as one without VNNI
    weights = RNG.normal(size=(50, 7)).astype(np.float32)
    weights[:, 3] = 0
    coarse, fine, scale, small = split(weights)
    assert coarse.dtype == fine.dtype == np.int8
    assert np.abs(coarse).max() == most and np.abs(fine).max() <= most
    error = np.abs(coarse * scale + fine * small - weights)
    assert (error <= np.abs(weights).max(0) / most / (2 * most) / 2 * 1.01 + 1e-9).all()


def test_a_processor_with_vnni_takes_eight_bits() -> None:
    info = Path("/proc/cpuinfo")
    if not info.exists() or "vnni" not in info.read_text("utf-8"):
        pytest.skip("this processor does not say that it has VNNI")
    assert limit() == 127


def test_no_sum_overflows_on_this_processor() -> None:
    """The largest numbers there are, in a product of its own: exact, whatever the processor."""
    depth = 256
    weights, x = np.ones((depth, 96), np.float32), np.ones((4, depth), np.float32)
    model = graph([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weights}, x.shape)
    assert in_halves(model) == 1.0 and limit() in (63, 127)
    np.testing.assert_allclose(run(model, x), depth, rtol=1e-5)


@pytest.mark.parametrize(("op", "said"), [("Gemm", {}), ("Gemm", {"transB": 1}), ("MatMul", {})])
def test_a_product_is_nearly_that_of_float32(op: str, said: dict) -> None:
    weights, bias = RNG.normal(size=(96, 120)).astype(np.float32), RNG.normal(size=120).astype(np.float32)
    shape = (9, 96) if op == "Gemm" else (1, 9, 96)
    x = (RNG.normal(size=shape) * 30 + 5).astype(np.float32)
    held = {"w": weights.T.copy() if said else weights, "b": bias}
    if op == "Gemm":
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], **said)]
    else:
        nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Add", ["h", "b"], ["y"])]
    model = graph(nodes, held, shape)
    exact = x.astype(np.float64) @ weights + bias
    assert in_halves(model) == 1.0
    assert op not in operators(model) and operators(model).count("MatMulIntegerToFloat") == 2
    found = run(model, x)
    assert found.shape == exact.shape
    # one half alone would be wrong by some 5e-3
    assert np.linalg.norm(found - exact) / np.linalg.norm(exact) < 3e-4


def test_the_taps_of_a_convolution_are_laid_out_as_integers() -> None:
    rows, width, taps = 20, 32, 3
    index = np.concatenate([np.arange(k, k + taps) for k in range(rows - taps + 1)])
    weights = RNG.normal(size=(taps * width, 100)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["x", "index"], ["taps"], axis=1),
        helper.make_node("Reshape", ["taps", "shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["y"]),
    ]
    held = {"index": index, "shape": np.array([rows - taps + 1, taps * width]), "w": weights}
    model = graph(nodes, held, (1, rows, width))
    x = RNG.normal(size=(1, rows, width)).astype(np.float32)
    exact = x[0, index].reshape(rows - taps + 1, -1).astype(np.float64) @ weights
    assert in_halves(model) == 1.0
    (gather,) = (node for node in model.graph.node if node.op_type == "Gather")
    assert gather.input[0].endswith(".q")
    assert np.linalg.norm(run(model, x) - exact) / np.linalg.norm(exact) < 3e-4


def test_weights_used_twice_are_kept_once_and_small_ones_stay() -> None:
    large, small = (RNG.normal(size=size).astype(np.float32) for size in ((128, 128), (128, 4)))
    nodes = [
        helper.make_node("MatMul", ["x", "large"], ["h"]),
        helper.make_node("MatMul", ["h", "large"], ["g"]),
        helper.make_node("MatMul", ["g", "small"], ["y"]),
    ]
    model = graph(nodes, {"large": large, "small": small}, (3, 128))
    x = RNG.normal(size=(3, 128)).astype(np.float32)
    exact = run(model, x)
    share = in_halves(model)
    assert np.linalg.norm(run(model, x) - exact) / np.linalg.norm(exact) < 1e-3
    assert share == 2 * large.size / (2 * large.size + small.size) and small.size < LEAST < large.size
    kept = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    assert "large" not in kept and "small" in kept
    assert sum(value.size for value in kept.values() if value.dtype == np.int8) == 2 * large.size
    assert operators(model).count("MatMul") == 1


def test_what_is_no_plain_product_with_known_weights_stays_in_float32(tmp_path: Path) -> None:
    weights = RNG.normal(size=(128, 128)).astype(np.float32)
    for nodes in (
        [helper.make_node("Gemm", ["x", "w"], ["y"], alpha=0.5)],
        [helper.make_node("Gemm", ["x", "w"], ["y"], transA=1)],
        [helper.make_node("Gemm", ["x", "w", "w"], ["y"])],  # its bias is a matrix
        [helper.make_node("MatMul", ["x", "x"], ["y"])],
    ):
        model = graph(nodes, {"w": weights}, (128, 128))
        assert in_halves(model) == 0.0 and operators(model) == [nodes[0].op_type]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(BundleError, match="no product with known weights") as found:
        quantise(tmp_path / "model.onnx", tmp_path / "out.onnx")
    assert "fp32" in found.value.hint


def test_a_file_that_is_no_network_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a network" * 9)
    with pytest.raises(BundleError, match="cannot be quantised"):
        quantise(tmp_path / "model.onnx", tmp_path / "out.onnx")


def test_the_demo_is_nearly_all_int8_in_half_the_bytes(demo: Bundle, tmp_path: Path) -> None:
    model = onnx.load(DEMO / "model.onnx")
    assert in_halves(model) > 0.98
    onnx.save(model, tmp_path / "half.onnx")
    ratio = (tmp_path / "half.onnx").stat().st_size / (DEMO / "model.onnx").stat().st_size
    assert 0.45 < ratio < 0.55


def test_silence_is_silence_and_no_division_by_it(demo: Bundle) -> None:
    exact, reduced = open_session(demo), open_trial(demo, "onnx", precision="int8")
    silence = np.zeros((16, 32), np.float32)
    for _ in range(3):
        one, other = estimate(exact, silence), estimate(reduced, silence)
        np.testing.assert_allclose(other, one, atol=2e-3 * np.abs(one).max())


def test_what_is_not_a_number_is_not_made_one(demo: Bundle) -> None:
    session = open_trial(demo, "onnx", precision="int8")
    x = RNG.normal(size=(16, 32)).astype(np.float32)
    before = estimate(session, x)
    bad = x.copy()
    bad[5, 5] = np.nan
    assert np.isnan(estimate(session, bad)).all()
    assert np.isnan(estimate(session, x)).all()  # its state is lost too, as in float32
    session.reset()
    np.testing.assert_array_equal(estimate(session, x), before)


def test_pieces_from_a_state_go_on_as_they_were(demo: Bundle) -> None:
    session = open_trial(demo, "onnx", precision="int8")
    x = RNG.normal(size=(6, 16, 32)).astype(np.float32)
    for piece in x[:3]:
        session.run(piece)
    kept = session.state()
    first = [estimate(session, piece) for piece in x[3:]]
    session.load_state(kept)
    again = [estimate(session, piece) for piece in x[3:]]
    np.testing.assert_array_equal(first, again)


def test_the_form_is_part_of_what_a_report_speaks_of(demo: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtdecode.engines import precision
    from rtdecode.engines.precision import report_file

    info = open_trial(demo, "onnx", precision="int8").info()
    assert info.versions["int8"] == precision.FORM
    other = replace(info, versions={**info.versions, "int8": "another"})
    assert report_file("b", info) != report_file("b", other)
