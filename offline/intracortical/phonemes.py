"""Sentences as phonemes, by a pronunciation dictionary in the format of CMUdict that the user gives.

`word PH PH …` a line, blanks between, stress digits allowed, further pronunciations as `word(2)`; lines that
begin with ';;;' and what follows ' #' are comments. The first pronunciation of a word counts. A hyphenated
word that is not listed is its parts, a possessive that is not listed is its word with S, Z or IH Z.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from offline.intracortical.trials import plain_text
from rtdecode.errors import StudyError
from rtdecode.text.symbols import PHONEMES

SILENCE = "SIL"
ARPABET = tuple(name for name in PHONEMES.names if name not in ("<blank>", SILENCE))
_KNOWN = frozenset(ARPABET)
_SHOWN = 12

Dictionary = Mapping[str, tuple[str, ...]]


def read_dictionary(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Pronunciations by lower-case word. Raises StudyError naming the line of a word without a pronunciation
    or of a phoneme that is none of the 39.
    """
    found: dict[str, tuple[str, ...]] = {}
    try:
        text = Path(path).read_text("utf-8", errors="replace")
    except OSError as error:
        raise StudyError(f"cannot read the dictionary {path}: {error.strerror}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split(" #", 1)[0].split()
        if not fields or line.startswith(";;;"):
            continue
        word, sounds = fields[0].lower(), tuple(sound.rstrip("012") for sound in fields[1:])
        strange = [sound for sound in sounds if sound not in _KNOWN]
        if strange or not sounds:
            what = f"the phoneme {strange[0]!r}" if strange else "no pronunciation"
            raise StudyError(
                f"{path}, line {number}: {fields[0]!r} has {what}",
                hint=f"a word, then some of the 39 phonemes {' '.join(ARPABET[:3])} … {ARPABET[-1]}",
            )
        if not word.endswith(")"):
            found.setdefault(word, sounds)
    if not found:
        raise StudyError(f"{path} lists no words", hint="it should be a dictionary such as cmudict.dict")
    return found


def pronounce(word: str, dictionary: Dictionary) -> tuple[str, ...] | None:
    """Phonemes of a plain word; None when neither it nor its parts are listed."""
    if word in dictionary:
        return dictionary[word]
    if "-" in word:
        parts = [pronounce(part, dictionary) for part in word.split("-") if part]
        return None if None in parts else tuple(sound for part in parts for sound in part or ())
    if word.endswith("'s") and (stem := pronounce(word[:-2], dictionary)):
        return (*stem, *_sibilant(stem[-1]))
    if word.endswith("s'"):
        return pronounce(word[:-1], dictionary)
    return None


def _sibilant(last: str) -> tuple[str, ...]:
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ("IH", "Z")
    return ("S",) if last in ("P", "T", "K", "F", "TH") else ("Z",)


def phonemes_of(text: str, dictionary: Dictionary) -> tuple[str, ...]:
    """Phonemes of a sentence, SIL after every word. Raises StudyError naming the words that are not listed.

    >>> phonemes_of("The ox's cart", {"the": ("DH", "AH"), "ox": ("AA", "K", "S"), "cart": ("K", "AA", "R")})
    ('DH', 'AH', 'SIL', 'AA', 'K', 'S', 'IH', 'Z', 'SIL', 'K', 'AA', 'R', 'SIL')
    """
    sounds: list[str] = []
    for word in plain_text(text).split():
        found = pronounce(word, dictionary)
        if found is None:
            raise StudyError(f"the dictionary has no {word!r}")
        sounds += [*found, SILENCE]
    return tuple(sounds)


def unlisted(texts: Iterable[str], dictionary: Dictionary) -> Counter[str]:
    """Words without a pronunciation, and how often each occurs."""
    words = Counter(word for text in texts for word in plain_text(text).split())
    return Counter({word: n for word, n in words.items() if pronounce(word, dictionary) is None})


def refuse(missing: Counter[str], path: str | Path) -> StudyError:
    """The one error for all words that a dictionary does not list."""
    words = sorted(missing)
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return StudyError(
        f"{path} has no pronunciation of {len(words)} words of the study: {', '.join(words[:_SHOWN])}{more}",
        hint="add them to the dictionary, or leave their trials out with --unknown-words drop",
    )
