"""A study of trials in memory, each phoneme a direction of its own; a model small enough for a test."""

from pathlib import Path

import numpy as np

from offline.intracortical.store import PreparedDay, TrialStudy
from offline.intracortical.trials import Trial
from offline.overrides import override
from offline.text.config import TextConfig, load_text_config

WORDS = {"go": ("G", "OW"), "see": ("S", "IY"), "do": ("D", "UW"), "key": ("K", "IY"), "two": ("T", "UW")}
CHANNELS = 12
BINS = 5  # of a phoneme
DAYS = ("d1", "d2", "d3")

SMALL = (
    "model.gru.hidden=16",
    "model.gru.dropout=0",
    "model.front.dropout=0",
    "model.front.window=4",
    "batch.size=8",
    "batch.days=2",
    "loop.updates_per_epoch=3",
    "loop.max_epochs=2",
    "loop.prefetch=0",
    "loop.lr=0.01",
)


def config(*settings: str) -> TextConfig:
    return override(load_text_config("text-small"), [*SMALL, *settings])


def study(
    days=DAYS,
    trials=(("train", 6), ("valid", 3), ("test", 4)),
    root=Path("tiny"),
    norm="block",
    seed=0,
    **changes,
) -> TrialStudy:
    """changes: fields of every trial, e.g. phonemes=()."""
    rng = np.random.default_rng(seed)
    tuning = {name: rng.normal(0, 1, CHANNELS) for word in WORDS.values() for name in word}
    found, arrays, table = [], {}, []
    for index, day in enumerate(days):
        pieces, start, number = [], 0, 0
        for split, count in trials:
            for _ in range(count):
                words = list(rng.choice(list(WORDS), 2))
                phonemes = tuple(p for word in words for p in (*WORDS[word], "SIL"))
                rows = [np.tile(tuning.get(p, np.zeros(CHANNELS)), (BINS, 1)) for p in phonemes]
                x = np.concatenate([np.zeros((6, CHANNELS)), *rows, np.zeros((8, CHANNELS))])
                pieces.append((x + 0.3 * rng.normal(size=x.shape) + 0.1 * index).astype(np.float32))
                fields = {"text": " ".join(words), "phonemes": phonemes, **changes}
                table.append(Trial(day, 1, number, split, n_bins=len(x), start=start, **fields))
                start, number = start + len(x), number + 1
        arrays[day] = np.concatenate(pieces)
        found.append(PreparedDay(day, index, start, {}, root))
    labels = tuple(f"ch{i}" for i in range(CHANNELS))
    settings = {"norm": norm, "split": "dev"}
    return TrialStudy(
        "tiny",
        "CC0-1.0",
        tuple(found),
        tuple(table),
        labels,
        "zscore",
        0.02,
        settings,
        {},
        root,
        _open=arrays,
    )


def lexicon(folder: Path) -> str:
    path = folder / "lexicon.txt"
    path.write_text("".join(f"{word} {' '.join(path_)}\n" for word, path_ in WORDS.items()))
    return str(path)
