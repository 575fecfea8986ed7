"""Loads Card et al. 2024 (T15): attempted speech, four arrays of 64 electrodes, 45 days.

    hdf5_data_final/t15.2023.08.11/data_train.hdf5      data_val.hdf5 and data_test.hdf5 too
        trial_0000                  a group a trial
            input_features          (T, 512) float, bins of 20 ms
            seq_class_ids           (500,) blank 0, phonemes 1 to 39, SIL 40; zeros after the last
            transcription           (width,) ASCII codes, zeros after the last
            attributes              n_time_steps, seq_len, sentence_label, session, block_num, trial_num

Features are threshold crossings at 4.5 RMS (1 to 256: ventral 6v, area 4, 55b, dorsal 6v, 64 each), then
spike-band power in the same order; they come scaled and are kept as they are. The test trials have no
labels. Where the table of blocks (t15_copyTaskData_description.csv) lies in `root`, trials name the corpus
their sentence is from. HDF5 is read through h5py.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offline.fetch.sources import Part, Source
from offline.intracortical.days import BLOCK_TABLE, T15, Block, day_index, read_blocks
from offline.intracortical.simulated import simulated_facts
from offline.intracortical.trials import Day, RawStudy, Trial
from rtdecode.errors import MissingExtra, StudyError
from rtdecode.text.symbols import PHONEMES

ARRAYS = ("v6v", "a4", "55b", "d6v")  # ventral 6v, area 4, 55b, dorsal 6v
LABELS = tuple(
    f"{kind}-{array}-{number}" for kind in ("tx", "spikePow") for array in ARRAYS for number in range(1, 65)
)
SPLIT_OF = {"train": "train", "val": "valid", "test": "test"}  # name of the file: split
LABELLED = ("train", "valid")

SOURCE = Source(
    name="card2024",
    licence="CC0-1.0",
    doi="10.5061/dryad.dncjsxm85",
    homepage="https://datadryad.org/dataset/doi:10.5061/dryad.dncjsxm85",
    parts=(
        Part(
            "zip",
            "https://datadryad.org/api/v2/datasets/doi%3A10.5061%2Fdryad.dncjsxm85/download",
            "",
            note="archives in an archive; only hdf5_data_final is used. The site may refuse programs: then "
            "unpack t15_copyTask_neuralData.zip here by hand",
        ),
    ),
)
_HINT = f"the layout is that of hdf5_data_final at {SOURCE.homepage}"


def load_trials(root: str | Path) -> RawStudy:
    """The study under `root`, as many of its days as are there. Raises StudyError naming what is missing,
    MissingExtra without h5py.
    """
    root = Path(root)
    _h5py()
    folder = root / "hdf5_data_final" if (root / "hdf5_data_final").is_dir() else root
    files = {}
    for place in sorted(folder.glob("t15.*")):
        found = {split: place / f"data_{name}.hdf5" for name, split in SPLIT_OF.items()}
        files[place.name] = {split: path for split, path in found.items() if path.is_file()}
        if not files[place.name]:
            raise StudyError(f"{place} holds no data_train.hdf5", hint=_HINT)
    if not files:
        raise StudyError(f"{folder} holds no t15.2023.08.11/data_train.hdf5 …", hint=_HINT)
    table = next((p for p in (root / BLOCK_TABLE, folder / BLOCK_TABLE) if p.is_file()), None)
    blocks = read_blocks(table) if table else {}
    days = []
    for name in files:
        facts = {"implanted_days": blocks[name][0].implanted} if name in blocks else {}
        days.append(Day(name, day_index(name, T15), files[name], facts))
    study, facts = simulated_facts(root, SOURCE.name)
    return RawStudy(
        study,
        SOURCE.licence,
        LABELS,
        tuple(days),
        lambda day: tuple(trial for trial, _ in _trials(day, blocks.get(day.name, ()), features=False)),
        lambda day: _trials(day, blocks.get(day.name, ()), features=True),
        norm="none",
        unit="arbitrary",
        facts={**facts, "days_present": f"{len(days)} of {len(T15)}"},
    )


def _trials(day: Day, blocks: Sequence[Block], features: bool) -> Iterator[tuple[Trial, np.ndarray]]:
    corpora = {block.number: block.corpus for block in blocks}
    for split, path in day.files.items():
        try:
            with _h5py().File(path, "r") as file:
                for name in sorted(name for name in file if name.startswith("trial_")):
                    place = f"{path}, {name}"
                    trial, bins = _trial(file[name], day.name, split, place, corpora)
                    yield trial, _features(file[name], bins, place) if features else _NONE
        except OSError as error:
            raise StudyError(f"cannot read {path}: {error}", hint="is the file complete?") from error


_NONE = np.zeros((0, len(LABELS)), np.float32)


def _trial(group: Any, day: str, split: str, place: str, corpora: dict[int, str]) -> tuple[Trial, int]:
    """A trial without its bins, and how many it says it has."""
    _present(group, ["input_features"], ["n_time_steps", "block_num", "trial_num"], place)
    block, number = int(group.attrs["block_num"]), int(group.attrs["trial_num"])
    text, phonemes = "", tuple[str, ...]()
    if split in LABELLED:
        _present(group, ["seq_class_ids", "transcription"], ["seq_len", "sentence_label"], place)
        text = _string(group.attrs["sentence_label"]) or ascii_text(group["transcription"][()], place)
        phonemes = _phonemes(group["seq_class_ids"][()], int(group.attrs["seq_len"]), place)
    found = Trial(day, block, number, split, text, 0, phonemes, corpus=corpora.get(block, ""))
    return found, int(group.attrs["n_time_steps"])


def _present(group: Any, fields: Sequence[str], attributes: Sequence[str], place: str) -> None:
    for what, names, found in (("field", fields, group), ("attribute", attributes, group.attrs)):
        for name in names:
            if name not in found:
                raise StudyError(f"{place} has no {what} {name!r}", hint=f"found: {', '.join(sorted(found))}")


def _features(group: Any, bins: int, place: str) -> np.ndarray:
    data = group["input_features"]
    if data.ndim != 2 or data.shape[1] != len(LABELS) or not 0 <= bins <= len(data):
        raise StudyError(
            f"{place}: input_features is {data.shape} and n_time_steps {bins}, expected (T, {len(LABELS)}) "
            "and T at most"
        )
    return np.asarray(data[:bins], np.float32)


def ascii_text(codes: np.ndarray, place: str = "transcription") -> str:
    """The text before the first zero. Raises StudyError for a code that is no ASCII."""
    codes = codes.reshape(-1)
    strange = codes[(codes < 0) | (codes > 127)]
    if len(strange):
        raise StudyError(f"{place}: the transcription holds {strange[0]}, ASCII ends at 127")
    return bytes(codes.astype(np.uint8)).split(b"\0")[0].decode("ascii").strip()


def _string(value: Any) -> str:
    return (value.decode("utf-8") if isinstance(value, bytes) else str(value)).strip()


def _phonemes(ids: np.ndarray, length: int, place: str) -> tuple[str, ...]:
    ids = ids.reshape(-1)
    if not 0 <= length <= len(ids) or (length and not ids[:length].all()) or ids[length:].any():
        raise StudyError(
            f"{place}: seq_len is {length}, seq_class_ids has {np.count_nonzero(ids)} of {len(ids)} not zero"
        )
    if length and not 0 < ids.min(initial=1, where=ids != 0) <= ids.max() < len(PHONEMES):
        raise StudyError(f"{place}: seq_class_ids holds {ids.max()}, symbols are 0 to {len(PHONEMES) - 1}")
    return tuple(PHONEMES.names[i] for i in ids[:length])


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py (reads HDF5)", "offline") from error
    return h5py
