"""The training loop: it learns, it repeats itself, it resumes exactly, and it stops at NaN."""

import json

import numpy as np
import pytest
import torch

from offline.checkpoint import load_checkpoint
from offline.config import load_config
from offline.data import prepare
from offline.ridge import NormalEquations, apply_filter
from offline.segments import Crops
from offline.train import train
from rtdecode.errors import ConfigError, StudyError, TrainingError
from tests.offline.tiny import config, tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tiny_study(tmp_path_factory.mktemp("tiny"), subjects=2)


@pytest.fixture(scope="module")
def prepared(study):
    return prepare(study, config())


def same_model(a, b):
    left, right = load_checkpoint(a).model.state_dict(), load_checkpoint(b).model.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left)


def test_ridge_finds_a_planted_filter():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3)).astype(np.float32)
    weight = rng.normal(size=(2, 3, 5)).astype(np.float32)
    bias = np.array([1.0, -2.0], np.float32)
    y = apply_filter(x, weight, bias, stride=2)
    fit = NormalEquations(3, 2, taps=5, stride=2)
    fit.add(x[:2000], y[:1000], np.ones(1000, bool), block=77)
    fit.add(x[2000:], apply_filter(x[2000:], weight, bias, 2), np.ones(1000, bool))
    found, offset = fit.solve(1e-3)
    np.testing.assert_allclose(found, weight, atol=1e-3)
    np.testing.assert_allclose(offset, bias, atol=1e-3)


def test_numpy_filter_is_the_torch_linear_decoder():
    from models import LinearDecoder

    linear = LinearDecoder(3, 2, taps=7, stride=2)
    torch.nn.init.normal_(linear.weight)
    torch.nn.init.normal_(linear.bias)
    x = torch.randn(1, 40, 3)
    ours = apply_filter(x[0].numpy(), linear.weight[0].detach().numpy(), linear.bias[0].detach().numpy(), 2)
    np.testing.assert_allclose(ours, linear(x)[0].detach().numpy(), atol=1e-5)


def test_crops_line_up_with_the_recording(prepared):
    settings = config(optim={"noise": 0.0, "time_mask_s": 0.0})
    track = prepared.train[0]
    crops = Crops([track], settings, np.random.default_rng(0))
    batch = crops.batch()
    assert batch.x.shape == (4, (16 + 4 * 32) * 2, 8)
    assert batch.y.shape == (4 * 4, 32, 4)
    for row in range(4):
        # find the crop in the recording, then its features must lie `delay` frames earlier
        x = batch.x[row].numpy()
        hits = [s for s in range(0, len(track.x) - 40, 2) if np.array_equal(track.x[s : s + 40], x[-40:])]
        end = (hits[0] + 40) // 2
        target = np.concatenate(list(batch.y[4 * row : 4 * row + 4].numpy()))
        stop = end - settings.delay_frames
        np.testing.assert_array_equal(target[-20:], track.y[stop - 20 : stop])


def test_text_spans_hold_whole_sentences(prepared):
    crops = Crops(list(prepared.train), config(), np.random.default_rng(1))
    texts = {s.text for t in prepared.train for s in t.sentences}
    seen = 0
    for _ in range(10):
        batch = crops.batch()
        for row in range(len(batch.n_symbols)):
            symbols = batch.targets[row, : batch.n_symbols[row]].tolist()
            said = "".join(prepared.source.symbols[k] for k in symbols)
            left = said
            while left:
                left = next((left[len(t) + 1 :] for t in texts if left.startswith(t + " ")), None)
                assert left is not None, said
                seen += 1
            assert batch.n_frames[row] <= 128
    assert seen > 20


def test_training_repeats_and_resumes_to_the_same_weights(prepared, tmp_path):
    train(config(), prepared, tmp_path / "a")
    train(config(), prepared, tmp_path / "b")
    assert same_model(tmp_path / "a", tmp_path / "b")

    class Killed(Exception):
        pass

    def kill(line):
        raise Killed

    with pytest.raises(Killed):
        train(config(), prepared, tmp_path / "c", progress=kill)
    assert load_checkpoint(tmp_path / "c").step == 3
    assert not same_model(tmp_path / "a", tmp_path / "c")
    train(config(), prepared, tmp_path / "c", resume=True)
    assert same_model(tmp_path / "a", tmp_path / "c")


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(prepared, tmp_path):
    train(config(optim={"steps": 1}), prepared, tmp_path / "a")
    with pytest.raises(TrainingError, match="already"):
        train(config(), prepared, tmp_path / "a")
    with pytest.raises(TrainingError, match=r"another configuration: optim\.steps: 1 -> 2 "):
        train(config(optim={"steps": 2}), prepared, tmp_path / "a", resume=True)


def test_nan_stops_loudly_and_leaves_no_checkpoint(prepared, tmp_path):
    with pytest.raises(TrainingError, match=r"step 1.* in the batch sub-\S+ at [\d.]+ s"):
        train(config(optim={"lr": 1e30, "warmup": 0.0}), prepared, tmp_path / "a")
    assert not (tmp_path / "a" / "state.pt").exists()


def test_it_learns(prepared, tmp_path):
    lines = []
    settings = config(optim={"steps": 60, "steps_per_epoch": 20, "lr": 3e-3})
    train(settings, prepared, tmp_path / "a", progress=lines.append)
    assert lines[-1].parts["ctc"] < 0.8 * lines[0].parts["ctc"]
    assert lines[-1].valid["top10"] >= 2.5 * lines[-1].valid["top10_chance"]


def test_linear_model_alone_is_ridge(prepared, tmp_path):
    settings = config(model={"hidden": 0}, output={"text": False})
    checkpoint = load_checkpoint(train(settings, prepared, tmp_path / "a"))
    assert torch.equal(checkpoint.model.linear.weight, checkpoint.ridge["weight"])
    assert checkpoint.model.outputs == ("estimate",)


def test_checkpoint_is_data_not_code(prepared, tmp_path):
    train(config(optim={"steps": 1}), prepared, tmp_path / "a")
    run = json.loads((tmp_path / "a" / "run.json").read_text())
    assert run["source"]["study"] == "tiny"
    torch.load(tmp_path / "a" / "state.pt", weights_only=True)


def test_leaking_split_is_refused(study):
    import dataclasses

    first = study.recordings[0]
    leak = dataclasses.replace(
        study, recordings=(*study.recordings, dataclasses.replace(first, split="test"))
    )
    with pytest.raises(StudyError, match="both train and test"):
        prepare(leak, config())


def test_presets_load_and_unknown_keys_name_the_closest(tmp_path):
    for name in ("demo", "weak"):
        assert load_config(name).name
    (tmp_path / "x.toml").write_text('name = "x"\n[optim]\nstep = 3\n')
    with pytest.raises(ConfigError, match="steps"):
        load_config(tmp_path / "x.toml")
    with pytest.raises(ConfigError, match="demo"):
        load_config("dmeo")
