"""Readings of decoders beside what was said: error rates over the corpus, by day, and of committed text.

Knows no model and runs no decoder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offline.text.batches import Example
from offline.text.decode import Reading
from offline.text.metrics import Errors, Rate, character_errors, corpus, symbol_errors, word_errors


@dataclass(frozen=True)
class Judged:
    """One reading against the truth; a rate the decoder cannot be asked for is None.

    symbols  of the alphabet: phonemes, or characters as the head spells them
    characters, words   of the normalised text
    by_day   errors in words where there are any, else in symbols
    """

    name: str
    symbols: Rate | None
    characters: Rate | None
    words: Rate | None
    by_day: Mapping[str, Rate]
    seconds: float


def judge(reading: Reading, examples: Sequence[Example]) -> Judged:
    """Corpus-level rates with their intervals. Raises ValueError without an example."""
    symbols = characters = words = None
    per_trial: list[Errors] = []
    if reading.ids is not None:
        per_trial = [symbol_errors(e.target, ids) for e, ids in zip(examples, reading.ids, strict=True)]
        symbols = corpus(per_trial)
    if reading.texts is not None:
        pairs = list(zip(examples, reading.texts, strict=True))
        characters = corpus([character_errors(e.text, text) for e, text in pairs])
        per_trial = [word_errors(e.text, text) for e, text in pairs]
        words = corpus(per_trial)
    days: dict[str, list[Errors]] = {}
    for example, errors in zip(examples, per_trial, strict=True):
        days.setdefault(day_of(example), []).append(errors)
    by_day = {day: corpus(errors) for day, errors in days.items()}
    return Judged(reading.name, symbols, characters, words, by_day, reading.seconds)


def day_of(example: Example) -> str:
    """The day a trial's name begins with."""
    return example.name.partition("/")[0]


def table(rows: Sequence[Judged], unit: str) -> list[str]:
    """The decoders side by side, for people. unit: what errors in symbols are called ("PER", "CER")."""
    lines = []
    for row in rows:
        said = [f"{row.name:<24}"]
        if row.symbols is not None:
            said.append(f"{unit} {row.symbols}")
        if row.characters is not None and unit != "CER":
            said.append(f"CER {row.characters.value:.1%}")
        if row.words is not None:
            said.append(f"WER {row.words}")
        counted = row.words or row.symbols
        if counted is not None:
            e = counted.errors
            what = "words" if row.words is not None else "symbols"
            said.append(
                f"S/D/I {e.substitutions}/{e.deletions}/{e.insertions} of {e.units} {what}, n = {counted.n}"
            )
        lines.append("  ".join(said))
    return lines


def day_lines(row: Judged) -> list[str]:
    """One line a day, where there are several."""
    if len(row.by_day) < 2:
        return []
    what = "WER" if row.words is not None else "errors"
    return [f"  {day:<22}{row.name}: {what} {rate}, n = {rate.n}" for day, rate in row.by_day.items()]
