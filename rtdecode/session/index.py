"""A glance at a line of a session log: what a timeline needs of a decision, without reading the rest of it.

A decision is some 2500 characters, most of which say again what its candidates are; an hour has 36 000. Read
as JSON they take seconds, looked at where the decoder writes what is wanted a fraction of that. A line not in
the decoder's own form is left to JSON. A glance does not prove a line whole: whoever shows more of it reads
it (SessionLog.line) and says so if it cannot be read. Knows no files.
"""

import gc
import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One decision, values as logged. at: where its line begins, in bytes;  number: its index in its run.

    hits      (id, prob), best first; a glance reads the first two probabilities, the others are NaN
    first     the text of the best;  chance and candidates are 0 without a ranking, texts empty without text
    stage_ms  None where a glance left it out
    """

    at: int
    number: int
    run: int
    sample: int
    t: float
    t_local: Any
    chance: float
    candidates: int
    hits: tuple[tuple[str, float], ...]
    first: str
    delta: str
    tentative: str
    words: Any
    ended: Any
    corrected: Any
    stage_ms: Any
    warnings: Any


_N = rb"(-?\d{1,18}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?)"
_I = rb"(-?\d{1,18})"
_S = rb'("(?:[^"\\\x00-\x1f]++|\\.)*+")'
_START = b'{"kind": "decision", '
_HEAD = re.compile(
    rb'\{"kind": "decision", "schema": ' + _I + rb', "index": ' + _I + rb', "run": ' + _I + rb', "sample": '
    + _I + rb', "t": ' + _N + rb'(?:, "t_local": ' + _N + rb')?, "retrieved": (?:null|\{"chance": ' + _N
    + rb', "candidates": ' + _I + rb', "window_s": ' + _N + rb', "margin": ' + _N + rb', "hits": \[)'
)  # fmt: skip
_HIT = re.compile(
    rb'(?:, )?\{"rank": \d+, "id": ' + _S + rb', "text": ' + _S + rb', "source": ' + _S + rb', "start": ' + _N
    + rb', "score": ' + _N + rb', "prob": ' + _N + rb"\}"
)  # fmt: skip
_ID = re.compile(rb'\{"rank": \d+, "id": "([^"\\]*)"')
_TAIL = re.compile(
    rb', "delta": ' + _S + rb', "tentative": ' + _S + rb', "words": (\[[^\[\]]*\]), "ended": ' + _S
    + rb', "corrected": \[\], "pace": (?:null|\{[^{}]*\})\}, "stage_ms": \{[^{}]*\}, "warnings": \[\]\}\n'
)  # fmt: skip
_NO_TEXT = re.compile(rb', "text": null, "stage_ms": \{[^{}]*\}, "warnings": \[\]\}\n')
_HITS_END, _TEXT, _DELTA = b']}, "text": ', b', "text": ', b', "delta": '


class _Later(dict[bytes, tuple[str, float]]):
    """Candidates after the second: the same few again and again."""

    def __missing__(self, ident: bytes) -> tuple[str, float]:
        found = self[ident] = (ident.decode(), math.nan)
        return found


class Glance:
    """Looks at lines, one after the other."""

    def __init__(self) -> None:
        self._later = _Later()

    def __call__(self, line: bytes, at: int = 0) -> Row | None:
        """The row of a decision in its usual form; None for any other line, which may be a decision too."""
        if not line.startswith(_START) or not line.endswith(b"}\n"):
            return None
        head = _HEAD.match(line)
        if head is None:
            return None
        try:
            _, index, run, sample, t, local, chance, candidates, _, _ = head.groups()
            start = head.end()
            hits: tuple[tuple[str, float], ...] = ()
            first = ""
            if chance is not None:
                hits, first, stop = self._hits(line, start)
                start = stop + 2
            return Row(
                at, int(index), int(run), int(sample), float(t), None if local is None else float(local),
                float(chance or 0), int(candidates or 0), hits, first, *_tail(line, start),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, RecursionError):  # not as usual: JSON decides
            return None

    def _hits(self, line: bytes, start: int) -> tuple[tuple[tuple[str, float], ...], str, int]:
        """Hits, the first one's text, and where the ranking ends."""
        # no key is found inside a string: its quotes would have backslashes before them
        stop = line.find(_HITS_END, start)
        if stop == start:
            return (), "", stop
        best = _HIT.match(line, start)
        if best is None or stop < 0:
            raise ValueError("hits of another form")
        ident, text, _, _, _, prob = best.groups()
        first, end = (_said(ident), float(prob)), best.end()
        if end == stop:
            return (first,), _said(text), stop
        second = _HIT.match(line, end)
        if second is None:
            raise ValueError("hits of another form")
        later = [self._later[other] for other in _ID.findall(line, second.end(), stop)]
        if line.count(b"}, {", second.end() - 1, stop) != len(later):
            raise ValueError("hits of another form")
        return (first, (_said(second[1]), float(second[6])), *later), _said(text), stop


def _said(quoted: bytes) -> str:
    return json.loads(quoted) if b"\\" in quoted else quoted[1:-1].decode()


def _tail(line: bytes, start: int) -> tuple[Any, ...]:
    """delta, tentative, words, ended, corrected, stage_ms, warnings; of most lines without reading it all."""
    if not line.startswith(_TEXT, start):
        raise ValueError("no text")
    if _NO_TEXT.fullmatch(line, start):
        return ("", "", (), "", (), None, ())
    delta = line.find(_DELTA, start)
    if delta > 0 and (usual := _TAIL.fullmatch(line, delta)) is not None:
        words = usual[3]
        found = () if words == b"[]" else json.loads(words)
        return (_said(usual[1]), _said(usual[2]), found, _said(usual[4]), (), None, ())
    value = json.loads(b"{" + line[start + 2 : -1])
    text = value["text"]
    if text is not None and not all(isinstance(text[key], str) for key in ("delta", "tentative")):
        raise ValueError("text of another form")
    return _texts(value)


def row_of(line: dict[str, Any], at: int = 0) -> Row:
    """The same of a decision that JSON has read and the reader has believed, with every probability."""
    ranking = line.get("retrieved") or {}
    hits = tuple((hit["id"], float(hit["prob"])) for hit in ranking.get("hits", ()))
    first = ranking["hits"][0]["text"] if hits else ""
    return Row(
        at, line["index"], line["run"], line["sample"], line["t"], line.get("t_local"),
        float(ranking.get("chance", 0)), int(ranking.get("candidates", 0)), hits, first, *_texts(line),
    )  # fmt: skip


def _texts(line: dict[str, Any]) -> tuple[Any, ...]:
    text = line.get("text") or {}
    return (
        text.get("delta", ""), text.get("tentative", ""), text.get("words") or (), text.get("ended", ""),
        text.get("corrected") or (), line.get("stage_ms"), line.get("warnings") or (),
    )  # fmt: skip


@contextmanager
def without_collection() -> Iterator[None]:
    """For making very many small objects: none of them is in a cycle, and to look for cycles among them
    again and again takes longer than to make them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
