"""What a recipe gives the training loop.

A task owns the model, the data and the loss; it knows nothing of optimisers, checkpoints or metrics files.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn


class Batch(Protocol):
    """This process's share of a batch: a dataclass, whose tensors the loop moves to the device.

    names  one per item, for the message when the loss is not a number: recording and time, say
    """

    @property
    def names(self) -> Sequence[str]: ...


class Task(Protocol):
    """One recipe.

    module  everything that is trained, the loss's own parameters included, already on the device
    """

    @property
    def module(self) -> nn.Module: ...

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser; "lr" and "weight_decay" where they differ from the loop's, and
        `pace.Ramp.group()` where a group joins late.
        """
        ...

    def batch(self, step: int) -> Any:
        """The `Batch` of update `step`; updates come in order.

        Every process draws the same global batch from the same generator and keeps `World.slice` of it. Runs
        in a thread beside the update, so it draws from generators of its own, never from torch's or numpy's
        global one, and does not touch `module`.
        """
        ...

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Scalars: "loss" first, then its parts. `module` is in training mode.

        With several processes the objective is the mean of their losses. Runs under autocast when precision
        is mixed: contrastive scores belong in `precision.full()`.
        """
        ...

    def validate(self) -> dict[str, float]:
        """Scores on validation data, with `module` in eval mode; called alike in every process.

        The chance level of "top10" goes beside it as "top10_chance".
        """
        ...

    def state(self) -> dict[str, Any]:
        """What `batch` needs to go on from here: tensors, numbers, text. Called after every `batch`, in its
        thread.
        """
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        ...
