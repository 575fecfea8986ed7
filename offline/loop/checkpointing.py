"""What a run leaves on disk, so that it survives being killed at any moment.

    run.json    what was asked for, readable
    state.pt    the last checkpoint: everything needed to go on exactly
    best.pt     the best weights so far by validation, where one is watched
    metrics.jsonl

Every file is written beside its name and moved into place; tensors are read back with weights_only. Knows
nothing of the loop's meaning of the state.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rtdecode.errors import TrainingError

RUN, STATE, BEST = "run.json", "state.pt", "best.pt"
NET = "net."
"""Where the model's weights stand among everything trained."""
MOST_SHOWN = 8


def save(path: Path, state: dict[str, Any]) -> None:
    """Tensors, numbers and text to `path`. TrainingError when the disk refuses; what was there stays."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as problem:
        # torch's writer hides the system's error in a RuntimeError of its own
        part.unlink(missing_ok=True)
        cause = _system(problem)
        raise TrainingError(
            f"cannot write {path}: {cause.strerror if cause else problem}",
            hint="the previous checkpoint is untouched; make room and resume",
        ) from problem


def load(path: Path, *needs: str) -> dict[str, Any]:
    """What `save` wrote, on the CPU, with these keys in it. TrainingError for anything else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as problem:
        raise TrainingError(f"{path} is missing", hint="a training run makes it") from problem
    except Exception as problem:  # torch raises whatever the damage happens to hit
        raise TrainingError(f"{path} is not a checkpoint, or damaged: {_line(problem)}") from problem
    missing = [key for key in needs if not isinstance(state, dict) or key not in state]
    if missing:
        raise TrainingError(f"{path} holds no {missing[0]!r}", hint="it was made by something else")
    return state


def weights(run: Path) -> tuple[int, dict[str, Tensor]]:
    """Step and weights to use: the best by validation where the run watched one, else the last."""
    state = load(run / BEST if (run / BEST).exists() else run / STATE, "step", "model")
    return int(state["step"]), state["model"]


def fill(net: nn.Module, run: Path) -> tuple[int, dict[str, Tensor]]:
    """Put the weights to use into `net`: the step they are of, and what was learned beside it.

    TrainingError when they are not this model's.
    """
    step, state = weights(run)
    try:
        net.load_state_dict({k.removeprefix(NET): v for k, v in state.items() if k.startswith(NET)})
    except RuntimeError as problem:
        said = " ".join(str(problem).split())[:200]  # torch lists every tensor, a line each
        raise TrainingError(f"the weights in {run} do not fit its {RUN}: {said}") from problem
    return step, {name: value for name, value in state.items() if not name.startswith(NET)}


def write_json(path: Path, value: Any) -> None:
    """Readable JSON, whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise TrainingError(f"cannot write {path}: {problem.strerror}") from problem


def check_run(out: Path, config: Any, resume: bool) -> None:
    """TrainingError when `out` holds another run, or one that `resume` does not mean to go on with.

    config  JSON; a resumed run must have been started with the same, else the keys that differ are listed
    """
    if not (out / RUN).exists():
        return
    if not resume:
        raise TrainingError(
            f"{out} holds a training run already", hint="resume it, or choose another directory"
        )
    differing = list(differences(read_run(out).get("config"), json.loads(json.dumps(config))))
    if differing:
        more = len(differing) - MOST_SHOWN
        shown = "; ".join(differing[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise TrainingError(
            f"{out} was trained with another configuration: {shown}",
            hint="go back to it, or choose another directory",
        )


def check_data(out: Path, run: dict[str, Any], parts: Sequence[str]) -> None:
    """TrainingError when the run in `out`, where there is one, began with other data than `run` is about.

    parts  keys of run.json that say what it is trained on
    """
    if not (out / RUN).exists():
        return
    old, new = read_run(out), json.loads(json.dumps(run))
    for part in parts:
        changed = list(differences({part: old.get(part)}, {part: new[part]}))
        if changed:
            raise TrainingError(
                f"{out} began with other data: {'; '.join(changed[:4])}",
                hint="prepare the study as it was, or choose another directory",
            )


def open_run(out: Path, run: dict[str, Any], resume: bool) -> bool:
    """Make `out` the directory of this run; whether there is a state to go on from.

    run  JSON; run["config"] is what `check_run` compares, and nothing is written when that fails
    """
    check_run(out, run.get("config"), resume)
    if not (out / RUN).exists():
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise TrainingError(f"cannot make the directory {out}: {problem.strerror}") from problem
        write_json(out / RUN, run)
    return (out / STATE).exists()


def read_run(out: Path) -> dict[str, Any]:
    """run.json. TrainingError when it is missing or no JSON object."""
    try:
        run = json.loads((out / RUN).read_text("utf-8"))
    except OSError as problem:
        raise TrainingError(f"cannot read {out / RUN}: {problem.strerror}") from problem
    except ValueError as problem:
        raise TrainingError(f"{out / RUN} is not JSON: {problem}") from problem
    if not isinstance(run, dict):
        raise TrainingError(f"{out / RUN} holds no run")
    return run


def read_recipe(out: Path, recipe: str, schema: int) -> dict[str, Any]:
    """run.json of a run of this recipe. TrainingError says what is missing, or what it is instead."""
    if not (out / RUN).is_file():
        raise TrainingError(f"{out} is not a checkpoint: it needs {RUN}", hint="`offline train` makes one")
    run = read_run(out)
    if run.get("recipe") != recipe or run.get("schema") != schema:
        raise TrainingError(
            f"{out} holds a run of the recipe {run.get('recipe', 'crops')!r} (schema {run.get('schema')}), "
            f"expected {recipe!r} ({schema})"
        )
    return run


def differences(old: Any, new: Any, where: str = "") -> Iterable[str]:
    """ "optim.lr: 0.002 -> 0.001" for every value that differs between two JSON trees."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            inner = f"{where}.{key}" if where else key
            if key not in old:
                yield f"{inner}: absent -> {_short(new[key])}"
            elif key not in new:
                yield f"{inner}: {_short(old[key])} -> absent"
            else:
                yield from differences(old[key], new[key], inner)
    elif old != new:
        yield f"{where or 'config'}: {_short(old)} -> {_short(new)}"


def pack(rng: np.random.Generator) -> str:
    """A generator's state as text, which weights_only reads back."""
    return json.dumps(rng.bit_generator.state)


def unpack(rng: np.random.Generator, state: str) -> None:
    """Set a generator to a packed state."""
    rng.bit_generator.state = json.loads(state)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _line(problem: BaseException) -> str:
    return str(problem).strip().split("\n")[0][:120]


def _system(problem: BaseException | None) -> OSError | None:
    while problem is not None and not isinstance(problem, OSError):
        problem = problem.__cause__ or problem.__context__
    return problem
