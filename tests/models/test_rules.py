"""Rules of model code that exporters and compilers depend on."""

import re
from pathlib import Path

import pytest
import torch

import models
from models import DeepMel, DeepMelConfig

FILES = sorted(Path(models.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FILES[0].parent)))
def test_gates_are_spelled_out(file):
    """GLU is no operator of some compilers; a product with a sigmoid is one of all."""
    code = re.sub(r"#.*", "", file.read_text("utf-8"))
    assert not re.search(r"\b(F\.glu|functional\.glu|nn\.GLU|torch\.glu)\b", code)


@torch.no_grad()
def test_the_feature_models_gate_is_a_glu():
    net = DeepMel(DeepMelConfig(n_in=3, n_out=4, hidden=8, depth=3)).eval()
    layer = next(layer for layer in net.layers if layer.glu is not None)
    x = torch.randn(2, layer.conv.in_channels, 20)
    gated = []
    layer.glu.register_forward_hook(lambda _, __, out: gated.append(out))
    found = layer(x)
    torch.testing.assert_close(found, torch.nn.functional.glu(gated[0], dim=1))
