"""Folded, time-major nets give the published net's numbers, in windows, streams and steps between windows.

Why it matters: training, scores and golden outputs all speak of the plain net; whatever is run live must be
that net and nothing that resembles it.
"""

import pytest
import torch

from models.inference import IncrementalNet, StreamNet, WindowNet, plan
from tests.decoders import CHANNELS, HOP, SIZE, decoder

SUBJECT = torch.tensor([1])
TOLERANCE = 1e-4  # of the output's standard deviation over time

CAUSAL = [{}, {"taps": 9}, {"text": True, "taps": 9}, {"stride": 2, "taps": 9}, {"kernel": 4, "glu_every": 0}]
SYMMETRIC = [{}, {"taps": 9}, {"text": True}, {"kernel": 5}, {"glu_every": 1}, {"kernel": 4}, {"taps": 25}]


def differs(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.var(dim=1).mean().sqrt())


def heads(net, values):
    return dict(zip(net.outputs, values, strict=False))


@torch.no_grad()
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("shape", CAUSAL + SYMMETRIC)
def test_a_window_is_the_unfolded_forward(causal, shape):
    net = decoder(causal=causal, **shape)
    x = torch.randn(1, SIZE, CHANNELS)
    expected = net(x, SUBJECT)
    found = heads(fast := WindowNet(net.folded(1)), fast(x))
    assert list(found) == list(expected)
    for name in expected:
        assert differs(found[name], expected[name]) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("shape", CAUSAL)
@pytest.mark.parametrize("pieces", [[60], [2] * 30, [6] * 10, [2, 14, 4, 40], "ones"])
def test_a_stream_in_any_pieces_is_the_unfolded_forward(shape, pieces):
    net = decoder(causal=True, **shape)
    if pieces == "ones":
        pieces = [net.config.stride] * (60 // net.config.stride)
    x = torch.randn(2, 60, CHANNELS)
    expected = net(x, torch.tensor([1, 1]))
    fast = StreamNet(net.folded(1))
    state, parts = fast.initial_state(2), []
    for piece in x.split(pieces, dim=1):
        values = fast(piece, *state)
        parts.append(heads(fast, values))
        state = values[len(fast.outputs) :]
    for name in expected:
        assert differs(torch.cat([part[name] for part in parts], dim=1), expected[name]) < TOLERANCE


def advance(fast, net, x, last, at, size, hop):
    """Parts of the window at `at` from the rows of every stage in the window before."""
    _, *inputs = last
    contexts, before, after = [], 0, 0
    for rows, stage in zip(inputs, plan(net).stages, strict=True):
        kept = rows[:, before : size - after]
        contexts += [kept[:, hop : hop + stage.memory], kept[:, kept.shape[1] - stage.memory :]]
        before, after = before + stage.left, after + stage.right
    if net.linear is not None:
        window, memory = x[:, at : at + size], net.linear.memory
        contexts += [window[:, :memory], window[:, size - hop - memory : size - hop]]
    return heads(fast, fast(x[:, at + size - hop : at + size], *contexts)), before, after


@torch.no_grad()
@pytest.mark.parametrize("shape", SYMMETRIC)
@pytest.mark.parametrize("hop", [1, HOP, 23])
def test_a_step_between_windows_gives_edges_and_new_frames(shape, hop):
    model = decoder(causal=False, **shape).folded(1)
    size = SIZE + 20
    x = torch.randn(1, size + hop, CHANNELS)
    whole = WindowNet(model, activations=True)
    values = whole(x[:, :size])
    last = (values[: len(whole.outputs)], *values[len(whole.outputs) :])
    fast = IncrementalNet(model, hop)
    found, before, after = advance(fast, model, x, last, hop, size, hop)
    assert (before, after) == (plan(model).before, plan(model).after)
    expected = heads(whole, whole(x[:, hop:]))
    for name, values in found.items():
        first, end = (model.linear.memory, size) if name == "linear" else (before, size - after)
        kept = torch.cat([expected[name][:, :first], expected[name][:, end - hop :]], dim=1)
        assert differs(values, kept) < TOLERANCE


@torch.no_grad()
def test_the_future_changes_nothing_in_a_stream():
    model = decoder(causal=True, taps=9).folded(1)
    fast, x = StreamNet(model), torch.randn(1, 40, CHANNELS)
    whole = fast(x, *fast.initial_state())[0]
    x[:, 25:] += 100
    assert torch.equal(fast(x, *fast.initial_state())[0][:, :25], whole[:, :25])


def test_what_cannot_stream_or_be_continued_is_refused():
    with pytest.raises(ValueError, match="cannot stream"):
        StreamNet(decoder(causal=False).folded(1))
    with pytest.raises(ValueError, match="the stride is 2"):
        IncrementalNet(decoder(causal=False, stride=2).folded(1), 4)
    with pytest.raises(ValueError, match="folded"):
        WindowNet(decoder(causal=False))
