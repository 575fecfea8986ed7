"""Letters to sounds by rule, for simulated speech when nobody gives a pronunciation dictionary.

A few dozen rules of English spelling: plausible, deterministic, and wrong for many words; no matter where
brain and dictionary are made of the same rules. Never used for real data. Knows only words.
"""

_LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW"}
_SHORT = {"a": "AE", "e": "EH", "i": "IH", "o": "AA", "u": "AH", "y": "IY"}
_VOICED_TH = frozenset(
    ("the", "this", "that", "they", "them", "then", "there", "their", "those", "these", "than", "though")
)
_RULES = {
    "tion": "SH AH N", "sion": "ZH AH N", "igh": "AY", "tch": "CH", "dge": "JH", "ook": "UH K",
    "ould": "UH D", "ull": "UH L", "ai": "EY", "ay": "EY", "ee": "IY", "ea": "IY", "oo": "UW", "ou": "AW",
    "ow": "AW", "oa": "OW", "oi": "OY", "oy": "OY", "au": "AO", "aw": "AO", "er": "ER", "ir": "ER",
    "ur": "ER", "ar": "AA R", "or": "AO R", "sh": "SH", "ch": "CH", "ph": "F", "wh": "W", "ck": "K",
    "ng": "NG", "qu": "K W", "th": "TH", "x": "K S", "j": "JH", "c": "K", "h": "HH",
}  # fmt: skip
_CONSONANTS = frozenset("bcdfghjklmnpqrstvwxz")


def spoken(word: str) -> tuple[str, ...]:
    """ARPAbet without stress for a lower-case word, by rule; at least one sound.

    >>> spoken("shape"), spoken("running")
    (('SH', 'EY', 'P'), ('R', 'AH', 'N', 'IH', 'NG'))
    """
    letters = "".join(letter for letter in word.lower() if letter.isascii() and letter.isalpha())
    sounds: list[str] = []
    at = 0
    while at < len(letters):
        taken, made = _next(letters, at, word)
        sounds += made
        at += taken
    return tuple(sounds) or ("AH",)


def _next(letters: str, at: int, word: str) -> tuple[int, list[str]]:
    """How many letters are spoken next, and as what."""
    letter, rest = letters[at], letters[at:]
    if at == 0 and rest[:2] in ("kn", "wr"):
        return 2, ["N" if letter == "k" else "R"]
    if rest.startswith("th") and word in _VOICED_TH:
        return 2, ["DH"]
    if rest == "e" and letters[at - 1] in _CONSONANTS and any(v in letters[:at] for v in "aeiouy"):
        return 1, []  # silent
    if letter in _LONG and len(rest) == 3 and rest[2] == "e" and rest[1] in _CONSONANTS - {"r"}:
        return 1, [_LONG[letter]]
    if letter == "c" and rest[1:2] in tuple("eiy"):
        return 1, ["S"]
    for size in (4, 3, 2, 1):
        if rest[:size] in _RULES and len(rest) >= size:
            return size, _RULES[rest[:size]].split()
    if letter == "y" and at == 0:
        return 1, ["Y"]
    if letter in _SHORT:
        return 1, [_SHORT[letter]]
    return (2 if rest[1:2] == letter else 1), [letter.upper()]
