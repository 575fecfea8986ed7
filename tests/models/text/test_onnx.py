"""The step graph outside torch: exported, it gives torch's numbers over a whole stream."""

import numpy as np
import onnxruntime
import pytest
import torch

from offline.export import export_onnx
from tests.models.text.nets import CHANNELS, net

HOPS = 24


@torch.no_grad()
@pytest.mark.parametrize(("name", "hops"), [("gru", 2), ("chunk", 1), ("wav2vec2", 1)])
def test_an_exported_step_gives_torchs_numbers(name, hops, tmp_path):
    model = net(name)
    model = model.folded(1 if model.n_days else None)
    size = model.stride * model.block * hops
    export_onnx(model, size, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    inputs = {node.name: node.shape for node in session.get_inputs()}
    state = model.initial_state(1)
    assert inputs == {
        "x": [1, size, CHANNELS],
        **{f"state_{i}": list(values.shape) for i, values in enumerate(state)},
    }
    outputs = [node.name for node in session.get_outputs()]
    arrays = {f"state_{i}": values.numpy() for i, values in enumerate(state)}
    x = torch.randn(HOPS, 1, size, CHANNELS)
    for piece in x:
        heads, state = model.step(piece, state)
        found = dict(zip(outputs, session.run(None, {"x": piece.numpy(), **arrays}), strict=True))
        np.testing.assert_allclose(found["log_probs"], heads["log_probs"].numpy(), atol=1e-4, rtol=0)
        arrays = {f"state_{i}": found[f"next_{i}"] for i in range(len(state))}
    assert heads["log_probs"][0, :, 1:].max() > -100  # the stream is past its first, certain blanks
