"""Where the numbers of a training run go: a JSONL file always, TensorBoard and W&B when asked for, and a line
for whoever watches.

A sink takes scalars and can be rewound to the step from which a run goes on. Nothing leaves the machine
unless a `WandB` is opened. Knows nothing of training.
"""

import importlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rtdecode.errors import MissingExtra, TrainingError

EXTRA = "track"


@dataclass(frozen=True)
class Progress:
    """One line of training.

    parts         the loss ("loss") and its parts: means since the last line inside an epoch, of the whole
                  epoch at its end
    valid         validation values at the end of an epoch, None between
    segments_per_s  items trained on a second, all processes together, without validation
    waiting       share of that time spent waiting for data
    eta_s         seconds to the last update, if nothing stops the run before it
    """

    step: int
    updates: int
    epoch: int
    parts: Mapping[str, float]
    valid: Mapping[str, float] | None
    segments_per_s: float
    waiting: float
    seconds: float
    eta_s: float

    def __str__(self) -> str:
        words = [f"step {self.step}/{self.updates}"]
        words += [f"{name} {value:.3f}" for name, value in self.parts.items()]
        words += [f"valid {said}" for said in scores(self.valid or {})]
        words += [f"{self.segments_per_s:.3g} segments/s", f"{self.waiting:.0%} waiting"]
        left = f", {duration(self.eta_s)} left" if self.step < self.updates else ""
        return " · ".join([*words, duration(self.seconds) + left])


def scores(values: Mapping[str, float]) -> list[str]:
    """Words for validation values; a value's chance level stands in brackets behind it."""
    said = []
    for name, value in values.items():
        if name.endswith("_chance") and name.removesuffix("_chance") in values:
            continue
        chance = values.get(f"{name}_chance")
        if chance is not None:
            said.append(f"{name} {value:.1%} (chance {chance:.1%})")
        else:
            said.append(f"{name} {value:.1%}" if name in ("cer", "wer", "per") else f"{name} {value:.4g}")
    return said


def duration(seconds: float) -> str:
    """42 s, 7 min, 3.2 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Sink(Protocol):
    """kind is "train" or "valid"."""

    def write(self, kind: str, step: int, values: Mapping[str, float]) -> None: ...

    def rewind(self, step: int) -> None:
        """Forget what came after `step`: it will come again."""
        ...

    def close(self) -> None: ...


class JsonLines:
    """One JSON object a line: {"kind": "train", "step": 50, "loss": ...}. Whole lines only, even after a
    crash.
    """

    def __init__(self, path: Path):
        self.path = path

    def write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        line = json.dumps({"kind": kind, "step": step, **values}) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as problem:
            raise TrainingError(
                f"cannot write {self.path}: {problem.strerror}",
                hint="the last checkpoint is untouched; make room and resume",
            ) from problem

    def rewind(self, step: int) -> None:
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text("utf-8").splitlines(keepends=True):
            try:
                if json.loads(line)["step"] <= step and line.endswith("\n"):
                    kept.append(line)
            except ValueError:
                continue  # torn by a crash: that update comes again
        part = self.path.with_name(self.path.name + ".part")
        part.write_text("".join(kept), "utf-8")
        part.replace(self.path)

    def close(self) -> None:
        pass


class TensorBoard:
    """Event files for `tensorboard --logdir`. MissingExtra without the tensorboard package."""

    def __init__(self, folder: Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as missing:
            raise MissingExtra("tensorboard", EXTRA) from missing
        self.folder, self._make = folder, SummaryWriter
        self._writer: Any = None

    def write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        if self._writer is None:
            self._writer = self._make(str(self.folder))
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def rewind(self, step: int) -> None:
        # Readers drop what an earlier writer said of later steps.
        self._writer = self._make(str(self.folder), purge_step=step + 1)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class WandB:
    """Sends metrics and configuration to Weights & Biases, under the account of this machine's user.

    A resumed run goes on in the same place: its id stands in `folder`/wandb-id. MissingExtra without the
    wandb package; TrainingError when the service refuses, with the first metrics.
    """

    def __init__(self, folder: Path, project: str, config: Mapping[str, Any]):
        try:
            wandb = importlib.import_module("wandb")
        except ImportError as missing:
            raise MissingExtra("wandb", EXTRA) from missing
        self.folder, self.project, self.config, self._init = folder, project, config, wandb.init
        self._opened: Any = None

    def _run(self) -> Any:
        """The run, opened when there is something to say: `folder` may turn out to be somebody else's."""
        if self._opened is None:
            remembered = self.folder / "wandb-id"
            if not remembered.exists():
                remembered.write_text(uuid.uuid4().hex[:12] + "\n", "utf-8")
            name = remembered.read_text("utf-8").strip()
            try:
                self._opened = self._init(
                    project=self.project, name=self.folder.name, id=name, resume="allow",
                    dir=str(self.folder), config=dict(self.config),
                )  # fmt: skip
            except Exception as problem:  # wandb's own errors, and those of the network below it
                raise TrainingError(
                    f"W&B does not open the run: {(str(problem) or repr(problem)).splitlines()[0]}",
                    hint="`wandb login`, or train without --wandb",
                ) from problem
        return self._opened

    def write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        self._run().log({f"{kind}/{name}": value for name, value in values.items()}, step=step)

    def rewind(self, step: int) -> None:
        """Nothing: the service keeps what it has, and ignores steps it has passed."""

    def close(self) -> None:
        if self._opened is not None:
            self._opened.finish()


def open_sinks(
    out: Path, run: Mapping[str, Any], *, tensorboard: bool = False, wandb: str | None = None
) -> list[Sink]:
    """The optional sinks that were asked for. wandb: the name of a project, None = send nothing.

    MissingExtra at once; nothing is written or sent before the run's first metrics.
    """
    sinks: list[Sink] = []
    if tensorboard:
        sinks.append(TensorBoard(out / "tensorboard"))
    if wandb is not None:
        sinks.append(WandB(out, wandb, run))
    return sinks
