"""Frames multiplied once give the scores of whole windows, however they arrive; ranking is a stable sort."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from rtdecode.retrieval.geometry import inverse_norms
from rtdecode.retrieval.ranking import Ranking, top_order
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec, Retriever, map_features
from rtdecode.types import Hit

RATE, FEATURES = 32.0, 3


def candidate(k: int, first: int, frames: int) -> Candidate:
    return Candidate(f"c{k}", f"words {k}", "story", first, frames, first / RATE, frames / RATE)


def search_bank(rng: np.random.Generator) -> Bank:
    timeline = (rng.normal(size=(140, FEATURES)) + 0.5).astype(np.float32)
    return Bank(timeline, tuple(candidate(k, 30 + 9 * k, 9) for k in range(12)))


def onset_bank(rng: np.random.Generator, firsts: list[int]) -> Bank:
    timeline = (rng.normal(size=(240, FEATURES)) + 0.5).astype(np.float32)
    return Bank(timeline, tuple(candidate(k, first, 80) for k, first in enumerate(firsts)))


def bank_for(align: str, regular: bool, rng: np.random.Generator) -> Bank:
    if align == "search":
        return search_bank(rng)
    return onset_bank(rng, list(range(0, 160, 20)) if regular else [0, 3, 31, 90, 91, 160])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64) for x in (a, b))
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))


@settings(max_examples=60, deadline=None)
@given(
    align=st.sampled_from(["search", "onset"]),
    regular=st.booleans(),
    frames=st.integers(2, 24),
    hop=st.integers(1, 24),
    pushes=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=12),
    gap=st.integers(0, 12),
    seed=st.integers(0, 9),
)
def test_progressive_equals_whole_windows_in_any_pieces(
    align, regular, frames, hop, pushes, gap, seed
) -> None:
    """pushes: (frames, whether somebody asks for scores then); a gap forgets everything."""
    rng = np.random.default_rng(seed)
    bank, spec = bank_for(align, regular, rng), RetrievalSpec(frames, 2, align, 10.0)
    whole = Retriever(spec, bank, RATE)
    asked, silent = (Retriever(spec, bank, RATE, hop=hop) for _ in range(2))
    z = (rng.normal(size=(80, FEATURES)) - 0.5).astype(np.float32)
    at = 0
    for number, (size, ask) in enumerate(pushes):
        if number == gap:
            at = 0
            for retriever in (whole, asked, silent):
                retriever.reset()
        piece = z[at : at + size]
        at += len(piece)
        for retriever in (whole, asked):
            retriever.push(piece, at)
        for frame in range(at - len(piece), at):  # one by one, and never asked before the end
            silent.push(z[frame : frame + 1], frame + 1)
        assert asked.ready() == whole.ready()
        if ask and whole.ready() and not whole.ended():
            np.testing.assert_allclose(asked.scores(), whole.scores(), rtol=0, atol=1e-6)
    if whole.ready() and not whole.ended():
        assert np.array_equal(asked.scores(), silent.scores())
        assert np.array_equal(asked.scores(), silent.scores())  # a rehearsal changes nothing
        assert asked.rank().hits == silent.rank().hits


def test_a_long_stream_does_not_drift() -> None:
    rng = np.random.default_rng(1)
    bank, spec = search_bank(rng), RetrievalSpec(24, 0, "search", 10.0)
    whole, progressive = Retriever(spec, bank, RATE), Retriever(spec, bank, RATE, hop=4)
    for stop in range(4, 40_000, 4):
        z = rng.normal(size=(4, FEATURES)).astype(np.float32) * (1000 if stop % 9000 < 40 else 1)
        whole.push(z, stop)
        progressive.push(z, stop)
        if progressive.ready():
            found = progressive.scores()
    np.testing.assert_allclose(found, whole.scores(), rtol=0, atol=1e-6)


def test_frames_that_speak_of_another_time_are_scored_anew() -> None:
    rng = np.random.default_rng(2)
    bank, spec = onset_bank(rng, [0, 80, 160]), RetrievalSpec(8, 0, "onset", 10.0)
    whole, progressive = Retriever(spec, bank, RATE), Retriever(spec, bank, RATE, hop=4)
    for stop in (8, 12, 21, 22, 40):  # each time a whole new window
        z = rng.normal(size=(8, FEATURES)).astype(np.float32)
        for retriever in (whole, progressive):
            retriever.push(z, stop)
        np.testing.assert_allclose(progressive.scores(), whole.scores(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("align", ["search", "onset"])
def test_a_filling_window_is_ranked_when_asked_for(align: str) -> None:
    rng = np.random.default_rng(3)
    bank, spec = bank_for(align, True, rng), RetrievalSpec(24, 2, align, 10.0)
    plain, eager = Retriever(spec, bank, RATE), Retriever(spec, bank, RATE, hop=4, least=6)
    z = rng.normal(size=(40, FEATURES)).astype(np.float32)
    for stop in range(1, 41):
        for retriever in (plain, eager):
            retriever.push(z[stop - 1 : stop], stop)
        heard = stop if align == "search" else stop - 2
        assert plain.ready() == (heard >= 24)
        assert eager.ready() == (heard >= 6)
        if eager.ready():
            m = min(heard, 24)
            assert eager.rank().window_s == m / RATE
            for k, c in enumerate(bank.candidates):
                ends = range(c.first + 1, c.first + c.frames + 1) if align == "search" else [c.first + heard]
                expected = max(cosine(z[stop - m : stop], bank.features[e - m : e]) for e in ends if e >= m)
                assert eager.scores()[k] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("least", [0, 1, 25])
def test_a_filling_window_of_no_length_is_refused(least: int) -> None:
    bank, spec = search_bank(np.random.default_rng(0)), RetrievalSpec(24, 0, "search", 10.0)
    with pytest.raises(ValueError, match=f"2 to 24 frames, not {least}"):
        Retriever(spec, bank, RATE, least=least)


@pytest.mark.parametrize("hop", [None, 4])
@pytest.mark.parametrize("align", ["search", "onset"])
def test_windows_in_which_nothing_happens_score_nothing(align: str, hop: int | None) -> None:
    """A constant has no direction: rounding errors over a tiny norm may not look like a hit."""
    rng = np.random.default_rng(4)
    bank = bank_for(align, True, rng)
    bank.features[:] = 100 + 1e-5 * rng.normal(size=bank.features.shape)  # the last bit of float32 flickers
    retriever = Retriever(RetrievalSpec(8, 0, align, 10.0), bank, RATE, hop=hop)
    retriever.push(rng.normal(size=(8, FEATURES)).astype(np.float32) + 3, 8)
    assert np.array_equal(retriever.scores(), np.zeros(len(bank.candidates)))


def test_norms_of_many_features_are_those_of_each_window() -> None:
    x = np.random.default_rng(5).normal(size=(50, 37)).astype(np.float32) + 2
    windows = np.stack([x[o : o + 7] for o in range(44)]).astype(np.float64)
    windows -= windows.mean(axis=1, keepdims=True)
    expected = 1 / np.sqrt((windows**2).sum(axis=(1, 2)))
    np.testing.assert_allclose(inverse_norms(x, 7), expected, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 2000), st.integers(1, 12), st.integers(1, 50), st.integers(0, 99))
def test_the_top_is_the_start_of_a_stable_sort(count: int, top: int, values: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(values, size=count) / 7.0  # many are equal
    expected = np.argsort(-scores, kind="stable")[:top]
    assert np.array_equal(top_order(scores, min(top, count)), expected)


def test_hits_say_what_their_candidates_say() -> None:
    candidates = search_bank(np.random.default_rng(0)).candidates
    scores = np.linspace(-1, 1, len(candidates))
    hits = Ranking(candidates, 5.0, 3).ranked(scores, 1.0).hits
    odds = np.exp(5 * scores) / np.exp(5 * scores).sum()
    expected = [
        Hit(
            k,
            candidates[k].id,
            candidates[k].text,
            "story",
            candidates[k].start,
            float(scores[k]),
            float(odds[k]),
        )
        for k in (11, 10, 9)
    ]
    assert [hit.prob for hit in hits] == pytest.approx([hit.prob for hit in expected])
    for hit, other in zip(hits, expected, strict=True):
        assert vars(hit) | {"prob": 0} == vars(other) | {"prob": 0}
        assert hash(hit)


def test_a_mapped_bank_is_not_copied_and_scores_alike(tmp_path: Path) -> None:
    bank = search_bank(np.random.default_rng(6))
    save_file({"other": np.ones(5, np.float32), "features": bank.features}, tmp_path / "bank.safetensors")
    mapped = map_features(tmp_path / "bank.safetensors")
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    assert np.array_equal(mapped, bank.features)
    z = np.random.default_rng(7).normal(size=(24, FEATURES)).astype(np.float32)
    for hop in (None, 5):
        found = []
        for features in (bank.features, mapped):
            retriever = Retriever(
                RetrievalSpec(24, 0, "search", 10.0), Bank(features, bank.candidates), RATE, hop=hop
            )
            retriever.push(z, 24)
            found.append(retriever.scores())
        assert np.array_equal(*found)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", ValueError),
        (b"\xff" * 20, ValueError),
        ((2**63).to_bytes(8, "little") + b"{}", ValueError),
        ((2).to_bytes(8, "little") + b"{}", KeyError),
        ((9).to_bytes(8, "little") + b"not json!", ValueError),
    ],
)
def test_files_that_hold_no_bank_are_refused(tmp_path: Path, content: bytes, error: type) -> None:
    (tmp_path / "bank").write_bytes(content)
    with pytest.raises(error):
        map_features(tmp_path / "bank")


def test_a_bank_cut_short_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bank"
    save_file({"features": np.zeros((9, 2), np.float64)}, file)
    with pytest.raises(ValueError, match="is F64"):
        map_features(file)
    save_file({"features": np.zeros((9, 2), np.float32)}, file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="does not fit the file"):
        map_features(file)
