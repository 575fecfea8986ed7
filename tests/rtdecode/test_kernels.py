"""Which kernels are used, and that an engine decides the same with either; a ranking, and its line.

Why it matters: a lab that has no compiler must see the same decisions, and the same line of each.
"""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode import kernels
from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.live.output import DecisionText, _splice, decision_line
from rtdecode.preprocess import Preprocess, PreprocessSpec
from rtdecode.retrieval.ranking import Ranking
from rtdecode.session.index import Glance, row_of
from rtdecode.types import Chunk, Decision, Hit, Hypothesis, Ranked, Retrieved, SpokenWord, StreamInfo
from tests.bundles import make_bundle
from tests.kernels_here import (
    ROOT,
    candidates,
    compiled,
    compiled_only,
    in_python,
    kernels_used,
    run_python,
    twins,
)

__all__ = ["kernels_used"]


@compiled_only
def test_python_when_asked_for() -> None:
    spec = PreprocessSpec(64.0, 64.0, 0.0, 0.0, 4, (0.0,), (1.0,))
    box, twin = twins(lambda: Preprocess(spec))
    assert box._chain is not None and twin._chain is None
    ranking, twin_ranking = twins(lambda: Ranking(candidates(["a"]), 1.0, 1))
    assert ranking._compiled is not None and twin_ranking._compiled is None
    with in_python():
        assert kernels.kernels() is None and kernels.available()
        assert box.push(np.ones((3, 1))).shape == (3, 1)  # what was made before goes on
    assert kernels.kernels() is not None


@compiled_only
@pytest.mark.parametrize(("said", "expected"), [("python", "True None"), ("", "True <module")])
def test_python_when_the_environment_says_so(said: str, expected: str) -> None:
    code = "from rtdecode import kernels; print(kernels.available(), kernels.kernels())"
    done = run_python(code, RTDECODE_KERNELS=said)
    assert done.returncode == 0 and done.stdout.startswith(expected), done


def decided(bundle: Bundle, data: np.ndarray) -> list[Decision]:
    stream = bundle.spec.stream
    info = StreamInfo("EEG", "EEG", stream.labels, (stream.unit,) * len(stream.labels), stream.sfreq)
    engine = Engine(bundle, stream.bind(info), open_session(bundle), timer=lambda: 0.0)
    decisions = []
    for at in range(0, len(data), 100):
        piece = data[at : at + 100]
        decisions += engine.push(Chunk(piece, (at + np.arange(len(piece))) / stream.sfreq, at))
    return decisions


@compiled_only
@pytest.mark.parametrize("name", ["demo", "tiny"])
def test_an_engine_decides_the_same(name: str, tmp_path: Path) -> None:
    bundle = load_bundle(ROOT / "recordings" / "demo") if name == "demo" else make_bundle(tmp_path / "tiny")
    sfreq, channels = bundle.spec.stream.sfreq, len(bundle.spec.stream.labels)
    noise = np.random.default_rng(0).normal(size=(round(12 * sfreq), channels))
    data = (2000 * np.arange(channels) + 20 * noise).astype(np.float32)
    decisions, expected = twins(lambda: decided(bundle, data))
    assert len(decisions) == len(expected) > 10
    for one, other in zip(decisions, expected, strict=True):
        assert one.retrieved is not None and other.retrieved is not None
        hits, twin_hits = one.retrieved.hits, other.retrieved.hits
        assert [hit.id for hit in hits] == [hit.id for hit in twin_hits]
        for field in ("score", "prob"):
            values, twin_values = ([getattr(hit, field) for hit in each] for each in (hits, twin_hits))
            np.testing.assert_allclose(values, twin_values, rtol=0, atol=1e-5)
        assert (one.index, one.sample, one.t) == (other.index, other.sample, other.t)
        assert (one.text and one.text.committed) == (other.text and other.text.committed)


NASTY = [
    'he said "no"',
    "100 % of it, %s, %d, %%, %(id)s",
    "back\\slash and /",
    "two\nlines\tand a tab\r",
    "naïve 日本語 🧠 \u2028",
    "",
    '", "score": 1, {"rank": 2} ]',
]


def ranked(texts: list[str], scores: list[float], top: int = 10) -> Ranked:
    return Ranking(candidates(texts), 10.0, min(top, len(texts))).ranked(np.array(scores), 3.0)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_a_ranking_in_numbers_is_the_ranking_of_its_hits(count: int) -> None:
    scores = np.random.default_rng(count).normal(size=count).tolist()
    one = ranked(["words"] * count, scores)
    plain = Retrieved(one.hits, count, 3.0)
    assert one == plain and plain == one and not one != plain and not plain != one  # noqa: SIM202
    assert hash(one) == hash(plain) and len({one, plain}) == 1
    assert (one.margin, one.chance, one.window_s) == (plain.margin, plain.chance, plain.window_s)
    assert one == ranked(["words"] * count, scores)
    assert one != ranked(["others"] * count, scores) and one != replace(plain, window_s=2.0)
    assert replace(plain, candidates=count + 1) != one and one != 3
    assert all(isinstance(hit, Hit) and math.isfinite(hit.prob) for hit in one.hits)
    assert copy.copy(one) == one


HYPOTHESIS = Hypothesis(
    'he said "50 %s', "dra%", "said ", (SpokenWord("said", -1.0, -0.5, 0.875, 0.25),), ended="silence"
)
TOOK = {"preprocess": 0.123456789, "infer": 1e-7, "heads": 2.00005, "total": 1234.56785}


def as_logged(decision: Decision, took: dict[str, float], offset: float | None) -> dict[str, Any]:
    return {"kind": "decision", **decision_line(decision, took, offset)}


@given(
    texts=st.lists(st.sampled_from(NASTY) | st.text(max_size=20), min_size=1, max_size=12),
    scores=st.lists(
        st.sampled_from([1e-7, -1e-7, 0.0, -0.0, 1.0, -1.0, 1 / 3]) | st.floats(-1, 1),
        min_size=12,
        max_size=12,
    ),
    offset=st.none() | st.floats(-1e9, 1e9),
    t=st.floats(0, 1e9),
    took=st.dictionaries(st.sampled_from(list(TOOK)), st.floats(0, 1e4)),
    text=st.none() | st.just(HYPOTHESIS),
    warnings=st.lists(st.sampled_from(NASTY), max_size=2).map(tuple),
    python=st.booleans(),
)
def test_a_line_says_what_the_schema_says(
    texts: list[str],
    scores: list[float],
    offset: float | None,
    t: float,
    took: dict[str, float],
    text: Hypothesis | None,
    warnings: tuple[str, ...],
    python: bool,
) -> None:
    encoder = DecisionText()
    with in_python():
        twin = ranked(texts, scores[: len(texts)])
    ranking = twin if python else ranked(texts, scores[: len(texts)])
    decision = Decision(3, 2, 2**40, t, ranking, text, {}, warnings)
    for found in (decision, replace(decision, retrieved=twin, warnings=()), decision):
        line = encoder.encode(found, took, offset)
        assert b"\n" not in line
        assert json.loads(line) == as_logged(found, took, offset)


@compiled_only
@given(
    words=st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\1", b"").replace(b"\2", b""))),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 9), min_size=1),
    pieces=st.lists(st.binary(max_size=20), min_size=1, max_size=256),
    places=st.randoms(use_true_random=False),
)
def test_a_line_is_put_together_alike(
    words: list[bytes], numbers: list[float], pieces: list[bytes], places: Random
) -> None:
    form = b"".join(
        word + bytes([kind, places.randrange(min(256, len((numbers, pieces)[kind - 1])))])
        for word in words
        for kind in [places.choice([1, 2])]
    )
    row = orjson.dumps(numbers)
    assert compiled().splice(form, row, pieces) == _splice(form, row, pieces)


@pytest.mark.parametrize("count", [kernels.MOST, kernels.MOST + 1, 300])
def test_a_line_of_many_hits(count: int) -> None:
    texts = [f"words {k}" for k in range(count)]
    decision = Decision(3, 2, 5, 1.5, ranked(texts, np.linspace(0, 1, count).tolist(), count), None)
    assert json.loads(DecisionText().encode(decision, TOOK, None)) == as_logged(decision, TOOK, None)


@pytest.mark.parametrize("t", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["t", "stage", "offset"])
def test_times_that_are_none_are_written_as_json_writes_them(t: float, where: str) -> None:
    ranking = ranked(NASTY, [0.1] * len(NASTY))
    decision = Decision(3, 2, 5, t if where == "t" else 1.5, ranking, None)
    took, offset = {"total": t if where == "stage" else 1.5}, t if where == "offset" else 0.5
    line = DecisionText().encode(decision, took, offset)
    assert line.decode() == json.dumps(as_logged(decision, took, offset), ensure_ascii=False)


@pytest.mark.parametrize("offset", [None, 0.25])
@pytest.mark.parametrize("text", [None, HYPOTHESIS])
@pytest.mark.parametrize("warnings", [(), tuple(NASTY)])
@pytest.mark.parametrize("count", [1, 2, len(NASTY) - 1])
def test_a_glance_sees_such_a_line(
    count: int, warnings: tuple[str, ...], text: Hypothesis | None, offset: float | None
) -> None:
    ranking = ranked(NASTY[:count], [1e-7 * k for k in range(count)])
    line = (
        DecisionText().encode(Decision(3, 2, 5, 5.25e-7, ranking, text, {}, warnings), TOOK, offset) + b"\n"
    )
    row, read = Glance()(line, 77), row_of(json.loads(line), 77)
    assert row is not None
    assert row._replace(hits=(), stage_ms=None) == read._replace(hits=(), stage_ms=None)
    assert row.hits[:2] == read.hits[:2]
    assert [ident for ident, _ in row.hits] == [ident for ident, _ in read.hits]
    assert (row.chance, row.candidates, row.first) == (1 / count, count, NASTY[count - 1])
