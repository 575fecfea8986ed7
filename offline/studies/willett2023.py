"""Loads Willett et al. 2023 (T12): attempted speech, two arrays in area 6v and two in area 44, 24 days.

    competitionData/train/t12.2022.04.28.mat        one MATLAB file a day; test/ and competitionHoldOut/ too
        sentenceText  (trials,) characters, padded with blanks; redacted in competitionHoldOut
        tx1           {1 x trials} of (T, 256) threshold crossings (tx2, tx3, tx4: other thresholds)
        spikePow      {1 x trials} of (T, 256) spike-band power
        blockIdx      (trials, 1) number of the block

Bins of 20 ms. Columns 1 to 128 are area 6v, 129 to 256 area 44. A day's test is its last block, its hold-out
the first two; training is the rest. A day that is in none of the three folders is left out. There are no
phonemes in the files: `offline prepare --lexicon` makes them. `root` may also be one trial as an .npy file
of (features, bins).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat, whosmat

from offline.fetch.sources import Part, Source
from offline.intracortical import npy
from offline.intracortical.days import T12, T12_SILENT, day_index
from offline.intracortical.simulated import simulated_facts
from offline.intracortical.trials import Day, RawStudy, Trial
from rtdecode.errors import ConfigError, StudyError, closest

AREAS = {"6v": slice(0, 128), "44": slice(128, 256), "both": slice(0, 256)}
CROSSINGS = ("tx1", "tx2", "tx3", "tx4")
SPLIT_OF = {"train": "train", "test": "test", "competitionHoldOut": "holdout"}  # folder: split

SOURCE = Source(
    name="willett2023",
    licence="CC0-1.0",
    doi="10.5061/dryad.x69p8czpq",
    homepage="https://datadryad.org/dataset/doi:10.5061/dryad.x69p8czpq",
    parts=(
        Part(
            "url",
            "https://datadryad.org/stash/downloads/file_stream/2547369",
            "competitionData.tar.gz",
            note="the site may refuse programs: then download it there by hand",
        ),
        Part(
            "manual",
            "https://datadryad.org/dataset/doi:10.5061/dryad.x69p8czpq",
            "competitionData",
            note="the content of competitionData.tar.gz: tar -xf competitionData.tar.gz",
        ),
    ),
)
_HINT = f"the layout is that of competitionData.tar.gz at {SOURCE.homepage}, unpacked"


@dataclass(frozen=True)
class Choice:
    """area: '6v', '44' or 'both';  crossings: 'tx1' … 'tx4'"""

    area: str = "6v"
    crossings: str = "tx1"


def load_trials(root: str | Path, choice: Choice | None = None) -> RawStudy:
    """The study under `root`, as many of its days as are there. Raises StudyError naming what is missing,
    ConfigError for a choice that does not exist.
    """
    root, choice = Path(root), choice or Choice()
    if choice.area not in AREAS:
        raise ConfigError(f"there is no area {choice.area!r}", hint=closest(choice.area, AREAS))
    if choice.crossings not in CROSSINGS:
        raise ConfigError(
            f"there are no crossings {choice.crossings!r}", hint=closest(choice.crossings, CROSSINGS)
        )
    if root.suffix == ".npy":
        return npy.load_trial(root, SOURCE.name, SOURCE.licence)
    folder = root / "competitionData" if (root / "competitionData").is_dir() else root
    found: dict[str, dict[str, Path]] = {}
    for name, split in SPLIT_OF.items():
        for path in sorted((folder / name).glob("t12.*.mat")):
            found.setdefault(path.stem, {})[split] = path
    if not found:
        packed = " (competitionData.tar.gz is not unpacked)" if list(root.glob("competitionData*.gz")) else ""
        raise StudyError(f"{folder} holds no train/t12.2022.04.28.mat …{packed}", hint=_HINT)
    days = [
        Day(name, day_index(name, T12), files, {"silent": name in T12_SILENT})
        for name, files in sorted(found.items())
    ]
    columns = range(256)[AREAS[choice.area]]
    labels = [f"{kind}-{column + 1}" for kind in (choice.crossings, "spikePow") for column in columns]
    name, facts = simulated_facts(root, SOURCE.name)
    facts |= {"days_present": f"{len(days)} of {len(T12)}", "area": choice.area}
    return RawStudy(
        name,
        SOURCE.licence,
        tuple(labels),
        tuple(days),
        lambda day: tuple(trial for split in day.files for trial in _survey(day, split, choice)),
        lambda day: _read(day, choice),
        norm="block",
        unit="arbitrary",
        facts=facts,
    )


def _survey(day: Day, split: str, choice: Choice) -> list[Trial]:
    path = day.files[split]
    fields = {name: shape for name, shape, _ in _opened(path, whosmat)}
    wanted = ["blockIdx", choice.crossings, "spikePow"] + ["sentenceText"] * (split != "holdout")
    for field in wanted:
        if field not in fields:
            raise StudyError(f"{path} has no field {field!r}", hint=f"found: {', '.join(sorted(fields))}")
    values = _opened(path, loadmat, variable_names=["sentenceText", "blockIdx"])
    blocks = np.asarray(values["blockIdx"]).reshape(-1)
    count = len(blocks)
    texts = [""] * count
    if split != "holdout":
        texts = [str(text).strip() for text in np.asarray(values["sentenceText"]).reshape(-1)]
    sizes = {"sentenceText": len(texts)}
    sizes |= {name: int(np.prod(fields[name])) for name in (choice.crossings, "spikePow")}
    for field, size in sizes.items():
        if size != count:
            raise StudyError(f"{path}: {field} is of {size} trials, blockIdx of {count}", hint=_HINT)
    trials = zip(blocks, texts, strict=True)
    return [Trial(day.name, int(block), n, split, text, 0) for n, (block, text) in enumerate(trials)]


def _read(day: Day, choice: Choice) -> Iterator[tuple[Trial, np.ndarray]]:
    columns = AREAS[choice.area]
    for split, path in day.files.items():
        trials = _survey(day, split, choice)
        values = _opened(path, loadmat, variable_names=[choice.crossings, "spikePow"])
        parts = [values[name].reshape(-1) for name in (choice.crossings, "spikePow")]
        for trial, crossings, power in zip(trials, *parts, strict=True):
            for name, x in ((choice.crossings, crossings), ("spikePow", power)):
                if not isinstance(x, np.ndarray) or x.ndim != 2 or (x.shape[1] != 256 and x.size):
                    found = getattr(x, "shape", type(x).__name__)
                    raise StudyError(f"{path}: {name} of trial {trial.number} is {found}, expected (T, 256)")
            if len(crossings) != len(power):
                raise StudyError(
                    f"{path}: trial {trial.number} has {len(crossings)} bins of {choice.crossings}, "
                    f"{len(power)} of spikePow"
                )
            yield trial, np.concatenate([_columns(x, columns) for x in (crossings, power)], axis=1)


def _columns(x: np.ndarray, columns: slice) -> np.ndarray:
    """An empty MATLAB array is (0, 0)."""
    return (x if x.size else np.zeros((0, 256)))[:, columns].astype(np.float32)


def _opened(path: Path, function: Any, **how: Any) -> Any:
    try:
        return function(str(path), **how)
    except NotImplementedError as error:
        raise StudyError(
            f"{path} is a MATLAB file of version 7.3", hint="save it again with save -v7"
        ) from error
    except Exception as error:  # its parser raises whatever it met
        raise StudyError(f"cannot read {path}: {error}", hint="is the file complete?") from error
