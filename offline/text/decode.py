"""From trials to sentences: what the model says, and what the decoders make of it.

Greedy and beam search with and without a language model read the same log-probabilities. A trial whose
log-probabilities are not numbers is marked and reads as nothing; the others go on. Knows no error rates.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from offline.text.batches import Example, Features, padded
from offline.text.ctc import greedy
from rtdecode.errors import ConfigError
from rtdecode.text.beam import BeamSearch
from rtdecode.text.lexicon import Lexicon, read_lexicon
from rtdecode.text.ngram import END, START, UNKNOWN, NGram
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import Symbols

UNREAD = "?"  # a word of phonemes that nobody has written down


@dataclass(frozen=True)
class Spoken:
    """What a model says in one trial: log_probs (N, V) float32. broken: they hold what is no number."""

    example: Example
    log_probs: np.ndarray
    broken: bool


@torch.no_grad()
def spoken(
    net: torch.nn.Module, examples: Sequence[Example], features: Features, *, batch: int = 16, days: bool
) -> tuple[Spoken, ...]:
    """In the order of `examples`. days: does the model have day layers?"""
    device = next(net.parameters()).device
    order = sorted(range(len(examples)), key=lambda i: examples[i].n_bins)
    found: list[Spoken | None] = [None] * len(examples)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        some = padded([examples[i] for i in rows], features, [0] * len(rows))
        day = some.day.to(device) if days else None
        log_probs, frames = net(some.x.to(device), some.n_bins.to(device), day)
        for at, i in enumerate(rows):
            own = log_probs[at, : int(frames[at])].float().cpu().numpy()
            found[i] = Spoken(examples[i], own, not np.isfinite(own).all())
    return tuple(one for one in found if one is not None)


def readable(symbols: Symbols) -> Symbols:
    """The same alphabet in lower case, number by number: words of dictionaries and language models are."""
    if not symbols.spelled:
        return symbols
    return Symbols(tuple(name if len(name) > 1 else name.lower() for name in symbols.names))


def words_of(ids: Sequence[int], symbols: Symbols, lexicon: Lexicon | None = None) -> str:
    """Text of symbols as they are. Phonemes become words only where the lexicon has exactly these, else
    `UNREAD`.
    """
    if symbols.spelled:
        return " ".join(symbols.decode(ids).split())
    words: list[list[int]] = [[]]
    for symbol in ids:
        if symbol == symbols.separator:
            words.append([])
        else:
            words[-1].append(symbol)
    found = (lexicon.find(word) if lexicon else () for word in words if word)
    return " ".join(some[0] if some else UNREAD for some in found)


@dataclass(frozen=True)
class Reading:
    """What one decoder made of all trials, in their order.

    ids    symbols, where the decoder gives them;  texts  words, where it can tell them
    """

    name: str
    ids: tuple[tuple[int, ...], ...] | None
    texts: tuple[str, ...] | None
    seconds: float


def read_greedy(said: Sequence[Spoken], symbols: Symbols, lexicon: Lexicon | None = None) -> Reading:
    """The best symbol of each frame."""
    began = time.perf_counter()
    ids = tuple(() if one.broken else tuple(greedy(one.log_probs)) for one in said)
    texts = None
    if symbols.spelled or lexicon is not None:
        texts = tuple(words_of(one, readable(symbols), lexicon) for one in ids)
    return Reading("greedy", ids, texts, time.perf_counter() - began)


def read_beam(
    said: Sequence[Spoken],
    symbols: Symbols,
    spec: SearchSpec,
    lm: NGram | None = None,
    lexicon: Lexicon | None = None,
) -> Reading:
    """The likeliest sentence of each trial, its end scored.

    ConfigError when the lexicon's symbols are others, or for a model of words over phonemes without a
    lexicon.
    """
    began = time.perf_counter()
    name = "beam + LM" if lm is not None else "beam"
    if lm is not None and lexicon is None and not symbols.spelled:
        raise ConfigError(
            "a language model weighs words, and the model says phonemes", hint="give the --lexicon they spell"
        )
    search = BeamSearch(readable(symbols), spec, lm, lexicon)
    found = []
    for one in said:
        search.reset()
        if not one.broken:
            search.push(one.log_probs)
        found.append(search.finish(1)[0].text)
    ids = texts = None
    if symbols.spelled or lexicon is not None:
        texts = tuple(found)
    if lexicon is None and not symbols.spelled:
        ids = tuple(_phonemes(text, symbols) for text in found)
    return Reading(name, ids, texts, time.perf_counter() - began)


def _phonemes(text: str, symbols: Symbols) -> tuple[int, ...]:
    """Numbers of phonemes with the separator between words, which also ends a sentence that is not empty."""
    ids = symbols.encode(text)
    return (*ids, symbols.separator) if ids else ids


def open_lexicon(path: str | Path, symbols: Symbols) -> Lexicon:
    """A lexicon file for this alphabet: pronunciations for phonemes, for characters its words as they are
    spelled.

    ConfigError as `read_lexicon`; for a file without a word that can be spelled.
    """
    if not symbols.spelled:
        return read_lexicon(path, symbols)
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"cannot read the lexicon {path}: {problem}") from problem
    return spelled((line.split()[0] for line in lines if line.strip()), symbols)


def spelled(words: Iterable[str], symbols: Symbols) -> Lexicon:
    """A lexicon of the words that can be spelled in an alphabet, hyphens left out."""
    table = readable(symbols)
    entries = []
    for word in words:
        letters = word.lower().replace("-", "")
        if letters and word not in (START, END, UNKNOWN) and all(letter in table for letter in letters):
            entries.append((word.lower(), table.encode(letters)))
    return Lexicon(table, entries)
