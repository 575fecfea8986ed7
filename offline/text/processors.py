"""Hugging Face processors "with LM" and pyctcdecode's own folders, read as this package's parts.

    alphabet.json         {"labels": [...], "is_bpe": false}; the blank is "", the space " "
    vocab.json            symbol -> output of the network (Hugging Face only)
    language_model/       attrs.json {alpha, beta, unk_score_offset, score_boundary}, unigrams.txt,
                          and one *.arpa or *.bin

Symbols are compared by name. A KenLM binary cannot be read without KenLM and is refused. Nothing is
unpickled. Knows no network and no search.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.errors import ConfigError
from rtdecode.text.arpa import read_arpa
from rtdecode.text.ngram import NGram
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import BLANK, SPACE, Symbols

ALPHABET, VOCABULARY, ADDED, MODEL = "alphabet.json", "vocab.json", "added_tokens.json", "language_model"
ATTRIBUTES, UNIGRAMS = "attrs.json", "unigrams.txt"
_NAMES = {"": BLANK, "<pad>": BLANK, "[pad]": BLANK, "|": SPACE, "⁇": "<unk>", "[unk]": "<unk>"}
_FIELDS = {"alpha": float, "beta": float, "unk_score_offset": float, "score_boundary": bool}


@dataclass(frozen=True)
class Processor:
    """What a folder says.

    symbols   our table: the blank first, all others in the folder's order
    columns   (V,) int64: log_probs[..., columns] has the columns of the folder's network in the order of
              `symbols`
    search    its weights, with the widths pyctcdecode has unless told otherwise (beam 100, 10 and 5 nats)
    lm        None where the folder has no language model
    unigrams  words that count as known to pyctcdecode; None without a model
    notes     what a search of ours does otherwise, one sentence each
    """

    symbols: Symbols
    columns: np.ndarray
    search: SearchSpec
    lm: NGram | None
    unigrams: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_processor(folder: str | Path, arpa: str | Path | None = None) -> Processor:
    """arpa  ARPA file to take instead of the folder's model (say, that from which its binary was built)

    ConfigError naming the file or field that is missing or does not fit.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {folder}", hint="the folder of a processor, with alphabet.json in it"
        )
    notes: list[str] = []
    names = _alphabet(folder)
    _check_vocabulary(folder, names, notes)
    blank = names.index(BLANK)
    columns = np.array([blank, *(i for i in range(len(names)) if i != blank)], np.int64)
    symbols = Symbols(tuple(names[i] for i in columns))
    search = SearchSpec(beam=100, prune_nats=10.0, token_nats=math.inf, token_floor=-5.0)
    if not (folder / MODEL).is_dir():
        if arpa is None:
            return Processor(symbols, columns, search, None, None, tuple(notes))
        raise ConfigError(f"{folder} has no {MODEL}/ to say how {arpa} is weighed")
    search = _weights(folder / MODEL / ATTRIBUTES, search)
    unigrams = _unigrams(folder / MODEL / UNIGRAMS)
    lm = read_arpa(arpa if arpa is not None else _arpa(folder / MODEL))
    known = tuple(word for word in unigrams if word in lm)
    apart = sum(1 for word in lm.words if word[0] + word[-1] != "<>") - len(known)
    if apart > 0:
        notes.append(f"{apart} words of the model are not in {UNIGRAMS}: pyctcdecode calls them unknown")
    return Processor(symbols, columns, search, lm, known, tuple(notes))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(p.name for p in path.parent.iterdir())) if path.parent.is_dir() else ""
        raise ConfigError(f"{path.parent} has no {path.name}, it has {there or 'nothing'}") from None
    except (OSError, ValueError) as problem:
        raise ConfigError(f"cannot read {path}: {problem}") from problem
    if not isinstance(found, dict):
        raise ConfigError(f"{path} should hold named values, it holds a {type(found).__name__}")
    return found


def _ours(name: str) -> str:
    """A symbol under our name; marks in [] or <> are recognised in either case."""
    return _NAMES.get(name.lower() if len(name) > 1 else name, name)


def _alphabet(folder: Path) -> list[str]:
    path = folder / ALPHABET
    found = _json(path)
    labels = found.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ConfigError(f"{path} has no list of texts 'labels', it has {', '.join(found) or 'nothing'}")
    if found.get("is_bpe") is not False:
        raise ConfigError(
            f"{path} has is_bpe {json.dumps(found.get('is_bpe'))}, false is needed: "
            "pieces of words are no characters",
            hint="take a model whose head speaks characters",
        )
    names = [_ours(label) for label in labels]
    for wanted, said in ((BLANK, 'blank ("" or <pad>)'), (SPACE, 'space (" " or |)')):
        if names.count(wanted) != 1:
            raise ConfigError(f"{path} has {names.count(wanted)} symbols for the {said}, one is needed")
    return names


def _check_vocabulary(folder: Path, names: list[str], notes: list[str]) -> None:
    """The alphabet must be the network's outputs, symbol by symbol."""
    path = folder / VOCABULARY
    if not path.is_file():
        notes.append(
            f"there is no {VOCABULARY}: the order of the network's outputs is that of {ALPHABET}, unchecked"
        )
        return
    table = _json(path)
    if (folder / ADDED).is_file():
        table |= _json(folder / ADDED)
    numbers = {number: name for name, number in table.items() if isinstance(number, int)}
    if sorted(numbers) != list(range(len(table))):
        raise ConfigError(f"{path} does not number its {len(table)} symbols from 0")
    theirs = [_ours(numbers[i]) for i in range(len(table))]
    for place, (one, other) in enumerate(zip(names, theirs, strict=False)):
        if one != other:
            raise ConfigError(
                f"symbol {place} is {one!r} in {folder / ALPHABET} and {other!r} in {VOCABULARY}",
                hint="one of the two belongs to another network",
            )
    if len(names) != len(theirs):
        raise ConfigError(f"{folder / ALPHABET} has {len(names)} symbols, {VOCABULARY} has {len(theirs)}")


def _weights(path: Path, search: SearchSpec) -> SearchSpec:
    found = _json(path)
    for name, kind in _FIELDS.items():
        value: Any = found.get(name)
        number = type(value) in (int, float) and math.isfinite(value)
        if not (isinstance(value, bool) if kind is bool else number):
            what = "true or false" if kind is bool else "a number"
            said = json.dumps(value) if name in found else "not there"
            raise ConfigError(f"{name} in {path} is {said}, {what} belongs there")
    if found["unk_score_offset"] > 0:
        raise ConfigError(
            f"unk_score_offset in {path} is {found['unk_score_offset']}, 0 or less belongs there"
        )
    return SearchSpec(
        beam=search.beam,
        alpha=float(found["alpha"]),
        beta=float(found["beta"]),
        prune_nats=search.prune_nats,
        token_nats=search.token_nats,
        token_floor=search.token_floor,
        # one number there: log10 of a whole unknown word, and nats of one under way
        unknown_log10=float(found["unk_score_offset"]),
        partial_unknown_nats=-float(found["unk_score_offset"]),
        boundaries=found["score_boundary"],
    )


def _unigrams(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ConfigError(f"{path.parent} has no {path.name}, it has {_listed(path.parent)}") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"cannot read {path}: {problem}") from problem


def _listed(folder: Path) -> str:
    return ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"


def _arpa(folder: Path) -> Path:
    found = sorted(p for p in folder.iterdir() if p.name.endswith((".arpa", ".arpa.gz")))
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{folder} has {len(found)} ARPA files, one is needed: {_listed(folder)}")
    binary = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".binary"))
    if binary:
        raise ConfigError(
            f"{folder} has {binary[0]} and no ARPA file: a KenLM binary cannot be read here, nor turned back",
            hint="give the ARPA file it was built from, or estimate one from text; "
            "pyctcdecode reads the binary itself, as a final pass",
        )
    raise ConfigError(f"{folder} has no language model (*.arpa), it has {_listed(folder)}")
