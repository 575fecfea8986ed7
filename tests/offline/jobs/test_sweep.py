"""Sweeps: what runs there are, what is refused before anything starts, the table, going on."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from offline.jobs.job import Job
from offline.jobs.sweep import load_sweep, run_sweep
from offline.jobs.table import best_of, validations
from rtdecode.errors import ConfigError

SWEEP = """
[sweep]
config = "windows-small"
out = "{folder}/runs/{{name}}"
arguments = ["--data", "prepared study"]
set = ["loop.max_epochs=3"]
[grid]
"loop.lr" = [1e-3, 3e-4]
"loss.symmetric" = [true, false]
[[runs]]
name = "plain"
set = ["model.dropout=0", "signal.baseline_s=-0.25,0"]
"""


def write(folder: Path, text: str = SWEEP, **changes: str) -> Path:
    path = folder / "small.toml"
    text = text.format(folder=folder)
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_a_grid_and_named_runs_become_command_lines(tmp_path):
    sweep = load_sweep(write(tmp_path))
    assert [run.name for run in sweep.runs] == [
        "lr-0.001_symmetric-true", "lr-0.001_symmetric-false", "lr-0.0003_symmetric-true",
        "lr-0.0003_symmetric-false", "plain",
    ]  # fmt: skip
    assert sweep.varied == ("loop.lr", "loss.symmetric", "model.dropout", "signal.baseline_s")
    last = sweep.runs[3].config
    assert (last.loop.lr, last.loss.symmetric, last.loop.max_epochs) == (3e-4, False, 3)
    assert sweep.runs[4].config.signal.baseline_s == (-0.25, 0.0)
    assert sweep.lines()[0] == (
        f"{sys.executable} -m offline train --config windows-small "
        f"--out {tmp_path}/runs/lr-0.001_symmetric-true --resume --set loop.max_epochs=3 "
        "--set loop.lr=0.001 --set loss.symmetric=true --data 'prepared study'"
    )
    assert not (tmp_path / "runs").exists()
    tables = write(
        tmp_path, '[sweep]\nconfig = "windows-small"\nout = "r/{{name}}"\n[grid.loop]\nlr = [0.1]\n'
    )
    assert [run.settings for run in load_sweep(tables).runs] == [("loop.lr=0.1",)]


def test_names_are_short_stable_and_tell_keys_apart(tmp_path):
    def names(grid):
        text = f'[sweep]\nconfig = "demo"\nout = "r/{{{{name}}}}"\n[grid]\n{grid}'
        return [run.name for run in load_sweep(write(tmp_path, text)).runs]

    one, other = '"optim.noise" = [0.1]\n', '"optim.seed" = [1, 2]\n'
    assert names(one + other) == names(other + one) == ["noise-0.1_seed-1", "noise-0.1_seed-2"]
    assert names('"speech.kind" = ["envelope"]\n"name" = ["a b"]') == ["name-a-b_kind-envelope"]
    long = names("ridge_lambdas = [" + f"{[1e3] * 30}, {[1e4] * 30}]")
    assert len(set(long)) == 2 and all(len(name) <= 64 for name in long)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("loop.lr", "loop.lrr", r"loop\.lrr.*did you mean .*loop\.lr"),
        ("1e-3", '"fast"', r"loop\.lr should be a number, got 'fast'"),
        ("1e-3", "-1.0", "lr must be above 0"),
        ("windows-small", "windows-smal", "windows-small"),
        ("[grid]", "[gird]", r"unknown section \[gird\].*did you mean grid"),
        ("arguments", "argument", "unknown key 'argument'.*arguments"),
        ("{{name}}", "all", "every run would go to"),
        ('[sweep]\n', '[sweep]\ncommand = "trian"\n', "did you mean train"),
        ("[1e-3, 3e-4]", "1e-3", r"loop\.lr should be a list"),
        ("3e-4", "0.001", "two runs are called 'lr-0.001_symmetric-true'"),
        ('"plain"', '"../plain"', r"cannot be called '\.\./plain'"),
        ("[sweep]", "sweep", "not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_before_anything_starts(tmp_path, old, new, words):
    assert old in SWEEP
    path = write(tmp_path, SWEEP.replace(old, new))
    with pytest.raises(ConfigError, match=words):
        load_sweep(path)
    assert not (tmp_path / "runs").exists()


def test_a_sweep_goes_on_and_keeps_a_table(tmp_path):
    sweep = load_sweep(write(tmp_path))
    sweep = replace(sweep, runs=tuple(replace(run, job=stand_in(run)) for run in sweep.runs[2:]))
    outcomes = run_sweep(sweep, "local", parallel=3)
    assert [one.status for one in outcomes] == ["done", "failed", "done"]
    rows = table(sweep.table)
    assert [(row["name"], row["status"], row["best_step"], row["step"]) for row in rows] == [
        ("lr-0.0003_symmetric-true", "done", "200", "300"),
        ("lr-0.0003_symmetric-false", "failed", "", ""),
        ("plain", "done", "200", "300"),
    ]
    assert rows[0]["valid loss"] == "0.5" and rows[0]["valid top10"] == "0.25"
    assert (rows[1]["loop.lr"], rows[1]["loss.symmetric"]) == ("0.0003", "false")
    assert rows[1]["error"] == "no symmetric loss, no run" and rows[1]["valid loss"] == ""
    seen = []
    again = run_sweep(sweep, "local", parallel=3, progress=seen.append)
    assert [one.before for one in again] == [True, False, True]
    assert seen[-1].failed == 1


def test_the_best_step_is_that_of_the_weights_that_were_kept(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    lines = [{"kind": "valid", "step": step, "acc": acc} for step, acc in ((1, 0.2), (2, 0.4), (3, 0.4))]
    metrics.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"kind": "valid", "st')
    found = validations(metrics)
    assert found == lines
    assert best_of(found, "acc", lowest=False)["step"] == 2
    assert best_of(found, "acc", lowest=True)["step"] == 1
    assert best_of(found, "", lowest=True)["step"] == 3
    assert best_of([], "acc", lowest=True) is None


def stand_in(run) -> Job:
    """Writes what a training writes, in no time; fails without a symmetric loss."""
    values = [(100, 0.7, 0.1), (200, 0.5, 0.25), (300, 0.6, 0.3)]
    lines = [{"kind": "valid", "step": s, "loss": loss, "top10": top} for s, loss, top in values]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    code = (
        "import sys; from pathlib import Path\n"
        f"{run.config.loss.symmetric} or sys.exit('error: no symmetric loss, no run')\n"
        f"out = Path({str(run.out)!r}); out.mkdir(parents=True, exist_ok=True)\n"
        f"(out / 'metrics.jsonl').write_text({text!r})"
    )
    return Job(run.name, ("-c", code), run.job.key)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
