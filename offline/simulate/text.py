"""Sentences to speak: the shipped fables or any plain-text book, normalised, split by their text, recombined.

Knows only text: no sound, no files but the one it reads. First step of the simulated study, before `speech`.

Splits follow from the words alone (sha256 of the sentence), never from position or order: the same sentence
falls into the same split in every study, whatever else the study holds.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np

from rtdecode.errors import StudyError

TEXT_SOURCE = "rtdecode fables (offline/simulate/passage.txt), CC0"
_GUTENBERG = re.compile(r"\*\*\* ?START OF.*?\*\*\*(.*?)\*\*\* ?END OF", re.S)


def normalise(text: str) -> str:
    """Lower-case letters, apostrophes inside words, single spaces: the 28 symbols a text head can write."""
    text = text.lower().replace("\u2019", "'").replace("\u2018", "'")
    text = re.sub(r"[^a-z' ]", " ", text)
    words = (word.strip("'") for word in text.split())
    return " ".join(word for word in words if word)


def sentences(path: str | Path | None = None, min_words: int = 4, max_words: int = 14) -> list[str]:
    """The distinct sentences of a plain-text book in order, normalised; None reads the shipped fables.

    A Project Gutenberg header and footer is dropped, so are lines that begin with '#'. Sentences end at . ! ?
    ; : or an empty line; those shorter than `min_words` or longer than `max_words` are left out. Raises
    StudyError when none remains.
    """
    if path is None:
        text = resources.files("offline.simulate").joinpath("passage.txt").read_text("utf-8")
    else:
        try:
            text = Path(path).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(
                f"cannot read the text {path}: {error}", hint="give a UTF-8 plain-text file"
            ) from error
    body = _GUTENBERG.search(text)
    text = "\n".join(
        line
        for line in (body.group(1) if body else text).splitlines()
        if not line.startswith("#") and "Project Gutenberg" not in line
    )
    found = (normalise(piece) for piece in re.split(r"[.!?;:]|\n\s*\n", text))
    kept = list(dict.fromkeys(s for s in found if min_words <= len(s.split()) <= max_words))
    if not kept:
        raise StudyError(
            f"no sentence of {min_words} to {max_words} words in {path or 'the shipped fables'}",
            hint="give a text with short sentences",
        )
    return kept


def split_of(sentence: str, valid: float = 0.1, test: float = 0.2) -> str:
    """'train', 'valid' or 'test', from the text alone. `valid` and `test` are fractions of all possible
    sentences.
    """
    digest = hashlib.sha256(sentence.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "test" if place < test else "valid" if place < test + valid else "train"


def split_sentences(found: Iterable[str], valid: float = 0.1, test: float = 0.2) -> dict[str, list[str]]:
    """{'train': ..., 'valid': ..., 'test': ...}, in the order given.

    A training sentence that contains a whole held-out one, or a validation sentence that contains a whole
    test one, is left out.
    """
    splits: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for sentence in dict.fromkeys(found):
        splits[split_of(sentence, valid, test)].append(sentence)
    splits["valid"] = [s for s in splits["valid"] if not contains_any(s, set(splits["test"]))]
    held_out = {*splits["valid"], *splits["test"]}
    splits["train"] = [s for s in splits["train"] if not contains_any(s, held_out)]
    return splits


def contains_any(sentence: str, others: set[str]) -> bool:
    """Is one of `others` a run of whole words of `sentence` (or the sentence itself)?"""
    words = sentence.split()
    spans = (" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1))
    return any(span in others for span in spans)


def recombine(
    training: list[str],
    n: int,
    seed: int,
    forbidden: Iterable[str] = (),
    min_words: int = 5,
    max_words: int = 10,
) -> list[str]:
    """`n` new training sentences: random walks over the word pairs of `training`, so every pair of neighbours
    was there.

    None equals a training sentence, and none contains one of `forbidden` (the validation and test sentences).
    Raises StudyError when the training sentences do not allow `n` different ones.
    """
    follow: dict[str, list[str]] = defaultdict(list)
    for sentence in training:
        words = ["", *sentence.split(), ""]
        for left, right in pairwise(words):
            follow[left].append(right)
    rng = np.random.default_rng(seed)
    held_out, seen = set(forbidden), set(training)
    made: list[str] = []
    for _ in range(200 * n):
        if len(made) == n:
            break
        words, word = [], ""
        while len(words) <= max_words:
            word = follow[word][rng.integers(len(follow[word]))]
            if not word:
                break
            words.append(word)
        sentence = " ".join(words)
        if (
            min_words <= len(words) <= max_words
            and sentence not in seen
            and not contains_any(sentence, held_out)
        ):
            seen.add(sentence)
            made.append(sentence)
    if len(made) < n:
        raise StudyError(
            f"only {len(made)} of {n} recombined sentences could be made of {len(training)} others",
            hint="give a longer text or ask for fewer",
        )
    return made
