"""The text recipe as a task of the training loop: trials in, CTC loss out; error rates on validation trials.

Owns the model, the sampler and the reader of features. Knows nothing of optimisers, checkpoints or files of
a run. All randomness of batches follows from seed and step; that of the forward pass is the loop's.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.text.net import TextNet
from offline.loop.distributed import ALONE, World
from offline.loop.precision import full
from offline.loop.prefetch import to_device
from offline.text.augment import augmented
from offline.text.batches import Example, Features, Sampler, TrialBatch, padded
from offline.text.config import TextConfig
from offline.text.ctc import ctc_loss, greedy
from offline.text.metrics import NONE, Errors, symbol_errors, word_errors
from offline.text.net import day_parameters, parts_of
from offline.text.setups import freeze, groups
from rtdecode.errors import TrainingError


class Trained(nn.Module):
    """What is trained: the model, under the name it has in checkpoints."""

    def __init__(self, net: TextNet):
        super().__init__()
        self.net = net


class TextTask:
    """Implements `offline.loop.task.Task`."""

    def __init__(
        self,
        net: TextNet,
        config: TextConfig,
        features: Features,
        train: Sequence[Example],
        valid: Sequence[Example],
        world: World = ALONE,
    ):
        self.config, self.features, self.world = config, features, world
        world.slice(config.batch.size)  # refuses a size that does not divide
        self.module = Trained(net).to(world.device)
        freeze(parts_of(net), config.training)
        self.train, self.valid = train, valid
        if not valid and config.loop.watch:
            raise TrainingError(
                "there is no validation trial to choose the best weights by",
                hint="prepare the study with the split rule 'dev', or loop.watch= and loop.patience=0",
            )
        self.sampler = Sampler(train, config.batch, config.loop.seed)
        self._drawn = ""

    def groups(self) -> list[dict[str, Any]]:
        net = self.module.net
        return groups(parts_of(net), day_parameters(net), self.config.training, self.config.loop.lr)

    def batch(self, step: int) -> TrialBatch:
        rows, seeds = self.sampler.rows(step), self.sampler.seeds(step)
        self._drawn = hashlib.sha256(rows.tobytes() + seeds.tobytes()).hexdigest()[:16]
        mine = self.world.slice(len(rows))
        return padded([self.train[row] for row in rows[mine]], self.features, seeds[mine].tolist())

    def loss(self, batch: TrialBatch) -> dict[str, Tensor]:
        """CTC loss per symbol, mean over trials; "too_long": the share of targets that did not fit and
        cost nothing.
        """
        disturbed = augmented(batch, self.config.augment, training=self.module.training)
        log_probs, frames = run(self.module.net, disturbed)
        with full(log_probs):
            nll, fits = ctc_loss(log_probs.float(), frames, disturbed.targets, disturbed.n_symbols)
        return {"loss": nll.mean(), "too_long": 1 - fits.float().mean()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The loss, and error rates of the best symbols of each frame over the whole validation set."""
        if not self.valid:
            return {}
        symbols = self.config.data.symbols
        nll, units, words = 0.0, NONE, NONE
        for examples, batch, log_probs, frames in self._outputs(self.valid):
            loss, _ = ctc_loss(log_probs.float(), frames, batch.targets, batch.n_symbols)
            nll += float(loss.sum())
            for row, example in enumerate(examples):
                found = greedy(log_probs[row, : int(frames[row])].float().cpu().numpy())
                units += symbol_errors(example.target, found)
                if symbols.spelled:
                    words += word_errors(example.text, symbols.decode(found))
        values = {"loss": nll / len(self.valid)}
        return values | _rates(units, words, spelled=symbols.spelled)

    def _outputs(
        self, examples: Sequence[Example]
    ) -> Iterator[tuple[Sequence[Example], TrialBatch, Tensor, Tensor]]:
        # by length: little padding
        ordered = sorted(examples, key=lambda example: (example.n_bins, example.place))
        for start in range(0, len(ordered), self.config.batch.size):
            some = ordered[start : start + self.config.batch.size]
            batch = to_device(padded(some, self.features, [0] * len(some)), self.world.device)
            yield some, batch, *run(self.module.net, batch)

    def state(self) -> dict[str, Any]:
        """Batches follow from the step; the last one drawn is for comparing processes."""
        return {"drawn": self._drawn}

    def load(self, state: dict[str, Any]) -> None:
        """Batches need nothing restored."""
        self._drawn = str(state["drawn"])


def run(net: TextNet, batch: TrialBatch) -> tuple[Tensor, Tensor]:
    """log_probs (B, N, V) and frames (B,)."""
    log_probs, frames = net(batch.x, batch.n_bins, batch.day if net.n_days else None)
    return log_probs, frames


def _rates(units: Errors, words: Errors, *, spelled: bool) -> dict[str, float]:
    return {"cer": units.rate, "wer": words.rate} if spelled else {"per": units.rate}
