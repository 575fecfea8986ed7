"""Words and how they are spelled or pronounced, as a trie over symbols.

Any number of pronunciations per word and of words per pronunciation. Two file forms are read: "word<TAB or
blank> symbol symbol ...", one pronunciation a line; and CMUdict's, which is the same with stress digits
(AH0), numbered variants (READ(2)) and comments (# ...). Knows no language model and no search.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from rtdecode.errors import ConfigError
from rtdecode.text.symbols import Symbols

_VARIANT = re.compile(r"(?<=.)\(\d+\)$")
_STRESSED = re.compile(r"[A-Z]+[0-2]")


class Lexicon:
    """Immutable after building. Node 0 is the root; nodes are numbered so that a child comes after its
    parent.

    arcs    node * V + symbol -> node (one flat dict: a lookup per step of the search)
    fans    node -> the symbols that go on from it
    ends    node -> indices of the words that end there, all of them
    words   text of each word
    parents (nodes,) the node before
    """

    def __init__(self, symbols: Symbols, entries: Iterable[tuple[str, tuple[int, ...]]]):
        """entries  (word, symbol ids) pairs; ConfigError for a word without symbols, or with the separator
        inside.
        """
        self.symbols = symbols
        self.words: list[str] = []
        self.arcs: dict[int, int] = {}
        self.parents = [0]
        separator = _separator(symbols)
        indices: dict[str, int] = {}
        ends: dict[int, dict[int, None]] = {}
        arcs, parents, width = self.arcs, self.parents, len(symbols)
        for word, ids in entries:
            if not ids or not word or 0 in ids or separator in ids:
                raise ConfigError(
                    f"the word {word!r} has no path: {len(ids)} symbols, {symbols.decode(ids)!r}",
                    hint="one or more symbols of the table, without blank and separator",
                )
            node = 0
            for symbol in ids:
                found = arcs.get(node * width + symbol)
                if found is None:
                    found = arcs[node * width + symbol] = len(parents)
                    parents.append(node)
                node = found
            index = indices.setdefault(word, len(indices))
            ends.setdefault(node, {})[index] = None
        if not ends:
            raise ConfigError("a lexicon needs one word at least, it has 0", hint="give a list of words")
        self.words = list(indices)
        self.fans = _fans(arcs, width, len(parents))
        self.ends = {node: tuple(found) for node, found in ends.items()}

    def __len__(self) -> int:
        return len(self.words)

    def find(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The words said with exactly these symbols."""
        node: int | None = 0
        for symbol in ids:
            node = self.arcs.get((node or 0) * len(self.symbols) + symbol)
            if node is None:
                return ()
        return tuple(self.words[i] for i in self.ends.get(node or 0, ()))


def _fans(arcs: dict[int, int], width: int, nodes: int) -> list[tuple[int, ...]]:
    """Equal ones are one tuple: most nodes have one way on."""
    lists: list[list[int] | None] = [None] * nodes
    for key in arcs:
        node, symbol = divmod(key, width)
        found = lists[node]
        if found is None:
            lists[node] = [symbol]
        else:
            found.append(symbol)
    known: dict[tuple[int, ...], tuple[int, ...]] = {}
    return [known.setdefault(fan, fan) for fan in (tuple(sorted(found or ())) for found in lists)]


def _separator(symbols: Symbols) -> int:
    try:
        return symbols.separator
    except ConfigError:
        return 0


def spelled_lexicon(words: Iterable[str], symbols: Symbols) -> Lexicon:
    """A lexicon of words spelled letter by letter. ConfigError for one with a letter that is not in the
    table.
    """
    return Lexicon(symbols, ((word, symbols.encode(word)) for word in words))


def read_lexicon(path: str | Path, symbols: Symbols) -> Lexicon:
    """The lexicon in a UTF-8 file. ConfigError naming the line: unknown symbol, word without a path, not a
    text file.

    A symbol with a stress digit counts without it where only that is in the table.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as problem:
        raise ConfigError(f"cannot read the lexicon {path}: {problem.strerror or problem}") from problem
    except UnicodeDecodeError as problem:
        raise ConfigError(f"the lexicon {path} is not UTF-8 text: {problem.reason}") from problem
    ids = {name: symbols.index(name) for name in symbols.names[1:]}
    separator = _separator(symbols)
    entries = []
    for number, line in enumerate(lines, 1):
        word, *names = line.split(" #")[0].split() if line.strip() else [""]
        if not word or word.startswith(";;;"):
            continue
        if not names:
            raise ConfigError(
                f"line {number} of {path} has the word {word!r} without a path",
                hint="word, blank, its symbols",
            )
        found = []
        for name in names:
            if name not in ids and _STRESSED.fullmatch(name):
                name = name[:-1]
            if name not in ids:
                raise ConfigError(
                    f"line {number} of {path}: {name!r} in the path of {word!r} is not in the symbol table",
                    hint=f"the table has {' '.join(symbols.names[1:])}",
                )
            found.append(ids[name])
        if found[-1] == separator:  # some tools spell the separator; here every word is followed by it
            del found[-1]
        if not found or separator in found:
            raise ConfigError(
                f"line {number} of {path}: the path {' '.join(names)!r} of {word!r} has the separator inside",
                hint="one word a line",
            )
        entries.append((_VARIANT.sub("", word), tuple(found)))
    if not entries:
        raise ConfigError(
            f"the lexicon {path} has {len(lines)} lines and no word", hint="word, blank, its symbols"
        )
    return Lexicon(symbols, entries)
