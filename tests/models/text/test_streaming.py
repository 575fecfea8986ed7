"""Steps equal the whole, the future changes nothing, and a sentence is the same alone and in a batch."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from models.text import NEVER
from tests.models.text.nets import CHANNELS, EVERY, STREAMING, SYMBOLS, WHOLE, day_of, net, streamed

TOLERANCE = {"gru": 1e-6, "gru-32": 1e-6}  # of the others 1e-5
MODELS = {name: net(name) for name in EVERY}


@st.composite
def partition(draw, hops):
    sizes = []
    while sum(sizes) < hops:
        sizes.append(draw(st.integers(1, min(6, hops - sum(sizes)))))
    return sizes


@torch.no_grad()
@pytest.mark.parametrize("name", STREAMING)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_any_partition_of_a_stream_equals_the_whole(name, data):
    model = MODELS[name]
    hop = model.stride * model.block
    frames = 2 * data.draw(st.integers(1, 12))  # whole blocks
    bins = (frames - 1) * model.stride + model.front.config.window
    x = torch.randn(2, bins, CHANNELS)
    day = day_of(model, 2)
    whole, counts = model(x, torch.tensor([bins, bins]), day)
    assert counts.tolist() == [frames, frames]
    tail = model.tail(bins)
    padded = torch.cat([x, torch.zeros(2, tail, CHANNELS)], dim=1)
    found = streamed(model, padded, data.draw(partition(padded.shape[1] // hop)), day)
    assert found.shape[1] >= model.lag + frames
    torch.testing.assert_close(
        found[:, model.lag : model.lag + frames], whole, atol=TOLERANCE.get(name, 1e-5), rtol=0
    )
    blank = torch.tensor([0.0] + [NEVER] * (SYMBOLS - 1)).expand(2, model.lag, -1)
    assert torch.equal(found[:, : model.lag], blank)


@torch.no_grad()
@pytest.mark.parametrize("name", STREAMING)
def test_a_long_stream_forgets_its_age(name):
    # far beyond the length of every memory: counters stand still, numbers stay right
    model = MODELS[name]
    hop = model.stride * model.block
    x = torch.randn(1, 60 * hop, CHANNELS)
    day = day_of(model, 1)
    whole, _ = model(x, None, day)
    found = streamed(model, x, [1] * 60, day)
    n = found.shape[1] - model.lag
    torch.testing.assert_close(found[:, model.lag :], whole[:, :n], atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", STREAMING)
def test_a_stream_goes_on_from_a_saved_state(name, tmp_path):
    model = MODELS[name]
    hop = model.stride * model.block
    x = torch.randn(1, 14 * hop, CHANNELS)
    day = day_of(model, 1)
    state, out = model.initial_state(1), []
    assert all(not values.any() and values.dtype == torch.float32 for values in state)
    for i, piece in enumerate(x.split(hop, dim=1)):
        if i == 7:
            torch.save(state, tmp_path / "state.pt")
            model.step(torch.randn_like(piece), state, day)  # what others do with it leaves it alone
            state = torch.load(tmp_path / "state.pt", weights_only=True)
        before = [values.shape for values in state]
        heads, state = model.step(piece, state, day)
        assert [values.shape for values in state] == before
        out.append(heads["log_probs"])
    torch.testing.assert_close(torch.cat(out, 1), streamed(model, x, [1] * 14, day), atol=0, rtol=0)


@torch.no_grad()
def first_changed_frames(model, bins):
    """For each of `bins` the first frame that changes when the bins from there on do."""
    x = torch.randn(1, 90, CHANNELS).repeat(len(bins), 1, 1)
    day = None if model.n_days == 0 else torch.zeros(len(bins), dtype=torch.long)
    before, _ = model(x, None, day)
    for row, bin_ in enumerate(bins):
        x[row, bin_:] += torch.randn(90 - bin_, CHANNELS)
    changed = (model(x, None, day)[0] - before).abs().amax(dim=2) > 0
    assert changed.any(1).all()
    return changed.int().argmax(1).tolist()


@pytest.mark.parametrize("name", STREAMING)
def test_no_frame_sees_beyond_its_declared_look_ahead(name):
    model = MODELS[name]
    bins = range(50, 74)
    slack = []
    for bin_, first in zip(bins, first_changed_frames(model, bins), strict=True):
        # frame n may depend on the bins before n * stride + window + delay
        bound = (bin_ - model.front.config.window - model.delay) // model.stride + 1
        slack.append(first - bound)
    assert min(slack) == 0  # none before its bound, and the declaration is no larger than it must be


@pytest.mark.parametrize("name", WHOLE)
def test_a_model_of_whole_sentences_does_see_the_future(name):
    # the control: the same check must fail for them
    model = MODELS[name]
    assert model.delay is None and not model.streams
    assert first_changed_frames(model, [80]) == [0]
    for call in (lambda: model.initial_state(1), lambda: model.step(torch.zeros(1, 4, CHANNELS), [])):
        with pytest.raises(ValueError, match="whole sentence"):
            call()


@torch.no_grad()
@pytest.mark.parametrize("name", EVERY)
def test_a_sentence_is_the_same_alone_and_in_a_padded_batch(name):
    model = MODELS[name]
    lengths = torch.tensor([61, 90, 33, 7, 0])
    x = torch.randn(5, 90, CHANNELS)
    x[0, 61:] = 1e3  # whatever the padding holds
    x[2, 33:] = float("nan")
    day = day_of(model, 5)
    together, counts = model(x, lengths, day)
    assert not together.isnan().any()
    for i, n in enumerate(lengths.tolist()):
        alone, count = model(x[i : i + 1, :n], None, None if day is None else day[i : i + 1])
        assert count.item() == counts[i].item() == alone.shape[1]
        torch.testing.assert_close(together[i : i + 1, : alone.shape[1]], alone, atol=1e-5, rtol=0)
        assert (together[i, alone.shape[1] :, 0] == 0).all()
        assert (together[i, alone.shape[1] :, 1:] == NEVER).all()


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_sentence_in_a_batch_leaves_gradients_finite(name):
    model = net(name).train()
    log_probs, counts = model(torch.randn(2, 60, CHANNELS), torch.tensor([60, 0]), day_of(model, 2))
    log_probs[0, : counts[0], 1:].sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)


@torch.no_grad()
@pytest.mark.parametrize("name", EVERY)
def test_frames_there_are_for_every_length(name):
    model = MODELS[name]
    config = model.front.config
    for bins in (0, 1, 4, 5, 13, 14, 17, 18, 31, 32, 36):
        log_probs, counts = model(torch.zeros(1, bins, CHANNELS), None, day_of(model, 1))
        wanted = 0 if bins < config.window else (bins - config.window) // config.stride + 1
        assert log_probs.shape == (1, wanted, SYMBOLS) and counts.tolist() == [wanted]


@torch.no_grad()
def test_attention_is_bounded_to_its_context():
    # one block of context 4: frame 20 does not know of frame 15, but does of frame 16
    model = net("chunk-plain")
    model.blocks = model.blocks[:1]
    x = torch.randn(1, 100, CHANNELS)
    before = model(x)[0]
    for frame, seen in ((15, False), (16, True)):
        other = x.clone()
        other[:, frame * 4 : frame * 4 + 4] += 1
        assert bool((model(other)[0] - before)[0, 20].abs().max() > 0) is seen


def test_a_context_is_drawn_anew_in_training_only():
    model = net("chunk-plain")
    model.config = replace(model.config, context_train=(1, 20), dropout=0.0)
    x = torch.randn(1, 120, CHANNELS)
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])
    model.train()
    assert len({model._context() for _ in range(50)}) > 5


def test_a_step_of_wrong_length_or_channels_is_refused():
    model = net("wav2vec2-blocks")
    with pytest.raises(ValueError, match="multiple of 8 bins, got 4"):
        model.step(torch.zeros(1, 4, CHANNELS), model.initial_state(1))
    with pytest.raises(ValueError, match="3 channels"):
        model(torch.zeros(1, 40, 2))


@pytest.mark.parametrize("name", EVERY)
def test_half_precision_training_stays_near_full(name):
    model = net(name)
    x, day = torch.randn(2, 90, CHANNELS), day_of(model, 2)
    lengths = torch.tensor([90, 50])
    with torch.autocast("cpu", torch.bfloat16):
        log_probs, counts = model(x, lengths, day)
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs, model(x, lengths, day)[0], atol=0.4, rtol=0.1)
    log_probs[0, : counts[0], 1].sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
