"""The beam search equals the sum over all alignments, another decoder on real log-probabilities, and itself
in pieces.
"""

import itertools
import json
import math
import tracemalloc
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.errors import ConfigError
from rtdecode.text.arpa import read_arpa
from rtdecode.text.beam import BeamSearch, SearchSpec
from rtdecode.text.estimate import estimate
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import LN10, NGram
from rtdecode.text.symbols import CHARACTERS, PHONEMES, Symbols

EXACT = SearchSpec(beam=10**6, prune_nats=300.0, token_nats=1e9)
ORACLE = json.loads((Path(__file__).parent / "data" / "pyctc_oracle.json").read_text())
SMALL = Symbols(("<blank>", " ", "a", "b"))


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64) - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def noise(seed: int, frames: int, symbols: int, spread: float = 2.0) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).standard_normal((frames, symbols)) * spread)


def labellings(lp: np.ndarray) -> dict[tuple[int, ...], float]:
    """Probability of each label sequence: the sum over every alignment."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    rows = lp.tolist()
    for path in itertools.product(range(lp.shape[1]), repeat=len(lp)):
        labels = tuple(s for s, before in zip(path, (0, *path), strict=False) if s not in (0, before))
        found[labels] += math.exp(sum(row[s] for row, s in zip(rows, path, strict=True)))
    return found


def grouped(lp: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for labels, p in labellings(lp).items():
        found[" ".join("".join(names[s] for s in labels).split())] += p
    return found


@pytest.mark.parametrize("seed", range(240))
def test_equals_the_sum_over_all_alignments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames, width = int(rng.integers(1, 6)), int(rng.integers(2, 5))
    names = ("<blank>", *((" ", "a", "b") if seed % 2 else ("a", "b", "c"))[: width - 1])
    lp = noise(seed, frames, width, float(rng.choice([0.5, 2, 4])))
    search = BeamSearch(Symbols(names), EXACT)
    search.push(lp)
    found = {path.text: math.exp(path.score) for path in search.finish(10**6)}
    expected = grouped(lp, names)
    assert found == pytest.approx(dict(expected), rel=1e-9, abs=1e-15)
    assert search.finish(1)[0].text == max(expected, key=lambda text: expected[text])


@pytest.mark.parametrize("seed", range(20))
def test_a_language_model_weighs_every_word_and_the_end(seed: int) -> None:
    lm, lp = estimate(["a b", "ab a", "a", "b b"], 2), noise(seed, 5, 4)
    spec = SearchSpec(beam=10**6, prune_nats=300, token_nats=1e9, alpha=0.7, beta=0.3, unknown_log10=-1.0)
    search = BeamSearch(SMALL, spec, lm)
    search.push(lp)
    acoustics = grouped(lp, SMALL.names)
    paths = search.finish(10**6)
    assert {path.text for path in paths} == set(acoustics)
    for path in paths:
        words = path.text.split()
        log10 = lm.sentence(words) - sum(word not in lm for word in words)
        expected = math.log(acoustics[path.text]) + 0.7 * LN10 * log10 + 0.3 * len(words)
        assert (path.score, path.log10) == pytest.approx((expected, log10), abs=1e-9)


SAID = Symbols(("<blank>", "R", "EH", "SIL"))
READ = Lexicon(SAID, [("red", (1, 2)), ("read", (1, 2)), ("err", (2, 1)), ("red", (2, 1)), ("read", (1, 1))])


@pytest.mark.parametrize("look_ahead", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_lexicon_sums_pronunciations_and_keeps_homophones(seed: int, look_ahead: bool) -> None:
    lm, lp = estimate(["red read", "err", "read err"], 2), noise(seed, 6, 4)
    spec = SearchSpec(beam=10**6, prune_nats=300, token_nats=1e9, alpha=0.5, look_ahead=look_ahead)
    search = BeamSearch(SAID, spec, lm, READ)
    search.push(lp)
    expected: dict[str, float] = defaultdict(float)
    for labels, p in labellings(lp).items():
        parts = [tuple(g) for separator, g in itertools.groupby(labels, lambda s: s == 3) if not separator]
        for words in itertools.product(*map(READ.find, parts)):
            expected[" ".join(words)] += p
    found = {path.text: path.score for path in search.finish(10**6)}
    assert set(found) == set(expected)
    for text, p in expected.items():
        assert found[text] == pytest.approx(math.log(p) + 0.5 * LN10 * lm.sentence(text.split()), abs=1e-9)


def libri(data_dir: Path) -> np.ndarray:
    """(371, 29) logits of one LibriSpeech utterance, in the order of CHARACTERS."""
    names = (" ", *"abcdefghijklmnopqrstuvwxyz", "'", "<blank>")
    logits = np.array(json.loads((data_dir / "text-and-lm" / "libri_logits.json").read_text()), np.float32)
    return logits[:, [names.index(name) for name in CHARACTERS.names]]


@pytest.fixture(scope="module")
def models(data_dir: Path) -> dict[str, NGram | None]:
    names = {case["model"] for case in ORACLE["cases"]} - {""}
    return {"": None} | {name: read_arpa(data_dir / "text-and-lm" / name) for name in names}


def as_pyctcdecode(case: dict, lm: NGram | None, lp: np.ndarray):
    """The other decoder's defaults, said as ours."""
    spec = SearchSpec(
        beam=case["beam"],
        alpha=case.get("alpha", 0.5),
        beta=case.get("beta", 1.5) if lm else 0.0,
        prune_nats=10.0,
        token_nats=1e9,
        token_floor=-5.0,
        unknown_log10=-10.0,
        partial_unknown_nats=10.0,
    )
    search = BeamSearch(CHARACTERS, spec, lm)
    search.push(lp)
    return search.finish(1)[0]


@pytest.mark.parametrize("case", ORACLE["cases"], ids=lambda c: f"{c['model']}-{c['alpha']}-{c['beam']}")
def test_equals_pyctcdecode_on_real_log_probabilities(case: dict, data_dir: Path, models: dict) -> None:
    best = as_pyctcdecode(case, models[case["model"]], log_softmax(libri(data_dir)))
    assert best.text == case["text"]
    assert best.score == pytest.approx(case["total"], abs=1e-4)


def test_equals_pyctcdecode_under_noise(data_dir: Path, models: dict) -> None:
    order = [[" ", *"abcdefghijklmnopqrstuvwxyz", "'", "<blank>"].index(name) for name in CHARACTERS.names]
    differences = []
    for case in ORACLE["noisy"]:
        rng = np.random.RandomState(case["seed"])  # the same for every numpy
        more = (2 * rng.standard_normal((371, 29))).astype(np.float32)[:, order]
        best = as_pyctcdecode(case, models[case["model"]], log_softmax(libri(data_dir) + more))
        assert best.text == case["text"]
        differences.append(abs(best.score - case["total"]))
    assert sorted(differences)[-2] < 1e-4 and max(differences) < 1  # one lost mass under the other's pruning


SPOKEN = {"a": "AH", "be": "B IY", "bee": "B IY", "bat": "B AE T", "at": "AE T"}
LEXICON = Lexicon(PHONEMES, ((word, PHONEMES.encode(said)) for word, said in SPOKEN.items()))


def searches() -> list[BeamSearch]:
    lm = estimate(["a bat", "be at a bee", "a a bat"], 3)
    letters = estimate(["a cab", "bad cab", "ab"], 2)
    return [
        BeamSearch(CHARACTERS, SearchSpec(beam=8)),
        BeamSearch(CHARACTERS, SearchSpec(beam=8, partial_unknown_nats=3, unknown_log10=-3), letters),
        BeamSearch(PHONEMES, SearchSpec(beam=8), lm, LEXICON),
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2), st.integers(0, 99), st.lists(st.sampled_from([0, 1, 1, 2, 7, 30]), max_size=14))
def test_pieces_equal_the_whole_bit_for_bit(kind: int, seed: int, sizes: list[int]) -> None:
    pieces, whole = searches()[kind], searches()[kind]
    lp = noise(seed, sum(sizes), len(pieces.symbols), 4).astype(np.float32)
    lp[::3, 0] += 20  # some frames that are blank for certain
    start = 0
    for size in sizes:
        pieces.push(lp[start : start + size])
        start += size
    whole.push(lp)
    assert pieces.beams() == whole.beams()
    assert pieces.finish() == whole.finish()


@pytest.mark.parametrize("kind", range(3))
def test_the_heaviest_beam_comes_first_after_every_frame(kind: int) -> None:
    search = searches()[kind]

    def check() -> None:
        shares = [path.share for path in search.beams()]
        assert shares == pytest.approx(sorted(shares, reverse=True), rel=1e-9)
        assert sum(shares) == pytest.approx(1.0) and search.best() == search.beams()[0]

    for seed in range(4):
        lp = noise(seed, 60, len(search.symbols), 3)
        lp[::2, search.symbols.separator] += 6
        search.push(lp, check)


def test_wide_beams_approach_the_exact_answer() -> None:
    lp = noise(3, 30, 4, 1)
    narrow, wide = BeamSearch(SMALL, SearchSpec(beam=3)), BeamSearch(SMALL, SearchSpec(beam=300))
    narrow.push(lp)
    wide.push(lp)
    assert narrow.best().score <= wide.best().score
    assert len(narrow.beams()) == 3 and len(wide.beams()) > 100


def test_blank_penalty_shifts_the_blank_column_and_nothing_else() -> None:
    lp = noise(0, 4, 4)
    shifted = lp.copy()
    shifted[:, 0] -= 1.5
    one, other = (
        BeamSearch(SMALL, SearchSpec(beam=999, prune_nats=300, token_nats=99, blank_penalty=b))
        for b in (1.5, 0.0)
    )
    one.push(lp)
    other.push(shifted)
    assert one.beams() == other.beams()


def test_frames_that_a_search_cannot_take_change_nothing() -> None:
    search = searches()[0]
    search.push(noise(0, 5, 29))
    before = search.beams()
    for bad, says in ((math.nan, "frame 7"), (math.inf, "frame 7")):
        lp = noise(1, 4, 29)
        lp[2, 3] = bad
        with pytest.raises(ValueError, match=says):
            search.push(lp)
    with pytest.raises(ValueError, match="frame 5"):
        search.push(np.full((1, 29), -math.inf))
    with pytest.raises(ValueError, match=r"29 symbols"):
        search.push(noise(0, 5, 30))
    assert search.beams() == before and search.frame == 5
    search.push(noise(0, 5, 29))  # the stream goes on
    assert search.frame == 10


def test_a_frame_no_word_allows_is_passed_over() -> None:
    search = BeamSearch(SAID, SearchSpec(token_nats=5), None, Lexicon(SAID, [("err", (2, 1))]))
    frames = np.full((5, 4), -50.0)
    frames[range(5), [1, 2, 1, 3, 0]] = 0.0  # the first R begins no word
    search.push(frames)
    assert search.finish(1)[0].text == "err" and search.impossible == 1


def test_symbols_in_another_order_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'SIL'"):
        BeamSearch(Symbols(("<blank>", "SIL", "R", "EH")), SearchSpec(), None, READ)


def test_collapse_and_times() -> None:
    ids = [CHARACTERS.index(name) for name in "ef "]
    frames = [ids[0], 0, ids[0], ids[0], 0, ids[1], ids[2], 0, ids[1]]
    search = BeamSearch(CHARACTERS, SearchSpec(beam=5))
    search.push(np.where(np.eye(29)[frames] > 0, 0.0, -30.0))
    best = search.best()
    assert best.text == "eef f" and best.partial == ("f",)
    assert [(w.text, w.start, w.stop) for w in best.words] == [("eef", 0, 6)]
    assert [(w.text, w.start, w.stop) for w in search.finish()[0].words] == [("eef", 0, 6), ("f", 8, 9)]


def test_a_word_is_timed_by_its_heaviest_alignment_not_by_its_first_trace() -> None:
    p = np.full((12, 4), 0.001)
    p[:, 0] = 0.99
    p[2, 2], p[8, 2], p[8, 0], p[10, 1], p[10, 0] = 0.05, 0.98, 0.01, 0.98, 0.01
    search = BeamSearch(SMALL, SearchSpec(beam=20))
    search.push(np.log(p))
    assert [(w.text, w.start, w.stop) for w in search.best().words] == [("a", 8, 9)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"beam": 0},
        {"prune_nats": 0},
        {"prune_nats": 301},
        {"token_nats": 0},
        {"alpha": math.nan},
        {"partial_unknown_nats": -1},
    ],
)
def test_settings_that_search_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SearchSpec(**wrong)


def test_a_search_does_not_grow_while_beams_come_and_go() -> None:
    """Only shared history grows (a node a word); what beams no longer need is given back, without a garbage
    collector.
    """
    search = searches()[2]
    frames = noise(5, 300, 41, 3).astype(np.float32)
    search.push(frames[:300])
    tracemalloc.start()
    try:
        search.push(frames)
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(4):
            search.push(frames)
        grown = tracemalloc.get_traced_memory()[0] - first
    finally:
        tracemalloc.stop()
    assert grown < 1200 * 100  # at most a small node every few frames


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("closed", [False, True])
def test_words_have_the_frames_they_were_read_in(seed: int, closed: bool) -> None:
    rng = np.random.default_rng(seed)
    entries = [("ab", (2, 3)), ("a", (2,)), ("b", (3,)), ("abba", (2, 3, 3, 2)), ("ba", (3, 2))]
    path, spans = [], []
    for k in rng.integers(0, len(entries), 8):
        path += [0] * int(rng.integers(1, 5))
        first = len(path)
        for i, letter in enumerate(entries[k][1]):
            path += ([0] if i and entries[k][1][i - 1] == letter else []) + [letter] * int(rng.integers(1, 4))
            last = len(path)
        spans.append((entries[k][0], first, last))
        path += [0] * int(rng.integers(0, 3)) + [1]
    lp = log_softmax(8.0 * np.eye(4)[path] + rng.normal(size=(len(path), 4)))
    lm = estimate(["ab a", "abba b ab", "ba", "b ab a"], 2)
    search = BeamSearch(
        SMALL, SearchSpec(beam=50, alpha=0.5), lm, Lexicon(SMALL, entries) if closed else None
    )
    search.push(lp)
    found = search.finish()[0].words
    assert [word.text for word in found] == [text for text, _, _ in spans]
    for word, (_, first, last) in zip(found, spans, strict=True):
        assert abs(word.start - first) <= 2 and first < word.stop <= last
