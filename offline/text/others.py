"""Other people's decoders on the same log-probabilities, and a second pass by a language model.

flashlight-text and pyctcdecode stand beside our search where they are installed; a causal language model
orders the search's best sentences anew, within a deadline. Each is a `Reading` like any. Trains nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from offline.text.decode import Reading, Spoken, readable
from rtdecode.errors import ConfigError
from rtdecode.text.beam import BeamSearch
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.rescore import Rescorer, candidates
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import Symbols

NBEST = 50


def read_flashlight(
    said: Sequence[Spoken], symbols: Symbols, spec: SearchSpec, lm: NGram | None, lexicon: Lexicon | None
) -> Reading:
    """MissingExtra without flashlight-text; ConfigError without a lexicon or for such a weight."""
    from offline.text.flashlight import FlashlightSearch

    if lexicon is None:
        raise ConfigError("flashlight-text searches words, and no lexicon is given", hint="give --lexicon")
    began = time.perf_counter()
    search = FlashlightSearch(readable(symbols), lexicon, spec, lm)
    texts = []
    for one in said:
        search.reset()
        if not one.broken:
            search.push(one.log_probs)
        texts.append(search.finish()[0].text)
    return Reading("flashlight-text", None, tuple(texts), time.perf_counter() - began)


def read_pyctc(
    said: Sequence[Spoken], symbols: Symbols, spec: SearchSpec, lm: NGram | None, python: str
) -> Reading:
    """python: an interpreter that has pyctcdecode. ConfigError for phonemes, or weights it cannot follow."""
    from offline.text.pyctc import PyctcDecoder

    began = time.perf_counter()
    # what it cannot be told otherwise: its penalty of a word that may become unknown is that of unknown words
    told = replace(spec, beta=spec.beta if lm is not None else 0.0)
    if lm is not None:
        told = replace(told, unknown_log10=-10.0, partial_unknown_nats=10.0)
    decoder = PyctcDecoder(python, readable(symbols), told, lm)
    found = decoder.nbest([one.log_probs for one in said if not one.broken], 1)
    best = iter([paths[0].text if paths else "" for paths in found])
    texts = tuple("" if one.broken else next(best) for one in said)
    return Reading("pyctcdecode", None, texts, time.perf_counter() - began)


def read_rescored(
    said: Sequence[Spoken],
    symbols: Symbols,
    spec: SearchSpec,
    lm: NGram | None,
    lexicon: Lexicon | None,
    score: Callable[[list[str]], list[float]],
    deadline_s: float,
) -> Reading:
    """The search's best sentences ordered by `score` (ln p of each text); late, the first stands."""
    began = time.perf_counter()
    search = BeamSearch(readable(symbols), spec, lm, lexicon)
    texts, late = [], 0
    with Rescorer(score) as rescorer:
        for one in said:
            search.reset()
            if not one.broken:
                search.push(one.log_probs)
            found = rescorer.rescored(candidates(search.finish(NBEST), spec), deadline_s)
            texts.append(found.best.text)
            late += not found.in_time
            if found.problem:
                raise ConfigError(f"the language model gave no scores: {found.problem}")
    name = "rescored" if not late else f"rescored ({late} late)"
    return Reading(name, None, tuple(texts), time.perf_counter() - began)
