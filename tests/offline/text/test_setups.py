"""Which parts move in each set-up, how fast, and from which epoch: the same policy everywhere."""

import pytest
import torch
from torch import nn

from offline.loop.pace import Ramp, paced
from offline.text.setups import SetupSpec, freeze, groups


def parts():
    front, encoder, head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
    named = {"front": front, "encoder": encoder, "head": head}
    return {name: list(module.parameters()) for name, module in named.items()}


def policy(spec, lr=1e-3):
    """What an optimiser is told of each part, without the parameters."""
    found = groups(parts(), [], spec, lr)
    return {(g["part"], "weight_decay" in g): {k: v for k, v in g.items() if k != "params"} for g in found}


def test_the_published_ramp_by_epoch():
    ramp = Ramp(0.0, 7, 3)
    assert [round(ramp.share(e), 4) for e in range(13)] == [0] * 8 + [0.3333, 0.6667, 1, 1, 1]
    assert [Ramp(0.0, 2, 0).share(e) for e in range(4)] == [0, 0, 1, 1]
    assert Ramp().share(0) == 1.0


def test_the_front_may_follow_to_the_rate_of_the_encoder():
    spec = SetupSpec("fft", encoder_lr=1e-5, ramp_first=1, ramp_epochs=2, follow=True)
    front = next(g for g in groups(parts(), [], spec, 1e-4) if g["part"] == "front")
    assert [paced(front, front["lr"], e) for e in range(5)] == pytest.approx([1e-4, 1e-4, 5.5e-5, 1e-5, 1e-5])


def test_a_group_without_a_ramp_keeps_its_rate():
    assert paced({"lr": 0.1}, 0.3, 5) == 0.3


@pytest.mark.parametrize(
    ("setup", "moving"),
    [
        ("fft", {"front", "encoder", "head"}),
        ("scratch", {"front", "encoder", "head"}),
        ("frozen", {"front"}),
    ],
)
def test_which_parts_move(setup, moving):
    every = parts()
    spec = SetupSpec(setup, encoder_lr=1e-4)
    freeze(every, spec)
    before = {name: [p.detach().clone() for p in values] for name, values in every.items()}
    optimizer = torch.optim.Adam(groups(every, [], spec, 1e-3), lr=1e-3)
    sum((p**2).sum() for values in every.values() for p in values if p.requires_grad).backward()
    optimizer.step()
    moved = {
        name
        for name, values in every.items()
        if any(not torch.equal(a, b) for a, b in zip(values, before[name], strict=True))
    }
    assert moved == moving


def test_all_set_ups_have_one_policy():
    choices = {"encoder_lr": 3e-5, "ramp_first": 7, "ramp_epochs": 3}
    fft, frozen, scratch = (policy(SetupSpec(s, **choices)) for s in ("fft", "frozen", "scratch"))
    assert fft == scratch
    assert {key: fft[key] for key in frozen} == frozen and set(frozen) == {("front", True), ("front", False)}


def test_vectors_and_single_days_do_not_decay():
    every = parts()
    days = [nn.Parameter(torch.eye(4)[None])]
    every["front"] = [*every["front"], *days]
    found = groups(every, days, SetupSpec(), 1e-3)
    still = {id(p) for g in found if g.get("weight_decay") == 0 for p in g["params"]}
    assert id(days[0]) in still
    assert all((id(p) in still) == (p.ndim == 1 or p is days[0]) for v in every.values() for p in v)
    decaying = groups(every, days, SetupSpec(day_decay=True), 1e-3)
    assert any(days[0] is p for g in decaying if "weight_decay" not in g for p in g["params"])


def test_every_parameter_is_in_one_group():
    found = [p for g in groups(parts(), [], SetupSpec(), 1e-3) for p in g["params"]]
    assert len(found) == len({id(p) for p in found}) == 6


@pytest.mark.parametrize("bad", [{"encoder_lr": 0.0}, {"ramp_first": -1}, {"eps": 0.0}])
def test_rates_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SetupSpec(**bad)
