"""What a text head is searched with: the words of the training sentences, and how they follow each other.

A lexicon and a bigram model, written into a bundle. Words that never stood in a training sentence cannot be
read then; that is said in the bundle's note and counted in its scores. Knows nothing of networks.
"""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.text.arpa import write_arpa
from rtdecode.text.estimate import estimate
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import Symbols
from rtdecode.transcribe import TextSpec

LM, LEXICON = "lm.arpa", "lexicon.txt"
SEARCH = SearchSpec(beam=25, alpha=0.5, prune_nats=30.0)
ORDER = 2


def searched(folder: Path, symbols: tuple[str, ...], sentences: Sequence[str]) -> TextSpec:
    """Writes the bundle's two files from `sentences` of training -> the spec that names them.

    ConfigError for a sentence with a symbol that is not in the alphabet.
    """
    table = Symbols(symbols)
    words = sorted({word for sentence in sentences for word in sentence.split()})
    for word in words:
        table.encode(word)
    write_arpa(estimate(sentences, ORDER), folder / LM)
    lines = [f"{word}\t{' '.join(word)}" for word in words]
    (folder / LEXICON).write_text("\n".join(lines) + "\n", "utf-8")
    return TextSpec(symbols, search=SEARCH, lm=LM, lexicon=LEXICON)
