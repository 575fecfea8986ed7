"""The symbols a CTC head emits, compared by name.

Two tools that agree on the names may disagree on their order (a decoding graph may want the separator second,
where a network emits it last), and decoding with the wrong order gives fluent nonsense. So a table is never
compared by length or position: it is equal, a permutation, or refused. Knows no network and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rtdecode.errors import ConfigError, closest

BLANK = "<blank>"
SPACE = " "  # separates words of characters
SILENCE = "SIL"  # separates words of phonemes, and ends a sentence


@dataclass(frozen=True)
class Symbols:
    """Names in the order of the network's outputs; the blank is symbol 0. ConfigError for any other table."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.names[:1] != (BLANK,):
            raise ConfigError(
                f"symbol 0 must be {BLANK}, it is {', '.join(map(repr, self.names[:1])) or 'absent'}"
            )
        if len(self._index) != len(self.names):
            double = next(name for i, name in enumerate(self.names) if name in self.names[:i])
            raise ConfigError(
                f"the symbol table names {double!r} twice: "
                f"{len(self.names)} symbols, {len(self._index)} names"
            )
        if "" in self._index:
            raise ConfigError(f"symbol {self._index['']} of {len(self.names)} has no name")

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def spelled(self) -> bool:
        """Are these characters (a text is cut letter by letter)? Names in <> do not count."""
        return all(len(name) == 1 or name[0] + name[-1] == "<>" for name in self.names)

    @cached_property
    def separator(self) -> int:
        """Id of what separates words: " " between characters, "SIL" between phonemes; ConfigError without."""
        return self.index(SPACE if self.spelled else SILENCE)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def index(self, name: str) -> int:
        """Id of a symbol; ConfigError with the closest names."""
        found = self._index.get(name)
        if found is None:
            raise ConfigError(f"there is no symbol {name!r}", hint=closest(name, self.names))
        return found

    def encode(self, text: str | Sequence[str]) -> tuple[int, ...]:
        """Ids of a text: the letters of a string for a table of characters, else its words; or of names.

        Nothing is cleaned or changed in case. ConfigError names the symbol that is not in the table and its
        place, counted from 1; the blank is no symbol of a text.
        """
        parts = text.split() if isinstance(text, str) and not self.spelled else text
        ids = tuple(self._index.get(part, 0) for part in parts)
        if 0 in ids:
            place = ids.index(0)
            hint = next(
                (
                    f"the table has {other!r}"
                    for other in (parts[place].lower(), parts[place].upper())
                    if other in self
                ),
                f"the table has {' '.join(self.names[1:])}",
            )
            said = text if isinstance(text, str) else " ".join(text)
            raise ConfigError(
                f"symbol {place + 1} of {len(ids)}, {parts[place]!r} in {said!r}, is not in the symbol table",
                hint=hint,
            )
        return ids

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of a label sequence; blanks (and zero padding) are left out, repeats stay."""
        return ("" if self.spelled else " ").join(self.names[i] for i in ids if i != 0)

    def check(self, other: "Symbols | Sequence[str]", what: str = "the other table") -> None:
        """ConfigError unless `other` has the same names in the same order; names the first that differs."""
        names = tuple(other.names if isinstance(other, Symbols) else other)
        order = self.permutation(names, what)
        moved = np.flatnonzero(order != np.arange(len(order)))
        if moved.size:
            i = int(moved[0])
            raise ConfigError(
                f"{what} has the same {len(names)} symbols in another order: "
                f"symbol {i} is {names[i]!r} there and {self.names[i]!r} here",
                hint="put the columns in order by name first",
            )

    def permutation(self, other: "Symbols | Sequence[str]", what: str = "the other table") -> np.ndarray:
        """(V,) int64: log_probs[..., permutation] is in the order of `other`, whose blank may be anywhere.

        ConfigError, naming the first symbol that only one of the two has.
        """
        names = tuple(other.names if isinstance(other, Symbols) else other)
        theirs = set(names)
        missing = [name for name in self.names if name not in theirs]
        foreign = [name for name in names if name not in self._index]
        if missing or foreign or len(names) != len(self.names):
            if foreign:
                difference = (
                    f"{what} has {foreign[0]!r} (symbol {names.index(foreign[0])}), which is not here"
                )
                difference += f", and not {missing[0]!r}" if missing else ""
            elif missing:
                difference = (
                    f"{what} does not have {missing[0]!r} (symbol {self.names.index(missing[0])} here)"
                )
            else:
                double = next(name for i, name in enumerate(names) if name in names[:i])
                difference = f"{what} names {double!r} twice"
            raise ConfigError(
                f"the symbol tables differ: {difference}; {len(names)} symbols there, {len(self)} here"
            )
        return np.array([self._index[name] for name in names], np.int64)


_ARPABET = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
)

CHARACTERS = Symbols((BLANK, SPACE, "'", *"abcdefghijklmnopqrstuvwxyz"))
"""29 symbols of lower-case English."""

W2V_CHARACTERS = Symbols((BLANK, "<s>", "</s>", "<unk>", SPACE, *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"))
"""32 symbols in the order of the English Wav2Vec2 heads, which call the blank <pad> and the space |."""

PHONEMES = Symbols((BLANK, *_ARPABET.split(), SILENCE))
"""41 symbols: the blank, 39 ARPAbet phonemes without stress in alphabetical order, silence."""
