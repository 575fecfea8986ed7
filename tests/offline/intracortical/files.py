"""Files in the documented layouts, written here by hand: not by the code that is tested."""

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

DICTIONARY = """;;; a comment
the DH AH0
the(2) DH IY0
ox AA1 K S
goes G OW1 Z # a comment
home HH OW1 M
well W EH1 L
"""


def features(bins: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(1.5, (bins, columns)).astype(np.float64)


def mat(path: Path, texts, blocks, bins=None, **change) -> Path:
    """change: fields to replace, or to leave out (None)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bins = bins or [20 + 3 * i for i in range(len(texts))]
    seed = sum(map(ord, path.parent.name))
    fields = {
        "sentenceText": np.array([text.ljust(40) for text in texts]),  # as MATLAB's char: right-padded
        "blockIdx": np.array(blocks, float)[:, None],
    }
    for k, name in enumerate(("tx1", "tx2", "spikePow")):
        cells = np.empty((1, len(texts)), object)
        for i, t in enumerate(bins):
            cells[0, i] = features(t, 256, 1000 * k + seed + i)
        fields[name] = cells
    savemat(path, {name: value for name, value in (fields | change).items() if value is not None})
    return path


def t12(root: Path, days=("t12.2022.04.28", "t12.2022.05.17")) -> Path:
    for day in days:
        place = root / "competitionData"
        mat(place / "train" / f"{day}.mat", ["The ox goes.", "The ox", "Home!", "Goes home"], [3, 3, 4, 5])
        mat(place / "test" / f"{day}.mat", ["The ox's home--well"], [6])
        mat(place / "competitionHoldOut" / f"{day}.mat", ["", ""], [1, 2])
    return root


def trial(group: h5py.Group, block: int, number: int, bins: int, text: str = "", ids=()) -> None:
    padding = np.zeros((5, 512))
    x = np.concatenate([features(bins, 512, 10 * block + number), padding])
    group["input_features"] = x.astype(np.float32)
    group.attrs.update(n_time_steps=bins, session="x", block_num=block, trial_num=number)
    if text:
        for name, codes in (("seq_class_ids", ids), ("transcription", text.encode())):
            group[name] = np.array([*codes, *[0] * (500 - len(codes))], np.int32)
        group.attrs.update(seq_len=len(ids), sentence_label=text)


def t15(root: Path, days=("t15.2023.08.11",)) -> Path:
    for day in days:
        folder = root / "hdf5_data_final" / day
        folder.mkdir(parents=True)
        for name, texts in (("train", ["The ox", "Home."]), ("val", ["Goes"]), ("test", ["", ""])):
            with h5py.File(folder / f"data_{name}.hdf5", "w") as file:
                for i, text in enumerate(texts):
                    block = {"train": 2, "val": 5, "test": 6}[name]
                    trial(file.create_group(f"trial_{i:04d}"), block, i, 15 + i, text, [10, 3, 40])
    return root
