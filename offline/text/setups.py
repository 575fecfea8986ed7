"""What is trained, how fast, and from when: one policy for every set-up, so that set-ups can be compared.

Parts of a model: "front" (what reads the brain; the whole of a model without a pretrained part), "encoder"
(what may come pretrained) and "head" (its read-out). A set-up decides which parts move and where the
encoder's weights come from, and nothing else: a part that moves has the same rate, the same ramp and the same
decay in each. Knows nothing of data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from offline.loop.pace import Ramp

PARTS = ("front", "encoder", "head")

Setup = Literal["fft", "frozen", "scratch"]


@dataclass(frozen=True)
class SetupSpec:
    """Learning rates of the front are the loop's.

    setup         "fft": pretrained, everything is trained; "frozen": pretrained, the front is trained;
                  "scratch": nothing is pretrained, everything is trained
    encoder_lr    of encoder and head, reached after the ramp
    ramp_first    epochs in which encoder and head stand still
    ramp_epochs   epochs over which their rate then rises
    follow        the front's rate moves to encoder_lr over the same epochs
    day_decay     weight decay also of layers of single days
    eps           Adam's
    """

    setup: Setup = "scratch"
    encoder_lr: float = 1e-5
    ramp_first: int = 0
    ramp_epochs: int = 0
    follow: bool = False
    day_decay: bool = False
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if not self.encoder_lr > 0 or not self.eps > 0:
            raise ValueError(
                f"training.encoder_lr and training.eps must be above 0, got {self.encoder_lr:g} and "
                f"{self.eps:g}"
            )
        if self.ramp_first < 0 or self.ramp_epochs < 0:
            raise ValueError(
                "training.ramp_first and training.ramp_epochs must not be below 0, got "
                f"{self.ramp_first} and {self.ramp_epochs}"
            )

    @property
    def trained(self) -> tuple[str, ...]:
        return ("front",) if self.setup == "frozen" else PARTS


def freeze(parts: Mapping[str, Sequence[nn.Parameter]], spec: SetupSpec) -> None:
    """Parameters of parts that are not trained take no gradient; all others do."""
    for name, parameters in parts.items():
        for parameter in parameters:
            parameter.requires_grad_(name in spec.trained)


def groups(
    parts: Mapping[str, Sequence[nn.Parameter]],
    days: Sequence[nn.Parameter],
    spec: SetupSpec,
    lr: float,
) -> list[dict[str, Any]]:
    """Optimiser groups of the parts that are trained, in their order: matrices decay, vectors do not.

    days  parameters of single days, within the front: without decay unless the set-up says so
    lr    the front's
    """
    single = set() if spec.day_decay else {id(parameter) for parameter in days}
    late = Ramp(0.0, spec.ramp_first, spec.ramp_epochs)
    found: list[dict[str, Any]] = []
    for name in PARTS:
        if name not in spec.trained:
            continue
        rate, ramp = (spec.encoder_lr, late)
        if name == "front":
            rate, ramp = lr, Ramp()
            if spec.follow:
                rate, ramp = spec.encoder_lr, Ramp(lr, spec.ramp_first, spec.ramp_epochs)
        members = list(parts.get(name, ()))
        matrices = [p for p in members if p.ndim > 1 and id(p) not in single]
        others = [p for p in members if p.ndim <= 1 or id(p) in single]
        for chosen, extra in ((matrices, {}), (others, {"weight_decay": 0.0})):
            if chosen:
                found.append(
                    {"params": chosen, "lr": rate, "eps": spec.eps, "part": name, **ramp.group(), **extra}
                )
    return found
