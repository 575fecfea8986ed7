"""What a run of the text recipe leaves behind, and the model it is about.

    run.json      configuration, model, days by name, channels, alphabet, digests of the data
    best.pt, state.pt, metrics.jsonl   the loop's (`offline.loop.checkpointing`)

Days are found by their name, never by their place in a list. Knows nothing of the loop that fills it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.text import TextNet, build_text, describe_text
from offline.intracortical.store import TrialStudy
from offline.loop.checkpointing import RUN, fill, read_recipe
from offline.text.config import RECIPE, TextConfig
from rtdecode.config import from_json, to_json
from rtdecode.errors import RtdecodeError, StudyError, TrainingError, closest
from rtdecode.text.symbols import Symbols

SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """A finished or unfinished run.

    path    its directory
    net     in eval mode, on the CPU, with the best weights so far
    days    name of each row of the day layers: every day it was trained on
    labels  channels, in order;  bin_s  seconds of a bin
    """

    path: Path
    config: TextConfig
    net: TextNet
    study: str
    licence: str
    days: tuple[str, ...]
    labels: tuple[str, ...]
    bin_s: float
    run: Mapping[str, Any]
    step: int

    @property
    def symbols(self) -> Symbols:
        return self.config.data.symbols

    def row(self, day: str) -> int:
        """The row of a day. StudyError for one it was not trained on."""
        if day not in self.days:
            raise StudyError(
                f"{self.path} was not trained on the day {day}: it knows {len(self.days)}, "
                f"{self.days[0]} to {self.days[-1]}",
                hint=f"{closest(day, self.days)}; or give it a start: --new-day last or mean",
            )
        return self.days.index(day)

    def check(self, study: TrialStudy) -> None:
        """StudyError when the channels of `study`, or how it was prepared, are not the model's."""
        if study.labels != self.labels:
            at = next(
                (i for i, (a, b) in enumerate(zip(study.labels, self.labels, strict=False)) if a != b), None
            )
            found = (
                f"{len(study.labels)} instead of {len(self.labels)}"
                if at is None
                else f"{study.labels[at]!r} where the model has {self.labels[at]!r}"
            )
            raise StudyError(f"the channels of {study.root} are not those of {self.path}: {found}")
        if study.settings.get("norm") != self.config.data.norm:
            raise StudyError(
                f"{study.root} is prepared with the normalisation {study.settings.get('norm')!r}, "
                f"{self.path} was trained with {self.config.data.norm!r}",
                hint="prepare it in the same way",
            )


def describe_run(
    config: TextConfig, study: TrialStudy, net: TextNet, days: Sequence[str], data: Mapping[str, Any]
) -> dict[str, Any]:
    """run.json. data: counts and digests that a resumed run must find again."""
    return {
        "schema": SCHEMA,
        "recipe": RECIPE,
        "config": to_json(config),
        "study": study.name,
        "licence": study.licence,
        "days": list(days),
        "labels": list(study.labels),
        "symbols": list(config.data.symbols.names),
        "bin_s": study.bin_s,
        "prepared": dict(study.settings),
        "data": dict(data),
        "model": describe_text(net),
    }


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a run's directory. TrainingError says what is missing, damaged or of another recipe."""
    path = Path(path)
    run, where = read_recipe(path, RECIPE, SCHEMA), path / RUN
    try:
        config = from_json(TextConfig, run["config"], str(where))
        days, labels = tuple(map(str, run["days"])), tuple(map(str, run["labels"]))
        study, licence, bin_s = str(run["study"]), str(run["licence"]), float(run["bin_s"])
        config.data.symbols.check(tuple(run["symbols"]), f"the alphabet of {where}")
        net = build_text(run["model"])
    except RtdecodeError:
        raise
    except (KeyError, TypeError, ValueError) as problem:
        raise TrainingError(f"{where} is damaged: {problem!r}", hint="train again") from problem
    step, _ = fill(net, path)
    return Checkpoint(path, config, net.eval(), study, licence, days, labels, bin_s, run, step)
