"""Which stream, in the words of an XPath predicate: name='EEG' and (type='EEG' or channel_count >= 32).

A small language of its own, parsed before anything listens, so that a mistake is one sentence and never a
search that finds nothing for ever. Knows streams only by what they announce: labels and units come later.

    or  and  not(...)  (...)   FIELD = != < <= > >= 'text' or number   contains(F, 'x')   starts-with(F, 'x')
"""

import re
from collections.abc import Callable
from typing import NoReturn

from rtdecode.errors import ConfigError, closest
from rtdecode.types import StreamInfo

LONGEST, DEEPEST = 1000, 30
FIELDS: dict[str, Callable[[StreamInfo], str | float]] = {
    "name": lambda s: s.name,
    "type": lambda s: s.stype,
    "source_id": lambda s: s.source_id,
    "hostname": lambda s: s.hostname,
    "uid": lambda s: s.uid,
    "channel_format": lambda s: s.dtype,
    "channel_count": lambda s: float(len(s.labels)),
    "nominal_srate": lambda s: s.sfreq,
}
FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "starts-with": lambda text, part: text.startswith(part),
}
_WORD = re.compile(r"""\s*(?:('[^']*'|"[^"]*")|(\d+(?:\.\d*)?)|([A-Za-z_][\w-]*)|(<=|>=|!=|[=<>(),]))""")
Test = Callable[[StreamInfo], bool]


def parse(text: str) -> Test:
    """A test of streams; ConfigError says where the predicate stops making sense."""
    if len(text) > LONGEST:
        raise ConfigError(f"--where is {len(text)} characters long", hint=f"at most {LONGEST}")
    parser = _Parser(text)
    test = parser.either(0)
    if parser.word:
        parser.fail("'and', 'or' or the end")
    return test


class _Parser:
    def __init__(self, text: str):
        self._text, self._at = text, 0
        self.advance()

    def advance(self) -> str:
        """The word at hand, and on to the next; "" at the end."""
        word = getattr(self, "word", "")
        rest = self._text[self._at :]
        found = _WORD.match(rest)
        if not found and rest.strip():
            self.word = rest.strip()[0]
            self.fail("a field, a text in quotes, or a number")
        self.word = found[0].strip() if found else ""
        self._start = self._at + (found.end() - len(self.word) if found else len(rest))
        self._at += found.end() if found else len(rest)
        return word

    def fail(self, expected: str) -> NoReturn:
        where = f"at {self.word!r} (character {self._start + 1})" if self.word else "at its end"
        raise ConfigError(
            f"--where {self._text[:80]!r} does not parse {where}: {expected} expected",
            hint="for example: name='EEG' and type='EEG'",
        )

    _start = 0

    def expect(self, word: str) -> None:
        if self.word != word:
            self.fail(repr(word))
        self.advance()

    def either(self, depth: int) -> Test:
        tests = [self.both(depth)]
        while self.word == "or":
            self.advance()
            tests.append(self.both(depth))
        return lambda s: any(test(s) for test in tests)

    def both(self, depth: int) -> Test:
        tests = [self.one(depth)]
        while self.word == "and":
            self.advance()
            tests.append(self.one(depth))
        return lambda s: all(test(s) for test in tests)

    def one(self, depth: int) -> Test:
        if depth > DEEPEST:
            self.fail(f"at most {DEEPEST} parentheses within each other")
        if self.word == "(":
            self.advance()
            test = self.either(depth + 1)
            self.expect(")")
            return test
        if self.word == "not":
            self.advance()
            self.expect("(")
            inner = self.either(depth + 1)
            self.expect(")")
            return lambda s: not inner(s)
        if self.word in FUNCTIONS:
            return self.function(FUNCTIONS[self.advance()])
        return self.comparison()

    def function(self, holds: Callable[[str, str], bool]) -> Test:
        self.expect("(")
        get = self.field()
        self.expect(",")
        part = self.literal()
        self.expect(")")
        return lambda s: holds(str(get(s)), str(part))

    def field(self) -> Callable[[StreamInfo], str | float]:
        if self.word not in FIELDS:
            near = closest(self.word, FIELDS) if re.match(r"[A-Za-z_]", self.word) else ""
            self.fail(f"a field ({near or ', '.join(FIELDS)})")
        return FIELDS[self.advance()]

    def literal(self) -> str | float:
        if self.word[:1] in ("'", '"') and len(self.word) > 1:
            return self.advance()[1:-1]
        if self.word[:1].isdigit():
            return float(self.advance())
        self.fail("a text in quotes or a number")

    def comparison(self) -> Test:
        get = self.field()
        if self.word not in ("=", "!=", "<", "<=", ">", ">="):
            self.fail("a comparison (= != < <= > >=)")
        sign = self.advance()
        wanted = self.literal()

        def test(s: StreamInfo) -> bool:
            value = get(s)
            if sign in ("=", "!="):
                return (_same(value, wanted)) == (sign == "=")
            a, b = _number(value), _number(wanted)
            return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]

        return test


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        return float("nan")  # compares with nothing


def _same(value: str | float, wanted: str | float) -> bool:
    if isinstance(value, float) or isinstance(wanted, float):
        return _number(value) == _number(wanted)
    return value == wanted
