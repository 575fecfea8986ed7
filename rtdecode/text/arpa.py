"""ARPA files, the text form of a back-off n-gram model: checked when read, written whole or not at all.

A file that is cut off, edited by hand or written by a tool with other habits still scores, only wrongly. So
the counts must hold, every n-gram must follow one that exists and has a back-off weight, and every number
must be one. Base-10 logarithms throughout. Files named *.gz are compressed. Knows no search and no corpus.
"""

import gzip
import os
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

from rtdecode.errors import ConfigError
from rtdecode.text.ngram import END, START, UNKNOWN, NGram, State

_MEND = "write the file again with the tool that made it"


def read_arpa(path: str | Path) -> NGram:
    """The model in a file, compressed or not. Its order is that of the longest n-grams in the header.

    ConfigError for a file that is not whole or not sound: the line, and the two values that disagree.
    """
    path = Path(path)
    return _Reader(path, _lines(path)).read()


def write_arpa(model: NGram, path: str | Path) -> None:
    """Write a model; the file appears only when complete. ConfigError for a word with white space in it."""
    path = Path(path)
    for word in model.words:
        if len(word.encode().split()) != 1 or word.encode().split()[0] != word.encode():
            raise ConfigError(f"the word {word!r} has white space in it, an ARPA file separates words by it")
    sections: list[list[str]] = [[] for _ in range(model.order)]
    for ngram, score, backoff in model.ngrams():
        said = f"{score:.8g}\t{' '.join(model.words[i] for i in ngram)}"
        sections[len(ngram) - 1].append(said if backoff is None else f"{said}\t{backoff:.8g}")
    parts = ["\\data\\", *(f"ngram {n}={len(lines)}" for n, lines in enumerate(sections, 1))]
    for n, lines in enumerate(sections, 1):
        parts += ["", f"\\{n}-grams:", *lines]
    data = "\n".join([*parts, "", "\\end\\", ""]).encode()
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        os.replace(partial, path)
    except OSError as problem:
        raise ConfigError(f"cannot write {path}: {problem.strerror}") from problem
    finally:
        partial.unlink(missing_ok=True)


def _lines(path: Path) -> list[bytes]:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except OSError as problem:
        raise ConfigError(
            f"cannot read the language model {path}: {problem.strerror or problem}"
        ) from problem
    except (EOFError, zlib.error) as problem:
        raise ConfigError(f"{path} is compressed and damaged: {problem}", hint="copy it again") from problem
    return data.split(b"\n")


class _Reader:
    """One reading: `at` is the place of the line under the eye, from 0; people count from 1."""

    def __init__(self, path: Path, lines: list[bytes]):
        self.path, self.lines, self.at = path, lines, 0
        self.ids: dict[bytes, int] = {}
        self.scores: dict[State, float] = {}
        self.backoffs: dict[State, float] = {}

    def fail(self, what: str, at: int | None = None, hint: str = _MEND) -> ConfigError:
        return ConfigError(f"{self.path} line {(self.at if at is None else at) + 1}: {what}", hint=hint)

    def read(self) -> NGram:
        counts = self.header()
        for n, (stated, said_at) in enumerate(counts, 1):
            self.expect(f"\\{n}-grams:")
            begun_at, before = self.at, len(self.scores)
            self.section(n, len(counts))
            if (found := len(self.scores) - before) != stated:
                raise self.fail(
                    f"'ngram {n}={stated}' does not hold, "
                    f"the \\{n}-grams: section of line {begun_at} has {found}",
                    said_at,
                )
            if n == 1:
                words = self.vocabulary(begun_at)
        self.expect("\\end\\")
        return NGram(words, self.scores, self.backoffs, len(counts))

    def header(self) -> list[tuple[int, int]]:
        """(count, its line) of each order."""
        while self.at < len(self.lines) and self.lines[self.at].strip() != b"\\data\\":
            self.at += 1  # whatever a tool wrote above
        self.expect(
            "\\data\\", hint="an ARPA file is text and begins with \\data\\; a binary model cannot be read"
        )
        counts: list[tuple[int, int]] = []
        while self.at < len(self.lines) and not (line := self.lines[self.at].strip()).startswith(b"\\"):
            if line:
                name, _, value = line.partition(b"=")
                expected = f"ngram {len(counts) + 1}="
                told = value.strip().isdigit() and len(value) < 19
                if name.split() != [b"ngram", b"%d" % (len(counts) + 1)] or not told:
                    raise self.fail(f"{_text(line)!r} stands where '{expected}COUNT' belongs")
                counts.append((int(value), self.at))
            self.at += 1
        if not counts:
            raise self.fail("the header has 0 counts, at least 'ngram 1=COUNT' belongs there")
        return counts

    def expect(self, mark: str, hint: str = _MEND) -> None:
        """Go past this line, and past blank lines before it."""
        while self.at < len(self.lines) and not self.lines[self.at].strip():
            self.at += 1
        if self.at == len(self.lines):
            raise self.fail(f"the file ends where {mark} belongs", len(self.lines) - 1, hint)
        if self.lines[self.at].strip() != mark.encode():
            raise self.fail(f"'{_text(self.lines[self.at].strip())}' stands where {mark} belongs", hint=hint)
        self.at += 1

    def section(self, n: int, order: int) -> None:
        """Read n-grams up to the next line that starts with a backslash; this loop is what reading takes."""
        scores, backoffs, lines = self.scores, self.backoffs, self.lines
        new = count()
        known: Callable[[bytes], int] = self.ids.__getitem__
        if n == 1:  # every word is new: its id is its place
            known = lambda word: self.ids.setdefault(word, next(new))  # noqa: E731
        for place in range(self.at, len(lines) + 1):
            self.at = place
            if place == len(lines) or (line := lines[place]).startswith(b"\\"):
                return
            fields = line.split()
            if not fields:
                continue
            try:
                ngram = tuple(map(known, fields[1 : n + 1]))
                score = float(fields[0])
                backoff = float(fields[n + 1]) if len(fields) == n + 2 else None
            except (KeyError, ValueError):
                raise self.bad_field(n, fields) from None
            if not n < len(fields) < n + 3:
                raise self.fail(f"a {n}-gram line has {n + 1} or {n + 2} fields, here are {len(fields)}")
            if not -1e30 < score <= 0.0:
                raise self.fail(
                    f"{self.name(n, fields)} has log10 probability {score:g}, one from -99 to 0 belongs there"
                )
            if ngram in scores:
                raise self.fail(
                    f"{self.name(n, fields)} is there a second time, with {score:g} after {scores[ngram]:g}"
                )
            scores[ngram] = score
            if n > 1 and ngram[:-1] not in backoffs:
                raise self.bad_prefix(n, fields, ngram[:-1] in scores)
            if backoff is not None:
                if not -1e30 < backoff < 1e30 or (n == order and backoff):
                    belongs = "a finite number" if n < order else "0 or none (nothing follows these n-grams)"
                    raise self.fail(
                        f"{self.name(n, fields)} has log10 back-off weight {backoff:g}, "
                        f"{belongs} belongs there"
                    )
                backoffs[ngram] = backoff

    def name(self, n: int, fields: list[bytes]) -> str:
        return f"the {n}-gram {_text(b' '.join(fields[1 : n + 1]))!r}"

    def bad_field(self, n: int, fields: list[bytes]) -> ConfigError:
        for word in fields[1 : n + 1]:
            if word not in self.ids and n > 1:
                return self.fail(
                    f"{self.name(n, fields)} uses {_text(word)!r}, "
                    f"which is none of the {len(self.ids)} 1-grams"
                )
        for place in (0, n + 1):
            try:
                float(fields[place])
            except ValueError:
                return self.fail(
                    f"{_text(fields[place])!r} stands where a number belongs, beside {self.name(n, fields)}"
                )
        raise AssertionError("no field of the line is bad")

    def bad_prefix(self, n: int, fields: list[bytes], there: bool) -> ConfigError:
        prefix = _text(b" ".join(fields[1:n]))
        lacks = "which has no back-off weight" if there else f"which is none of the {n - 1}-grams"
        return self.fail(f"{self.name(n, fields)} follows {prefix!r}, {lacks}")

    def vocabulary(self, begun_at: int) -> list[str]:
        words = []
        for word in self.ids:
            try:
                words.append(word.decode())
            except UnicodeDecodeError:
                at = next(i for i in range(begun_at, len(self.lines)) if word in self.lines[i].split())
                raise self.fail(f"the word {_text(word)!r} is not UTF-8, an ARPA file must be", at) from None
        for mark in (START, END):
            if mark not in words:
                raise self.fail(
                    f"{mark} is none of the {len(words)} 1-grams, a sentence needs it", begun_at - 1
                )
        if UNKNOWN not in words and UNKNOWN.upper() in words:
            words[words.index(UNKNOWN.upper())] = UNKNOWN
        return words


def _text(line: bytes) -> str:
    text = line.decode(errors="replace")
    return text if len(text) <= 60 else text[:57] + "..."
