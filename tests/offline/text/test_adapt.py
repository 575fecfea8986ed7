"""A new day: how it starts, what may learn, and on which sentences it is judged."""

from dataclasses import replace

import pytest
import torch

from offline.text.adapt import AdaptSpec, ScaledInput, adapt, known_minutes, with_new_day
from offline.text.checkpoint import load_checkpoint
from offline.text.examples import examples_of, reader
from offline.text.train import train
from rtdecode.errors import ConfigError, StudyError
from tests.offline.text import tiny

CHUNK = (
    "model.kind=transformer",
    "model.front.days=false",
    "model.transformer.width=16",
    "model.transformer.depth=1",
)


def trained(tmp_path, *settings):
    study = tiny.study()
    train(tiny.config("data.hold_out=d3", *settings), study, tmp_path / "run")
    own = examples_of(study, "train", ("d3",), load_checkpoint(tmp_path / "run").symbols)
    return load_checkpoint(tmp_path / "run"), study, own


@pytest.mark.parametrize("how", ["last", "mean"])
def test_only_the_row_of_the_new_day_learns(tmp_path, how):
    ready, study, own = trained(tmp_path)
    net, row = with_new_day(ready, how)
    assert row == 2 and net.n_days == 3
    weight = net.front.days.weight
    start = weight[1] if how == "last" else weight[:2].mean(0)
    assert torch.allclose(weight[2], start)
    spec = AdaptSpec(minutes=1, updates=4, batch=4)
    new = adapt(net, row, ready, own, reader(study), spec, tmp_path / "adapted")
    changed = {}
    for (name, old), value in zip(net.state_dict().items(), new.state_dict().values(), strict=True):
        if not torch.equal(old, value):
            changed[name] = [i for i in range(len(old)) if not torch.equal(old[i], value[i])]
    assert changed == {"front.days.weight": [2], "front.days.bias": [2]}


def test_a_model_without_day_layers_learns_gains_and_offsets(tmp_path):
    ready, study, own = trained(tmp_path, *CHUNK)
    net, row = with_new_day(ready, "last")
    assert net is ready.net and row == 0
    before = {name: value.clone() for name, value in net.state_dict().items()}
    spec = AdaptSpec(minutes=1, updates=4, batch=4)
    new = adapt(net, row, ready, own, reader(study), spec, tmp_path / "adapted")
    assert isinstance(new, ScaledInput)
    assert not torch.equal(new.gain, torch.ones(12)) and not torch.equal(new.offset, torch.zeros(12))
    assert all(torch.equal(value, before[name]) for name, value in new.net.state_dict().items())
    x, lengths = torch.randn(1, 40, 12), torch.tensor([40])
    still = ScaledInput(net)
    assert torch.equal(still(x, lengths)[0], net(x, lengths)[0])


def test_known_sentences_are_the_first_ones_and_something_is_left_to_judge():
    study = tiny.study()
    from rtdecode.text.symbols import PHONEMES

    examples = examples_of(study, "train", ("d1",), PHONEMES)
    seconds = [e.n_bins * 0.02 for e in examples]
    assert known_minutes(examples, 0.02, sum(seconds[:2]) / 60) == examples[:2]
    untold = (replace(examples[0], target=()), *examples[1:])
    assert known_minutes(untold, 0.02, seconds[1] / 60) == (examples[1],)
    with pytest.raises(StudyError, match="leave nothing to judge an adaptation of 9 min"):
        known_minutes(examples, 0.02, 9)


def test_a_start_that_does_not_exist_is_refused(tmp_path):
    ready, _, _ = trained(tmp_path)
    with pytest.raises(ConfigError, match=r"cannot start as 'lst'.*did you mean last"):
        with_new_day(ready, "lst")
