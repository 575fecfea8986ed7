"""How much data, how strong a signal? The learning curve of the shared model, beside everything it must beat.

    python benchmarks/learning.py --data sim-g1.5 sim-g3 sim-g6 --out learning.csv
        [--minutes 2.5,5,10,20] [--models ridge,ridge-shared,causal,symmetric,ideal] [--steps 500]

Each --data is a simulated study (`offline simulate`); its gain is read from study.json. Smaller amounts are
the first minutes of each subject's training recordings; everything is fitted on those alone. Every row of
the CSV asks the same questions of the same test recordings with the live decoder's retrieval rule:

    ridge       one filter and one lambda a subject, lambda by its validation recordings
    ridge-common  one filter a subject, one lambda for all: where the linear path of causal began
    ridge-shared  one filter a subject, pulled towards that of all subjects together
    causal      the shared model of all subjects;  symmetric: its twin that sees the future
    linear-path   the causal model without its deep path: what the deep path is worth is the difference
    untrained   a causal model that has learned nothing
    shuffled    the causal model's rankings beside the truths of other moments
    ideal       the observer that knows the true response and the noise; no training, minutes 0

top1 and top10 are means over subjects. OUT.subjects.csv has a row a subject, OUT.runs/ the checkpoints. Rows
already in OUT are not made again, and an interrupted training goes on where it stopped (train_s is then that
of the last part). OUT.report.csv holds the same for `offline report --runs`. Chance is 10 over the number
of candidates. One process; --threads for its share of the machine.
"""

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads that spin slow a busy machine down

import numpy as np

from offline.baseline import fit_ridge_by_subject, fit_shared_ridge
from offline.checkpoint import Checkpoint, load_checkpoint, untrained
from offline.config import Config, load_config
from offline.data import Prepared, filtered_recordings, prepare
from offline.observe import ideal_rankings
from offline.report.content import LearningRow
from offline.studies.simulated import load
from offline.study import Study
from offline.train import train
from offline.validate import HeldOut, Ranked, shuffled
from rtdecode.errors import RtdecodeError, TrainingError
from rtdecode.score import top_k

MODELS = ("ridge", "ridge-shared", "causal", "symmetric", "ideal")


@dataclass(frozen=True)
class Row:
    """One line of the CSV. subject is '' in means over subjects; n counts decisions."""

    gain: float
    minutes: float
    subjects: int
    model: str
    subject: str
    top1: float
    top10: float
    chance10: float
    n: int
    steps: int
    train_s: float
    note: str


class Table:
    """A CSV file that grows by whole results; what it holds already is known by (gain, minutes, model)."""

    def __init__(self, path: Path):
        self.path, self.by_subject = path, path.with_suffix(".subjects.csv")
        self.done: set[tuple[float, float, str]] = set()
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            self.done = {(float(r["gain"]), float(r["minutes"]), r["model"]) for r in rows}

    def add(self, rows: Sequence[Row], mean: Row) -> None:
        """The mean is written last: a row in the table means that the subjects are there too."""
        self._append(self.by_subject, rows, "")
        self._append(self.path, [mean], "subject")
        self.done.add((mean.gain, mean.minutes, mean.model))

    @staticmethod
    def _append(path: Path, rows: Sequence[Row], without: str) -> None:
        names = [f.name for f in fields(Row) if f.name != without]
        new = not path.is_file()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            if new:
                writer.writeheader()
            writer.writerows(asdict(row) for row in rows)
            file.flush()
            os.fsync(file.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        wanted = [m for m in options.models.split(",") if m]
        unknown = sorted(set(wanted) - set(MODELS))
        if unknown:
            raise TrainingError(f"there is no model {unknown[0]!r}", hint=f"one of {', '.join(MODELS)}")
        options.out.parent.mkdir(parents=True, exist_ok=True)
        table = Table(options.out)
        for root in options.data:
            curve(
                load(root),
                _config(options),
                options.minutes,
                wanted,
                table,
                options.out.with_suffix(".runs"),
                lambda line: print(line, file=sys.stderr, flush=True),
            )
        for_report(options.out, options.out.with_suffix(".report.csv"))
    except RtdecodeError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def for_report(table: Path, out: Path) -> None:
    """The table as `offline report` reads it: a line a trained model, its controls in columns."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    top10 = {(r["gain"], r["minutes"], r["model"]): r["top10"] for r in rows}
    names = [f.name for f in fields(LearningRow) if f.name not in ("low", "high")]
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for r in rows:
            if r["model"] not in ("ridge-shared", "causal", "linear-path", "symmetric"):
                continue
            at = r["gain"], r["minutes"]
            beside = {name: top10.get((*at, name), "") for name in ("shuffled", "ridge")}
            beside["ideal"] = top10.get((r["gain"], "0.0", "ideal"), "")
            same = {name: r[name] for name in ("model", "minutes", "gain", "top10", "subjects", "n")}
            writer.writerow({"study": "simulated", **same, "chance": r["chance10"], **beside})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="simulated studies, one a gain")
    parser.add_argument(
        "--minutes", type=_numbers, default=(2.5, 5.0, 10.0, 20.0), help="of training data for each subject"
    )
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--config", default="multi", help="TOML file or preset (default multi)")
    parser.add_argument("--steps", type=int, help="updates of each training (default: the configuration's)")
    parser.add_argument("--threads", type=int, help="of torch (default: the configuration's)")
    parser.add_argument("--out", type=Path, required=True, help="the CSV, added to when it exists")
    return parser


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _config(options: argparse.Namespace) -> Config:
    config = load_config(options.config)
    optim = config.optim
    optim = replace(optim, steps=options.steps or optim.steps, threads=options.threads or optim.threads)
    return replace(config, optim=optim)


def curve(
    study: Study,
    config: Config,
    minutes: Sequence[float],
    wanted: Sequence[str],
    table: Table,
    runs: Path,
    say: Callable[[str], None],
) -> None:
    """All rows of one study that the table does not hold yet."""
    gain = -1.0 if study.gain is None else study.gain
    todo = {m: [w for w in wanted if w != "ideal" and (gain, m, w) not in table.done] for m in minutes}
    ideal = "ideal" in wanted and study.gain is not None and (gain, 0.0, "ideal") not in table.done
    if not ideal and not any(todo.values()):
        return
    say(f"gain {gain:g}: reading {study.root}")
    filtered = filtered_recordings(study, config)
    for amount in minutes:
        if not todo[amount]:
            continue
        prepared = prepare(study, config, minutes=amount, filtered=filtered)
        held = [HeldOut.of(study, prepared.source, config, s) for s in study.subjects]

        def write(
            model: str,
            found: list[Ranked],
            steps: int,
            seconds: float,
            note: str,
            amount: float = amount,
            held: list[HeldOut] = held,
        ) -> None:
            say(_add(table, gain, amount, model, held, found, steps, seconds, note))

        for kind in todo[amount]:
            if kind in ("ridge", "ridge-shared"):
                began = time.perf_counter()
                fit = fit_ridge_by_subject if kind == "ridge" else fit_shared_ridge
                weight, bias, lambdas = fit(config, prepared)
                took = time.perf_counter() - began
                found = [h.by_ridge(weight[h.subject], bias[h.subject]) for h in held]
                write(kind, found, 0, took, "lambda " + " ".join(f"{v:g}" for v in lambdas))
                continue
            shape = replace(config.model, causal=kind == "causal")
            own = replace(config, model=shape)
            out = runs / f"gain-{gain:g}_min-{amount:g}_{kind}"
            trained, took, valid = _trained(own, prepared, out, say)
            found = [h.by_model(trained.model) for h in held]
            if kind == "causal":
                weight, bias = trained.ridge["weight"].numpy(), trained.ridge["bias"].numpy()
                common = [h.by_ridge(weight[h.subject], bias[h.subject]) for h in held]
                write("ridge-common", common, 0, 0.0, "where the causal model began")
                blind = untrained(own, prepared.source)
                write("untrained", [h.by_model(blind) for h in held], 0, 0.0, "")
                write("shuffled", [shuffled(ranked) for ranked in found], 0, 0.0, "of the causal model")
            write(kind, found, own.optim.steps, took, valid)
            if kind == "causal" and trained.model.linear is not None:
                trained.model.encoder = trained.model.retrieval = None
                alone = [h.by_model(trained.model) for h in held]
                write("linear-path", alone, own.optim.steps, 0.0, "the causal model's")
    if ideal:
        # Any amount of data gives the same answer but for the scaling: the observer knows the truth.
        prepared = prepare(study, config, filtered=filtered)
        held = [HeldOut.of(study, prepared.source, config, s) for s in study.subjects]
        found = [[p for r in h.recordings for p in ideal_rankings(h.task, study, r)] for h in held]
        say(_add(table, gain, 0.0, "ideal", held, found, 0, 0.0, "true response and noise known"))


def _trained(
    config: Config, prepared: Prepared, out: Path, say: Callable[[str], None]
) -> tuple[Checkpoint, float, str]:
    """The trained run, seconds of training, and the last validation line."""
    lines = []
    began = time.perf_counter()

    def progress(line: object) -> None:
        lines.append(str(line))
        say(f"{out.name}: {line}")

    train(config, prepared, out, resume=out.exists(), progress=progress)
    trained = load_checkpoint(out)
    encoder = trained.model.config.encoder
    if encoder is not None and encoder.causal != config.model.causal:
        raise TrainingError(f"{out} holds a model whose causal is {encoder.causal}")
    return trained, time.perf_counter() - began, lines[-1].split(" · ")[-2] if lines else ""


def _add(
    table: Table,
    gain: float,
    minutes: float,
    model: str,
    held: Sequence[HeldOut],
    found: Sequence[Ranked],
    steps: int,
    seconds: float,
    note: str,
) -> str:
    """Write one result; returns it in words."""
    rows = []
    for h, ranked in zip(held, found, strict=True):
        score, subject = top_k(ranked, h.candidates), h.tracks[0].id.split("_")[0]
        rows.append(
            Row(gain, minutes, len(held), model, subject, round(score.top1, 4), round(score.top10, 4),
                round(score.chance10, 4), score.n, steps, round(seconds, 1), note)
        )  # fmt: skip
    mean = replace(
        rows[0],
        subject="",
        top1=round(float(np.mean([r.top1 for r in rows])), 4),
        top10=round(float(np.mean([r.top10 for r in rows])), 4),
        chance10=round(float(np.mean([r.chance10 for r in rows])), 4),
        n=sum(r.n for r in rows),
    )
    table.add(rows, mean)
    return (
        f"gain {gain:g}, {minutes:g} min: {model:<9} top-10 {mean.top10:.1%} (chance {mean.chance10:.1%}), "
        f"top-1 {mean.top1:.1%}, n = {mean.n}"
    )


if __name__ == "__main__":
    sys.exit(main())
