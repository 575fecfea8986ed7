"""Writes a simulated study of attempted speech in the layout of willett2023 or card2024, whole or not at all.

Sentences come from a plain-text book or the shipped fables, pronunciations from a dictionary or letter rules
(`letters`), features from simulated units (`units`). Beside the study's own files lie

    simulation.json   how it was made; loaders then call the study simulated
    lexicon.txt       every word of it with its phonemes, for `offline prepare --lexicon`
    timings.jsonl     a trial a line: when each symbol was said, in seconds of the trial

Training sentences are all different, and no test or validation sentence is among them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from offline.disk import whole_folder
from offline.intracortical.days import T12, T15
from offline.intracortical.layouts import Recorded, write_hdf5, write_mat
from offline.intracortical.letters import spoken
from offline.intracortical.normalise import block_zscore
from offline.intracortical.phonemes import phonemes_of, pronounce, read_dictionary
from offline.intracortical.simulated import NAME
from offline.intracortical.units import Units, speak
from offline.simulate import text as texts
from rtdecode.errors import ConfigError, StudyError, closest
from rtdecode.text.symbols import PHONEMES, W2V_CHARACTERS

LAYOUTS = {"willett2023": T12, "card2024": T15}
TUNINGS = {"phonemes": PHONEMES, "characters": W2V_CHARACTERS}
SCHEMA = 1


@dataclass(frozen=True)
class Simulation:
    """days          training days;  heldout_days: after them, without training trials
    blocks         training blocks a day, of `trials` sentences each;  test: sentences of the test block
    holdout        sentences without text before training (willett2023); of the test file (card2024)
    min_words, max_words   of a sentence
    drift          1: a decoder of one day is worse the next;  0: all days alike
    duration_s     shortest and longest symbol
    tuning         'phonemes' or 'characters': what the units follow
    """

    days: int = 4
    heldout_days: int = 0
    blocks: int = 4
    trials: int = 20
    test: int = 20
    holdout: int = 0
    min_words: int = 3
    max_words: int = 8
    drift: float = 1.0
    duration_s: tuple[float, float] = (0.06, 0.14)
    tuning: str = "phonemes"
    seed: int = 0


def simulate_trials(
    out_dir: str | Path,
    layout: str = "willett2023",
    simulation: Simulation | None = None,
    *,
    text: str | Path | None = None,
    lexicon: str | Path | None = None,
) -> Path:
    """Makes the study in `out_dir` and returns its path. The same arguments give the same features.

    text     plain-text book whose sentences are said; None: the shipped fables
    lexicon  pronunciation dictionary; sentences with words that it does not list are not said. None: rules

    Raises ConfigError for what does not exist or fit; StudyError: `out_dir` is not empty, too few sentences.
    """
    out, made = Path(out_dir), simulation or Simulation()
    _check(out, layout, made)
    dictionary, sentences = _sentences(made, text, lexicon)
    with whole_folder(out) as work:
        with (work / "timings.jsonl").open("w", encoding="utf-8") as timings:
            for day, files, lines in _days(layout, made, dictionary, sentences):
                _write(work, layout, day, files)
                timings.writelines(json.dumps(line) + "\n" for line in lines)
        words = sorted({word for texts in sentences.values() for line in texts for word in line.split()})
        listed = "".join(f"{word} {' '.join(dictionary[word])}\n" for word in words)
        (work / "lexicon.txt").write_text(listed, "utf-8")
        facts = {
            "schema": SCHEMA,
            "layout": layout,
            "text": texts.TEXT_SOURCE if text is None else Path(text).name,
            "lexicon": "letter rules" if lexicon is None else Path(lexicon).name,
            **asdict(made),
        }
        (work / NAME).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    return out


def _check(out: Path, layout: str, made: Simulation) -> None:
    for what, value, valid in (("layout", layout, LAYOUTS), ("tuning", made.tuning, TUNINGS)):
        if value not in valid:
            raise ConfigError(f"there is no {what} {value!r}", hint=closest(value, valid))
    days, most = made.days + made.heldout_days, len(LAYOUTS[layout])
    if made.days < 1 or made.heldout_days < 0 or days > most:
        raise ConfigError(f"{made.days} days and {made.heldout_days} held out: {layout} has 1 to {most}")
    if min(made.blocks, made.trials, made.test) < 1 or made.holdout < 0 or made.drift < 0:
        raise ConfigError(
            f"{made.blocks} blocks of {made.trials} trials, {made.test} test, {made.holdout} hold-out, drift "
            f"{made.drift:g}",
            hint="blocks, trials and test are positive, hold-out and drift not negative",
        )
    if not 0 < made.duration_s[0] <= made.duration_s[1]:
        raise ConfigError(f"symbols of {made.duration_s[0]:g} to {made.duration_s[1]:g} s")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(f"{out} exists and is not empty", hint="give a new directory or remove it first")


def _sentences(
    made: Simulation, text: str | Path | None, lexicon: str | Path | None
) -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]]]:
    """Pronunciations of all words; sentences to say in training and in the test, each long enough."""
    given = read_dictionary(lexicon) if lexicon else None
    found = texts.sentences(text, made.min_words, made.max_words)
    dictionary: dict[str, tuple[str, ...]] = {}
    for word in {word for sentence in found for word in sentence.split()}:
        sounds = pronounce(word, given) if given is not None else spoken(word)
        if sounds:
            dictionary[word] = sounds
    said = [sentence for sentence in found if all(word in dictionary for word in sentence.split())]
    splits = texts.split_sentences(said)
    test = splits["test"] + splits["valid"]
    wanted = made.days * made.blocks * made.trials
    if not splits["train"] or not test:
        raise StudyError(
            f"{len(splits['train'])} sentences to train on and {len(test)} to test, of {len(found)}",
            hint="give a longer text, or a dictionary that lists its words",
        )
    train = splits["train"][:wanted]
    if wanted > len(train):
        more = wanted - len(train)
        train += texts.recombine(train, more, made.seed, test, made.min_words, made.max_words)
    return dictionary, {"train": train, "test": test}


Files = dict[str, list[Recorded]]


def _days(
    layout: str,
    made: Simulation,
    dictionary: Mapping[str, tuple[str, ...]],
    sentences: Mapping[str, list[str]],
) -> Iterator[tuple[str, Files, list[dict[str, object]]]]:
    """Name, trials by split, and timings of each day."""
    symbols = TUNINGS[made.tuning]
    areas = (128, 128) if layout == "willett2023" else (256, 0)  # area 44 follows nothing
    units = Units(*areas, len(symbols), drift=made.drift, seed=made.seed)
    rng = np.random.default_rng([made.seed, 12])
    order = {split: [lines[i] for i in rng.permutation(len(lines))] for split, lines in sentences.items()}
    said = dict.fromkeys(order, 0)
    for number, day in enumerate(LAYOUTS[layout][: made.days + made.heldout_days]):
        if number:
            units.next_day()
        files: Files = {}
        lines: list[dict[str, object]] = []
        for block, (split, count) in enumerate(_plan(made, heldout=number >= made.days), start=1):
            units.next_block()
            pool = "train" if split == "train" else "test"
            trials: list[Recorded] = []
            for _ in range(count):
                text = order[pool][said[pool] % len(order[pool])]
                said[pool] += 1
                phonemes = phonemes_of(text, dictionary)
                names = phonemes if made.tuning == "phonemes" else (*text.upper(), " ")
                uttered = speak([symbols.index(name) for name in names], rng, made.duration_s)
                before = files.get(split, [])
                trials.append(
                    Recorded(block, len(before) + len(trials), text, phonemes, *units.record(uttered))
                )
                lines.append(
                    {
                        "day": day, "block": block, "number": trials[-1].number, "split": split, "text": text,
                        "symbols": names, "starts": uttered.starts.round(4).tolist(),
                        "stops": uttered.stops.round(4).tolist(),
                    }
                )  # fmt: skip
            files.setdefault(split, []).extend(_scaled(trials) if layout == "card2024" else trials)
        yield day, files, lines


def _plan(made: Simulation, heldout: bool) -> list[tuple[str, int]]:
    """(split, trials) of the blocks of a day, in order: the labelled test is the last."""
    if heldout:
        return [("test", made.test)] * made.blocks
    first = [("holdout", made.holdout)] if made.holdout else []
    return [*first, *[("train", made.trials)] * made.blocks, ("test", made.test)]


def _scaled(trials: list[Recorded]) -> list[Recorded]:
    """A block as card2024 ships it: scaled."""
    pairs = []
    for name in ("crossings", "power"):
        whole = block_zscore(np.concatenate([getattr(trial, name) for trial in trials]))
        pairs.append(np.split(whole, np.cumsum([len(trial.power) for trial in trials])[:-1]))
    return [
        Recorded(t.block, t.number, t.text, t.phonemes, crossings, power)
        for t, crossings, power in zip(trials, *pairs, strict=True)
    ]


def _write(work: Path, layout: str, day: str, files: Files) -> None:
    if layout == "willett2023":
        names = {"train": "train", "test": "test", "holdout": "competitionHoldOut"}
        for split, trials in files.items():
            folder = work / "competitionData" / names[split]
            folder.mkdir(parents=True, exist_ok=True)
            write_mat(folder / f"{day}.mat", trials, redacted=split == "holdout")
        return
    folder = work / "hdf5_data_final" / day
    folder.mkdir(parents=True)
    names = {"train": "train", "test": "val", "holdout": "test"}
    for split, trials in files.items():
        write_hdf5(folder / f"data_{names[split]}.hdf5", day, trials, labelled=split != "holdout")
