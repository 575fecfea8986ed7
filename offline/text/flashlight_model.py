"""What the search in C++ is made of: the library where it is installed, its models, a lexicon's paths.

Knows no frames.
"""

import tempfile
from pathlib import Path as File
from typing import Any

from rtdecode.errors import ConfigError, MissingExtra
from rtdecode.text.arpa import read_arpa, write_arpa
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.search import SearchSpec


def library() -> tuple[Any, Any]:
    """(decoder module, Dictionary class); MissingExtra without them."""
    try:
        from flashlight.lib.text import decoder
        from flashlight.lib.text.dictionary import Dictionary
    except ImportError as missing:
        raise MissingExtra("flashlight-text (the beam search in C++)", "flashlight") from missing
    return decoder, Dictionary


def language_model(decoder: Any, dictionary: Any, words: list[str], lm: NGram | str | File | None) -> Any:
    """The library's model that scores `words` by their places; without `lm` one that says nothing.

    ConfigError for a file or a model that KenLM does not read.
    """
    if lm is None:
        return decoder.ZeroLM()
    table = dictionary()
    for word in words:
        table.add_entry(word)
    try:
        from flashlight.lib.text.decoder.kenlm import KenLM
    except ImportError as missing:
        raise MissingExtra("flashlight-text with KenLM", "flashlight") from missing
    if isinstance(lm, str | File) and not str(lm).endswith(".gz"):
        if not File(lm).is_file():
            raise ConfigError(f"cannot read the language model {lm}: there is no such file")
        return _loaded(KenLM, str(lm), table, str(lm))
    model = lm if isinstance(lm, NGram) else read_arpa(lm)
    if model.order < 2:
        raise ConfigError(
            f"KenLM needs a model of order 2 or more, this one has order {model.order}",
            hint="estimate one of order 2, or use the search of this package",
        )
    with tempfile.TemporaryDirectory() as folder:
        file = File(folder) / "lm.arpa"
        write_arpa(model, file)
        return _loaded(KenLM, str(file), table, "given")


def _loaded(kenlm: Any, path: str, table: Any, name: str) -> Any:
    try:
        return kenlm(path, table)
    except Exception as problem:  # what the library throws is a plain RuntimeError
        said = (str(problem).strip().splitlines() or [type(problem).__name__])[-1]
        raise ConfigError(f"KenLM cannot read the language model {name}: {said}") from problem


def refuse(spec: SearchSpec, scored: bool) -> None:
    """ConfigError for a weight that the library does not have."""
    if not scored:
        return
    for name, value, only in (
        ("unknown_log10", spec.unknown_log10, 0.0),
        ("partial_unknown_nats", spec.partial_unknown_nats, 0.0),
        ("boundaries", spec.boundaries, True),
    ):
        if value != only:
            raise ConfigError(
                f"flashlight has no {name}: it is {value}, and there it is {only}",
                hint="set it so, or use the search of this package",
            )


def word_paths(lexicon: Lexicon) -> list[tuple[int, tuple[int, ...]]]:
    """(node, its symbols) of every node where a word ends."""
    width = len(lexicon.symbols)
    symbols = [0] * len(lexicon.parents)
    for arc, node in lexicon.arcs.items():
        symbols[node] = arc % width
    found = []
    for end in lexicon.ends:
        path, node = [], end
        while node:
            path.append(symbols[node])
            node = lexicon.parents[node]
        found.append((end, tuple(reversed(path))))
    return found
