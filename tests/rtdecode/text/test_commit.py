"""Committed text only grows, is a prefix of the final text, and is the search's own where nothing is
dropped.
"""

import gc
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.text.beam import BeamSearch, SearchSpec
from rtdecode.text.commit import CommitSpec, Committer, Said
from rtdecode.text.estimate import estimate
from rtdecode.text.lexicon import spelled_lexicon
from rtdecode.text.prefix import Prefix
from rtdecode.text.symbols import CHARACTERS

WORDS = ["the", "cat", "cats", "sat", "on", "a", "mat", "at", "hat", "that"]
TEXTS = ["the cat sat on a mat", "that hat sat on the cat", "the cats at a hat"]
FRAME_S = 0.08
LM, LEXICON = estimate(TEXTS, 2), spelled_lexicon(WORDS, CHARACTERS)
LOSSLESS = CommitSpec(math.inf, math.inf)


def search(kind: int, beam: int = 12) -> BeamSearch:
    if kind == 0:
        return BeamSearch(CHARACTERS, SearchSpec(beam=beam))
    if kind == 1:
        return BeamSearch(CHARACTERS, SearchSpec(beam=beam, alpha=0.5, unknown_log10=-2), LM)
    return BeamSearch(CHARACTERS, SearchSpec(beam=beam), LM, LEXICON)


def speak(text: str, seed: int, noise: float = 1.0, gain: float = 4.0) -> np.ndarray:
    """(T, 29) log-probabilities of a text, a symbol and a blank in turn, with noise on the logits."""
    labels = [i for symbol in CHARACTERS.encode(text + " ") for i in (symbol, 0)]
    logits = np.random.default_rng(seed).standard_normal((len(labels), 29)) * noise
    logits[range(len(labels)), labels] += gain
    logits *= 2
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


specs = st.builds(
    CommitSpec,
    st.sampled_from([0.0, 2.0, 6.0, math.inf]),
    st.sampled_from([0.0, 0.4, 1.5, math.inf]),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(
    specs,
    st.integers(0, 2),
    st.sampled_from(TEXTS),
    st.integers(0, 50),
    st.sampled_from([2.5, 4.0]),
    st.integers(1, 9),
)
def test_append_only_and_a_prefix_of_the_final_text(
    spec: CommitSpec, kind: int, text: str, seed: int, gain: float, size: int
) -> None:
    committer = Committer(search(kind), spec, FRAME_S)
    lp = speak(text, seed, gain=gain)
    before: list[str] = []
    for start in range(0, len(lp), size):
        update = committer.push(lp[start : start + size])
        assert update.committed.split() == before + [word.text for word in update.delta]
        before = update.committed.split()
        for word in update.delta + update.tail:
            assert 0 <= word.confidence <= 1 and word.start < word.stop <= update.frame
        assert all(w.shown <= w.committed for w in update.delta)
    final = committer.finish()
    if final.correction is None:
        assert final.text.split() == before + [word.text for word in final.delta]
    else:
        assert spec.allow_corrections
        assert final.text.split() == before[: final.correction.at] + list(final.correction.words)
        assert before[final.correction.at :] == list(final.correction.said) != list(final.correction.words)


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("seed", range(15))
def test_all_agree_is_the_search_alone(kind: int, seed: int) -> None:
    lp = np.concatenate([speak(text, seed + i, gain=3.5) for i, text in enumerate(TEXTS)])
    alone, committer = search(kind), Committer(search(kind), LOSSLESS, FRAME_S)
    alone.push(lp)
    update = committer.push(lp)
    final = committer.finish()
    assert final.text == alone.finish(1)[0].text and final.text.startswith(update.committed)
    assert committer.stats.dropped == 0
    assert final.nbest[0].score == alone.finish(1)[0].score


@settings(max_examples=25, deadline=None)
@given(specs, st.integers(0, 2), st.integers(0, 30), st.lists(st.sampled_from([0, 1, 1, 3, 17]), max_size=25))
def test_pieces_equal_the_whole_bit_for_bit(spec: CommitSpec, kind: int, seed: int, sizes: list[int]) -> None:
    lp = np.concatenate([speak(text, seed, gain=3.0) for text in TEXTS])
    whole, pieces = Committer(search(kind), spec, FRAME_S), Committer(search(kind), spec, FRAME_S)
    delta: list[Said] = []
    start = 0
    for size in [*sizes, len(lp)]:
        delta += pieces.push(lp[start : start + size]).delta
        start += size
    assert tuple(delta) == whole.push(lp).delta
    assert pieces.search.beams() == whole.search.beams() and pieces.stats == whole.stats
    assert pieces.finish() == whole.finish()


def test_age_bounds_the_delay_and_contradicting_beams_are_dropped() -> None:
    committer = Committer(search(0), CommitSpec(math.inf, 0.8), FRAME_S)
    lp = np.concatenate([speak(text, 3, gain=2.5) for text in TEXTS * 3])
    said: list[Said] = []
    for frame in lp:
        update = committer.push(frame[None])
        said += update.delta
        assert all(update.frame - word.stop < 10 for word in update.tail)
    assert said and committer.stats.dropped > 0
    assert all(word.committed - word.stop <= 10 or word.shown == word.committed for word in said)
    assert committer.stats.tail_most <= 6


def test_a_forced_word_stays_though_the_search_alone_would_change_it() -> None:
    changed = corrected = 0
    for seed in range(30):
        lp = speak("the cats at a hat", seed, gain=2.5)
        alone, forced = search(2), Committer(search(2), CommitSpec(0.0, 0.0), FRAME_S)
        free = Committer(search(2), CommitSpec(0.0, 0.0, allow_corrections=True), FRAME_S)
        alone.push(lp)
        forced.push(lp)
        free.push(lp)
        text, final = alone.finish(1)[0].text, free.finish()
        assert final.text == text
        corrected += final.correction is not None
        changed += forced.finish().text != text
    assert changed > 2 and corrected > 2


def test_words_have_times_confidence_and_statistics() -> None:
    committer = Committer(search(2, beam=50), CommitSpec(), FRAME_S)
    committer.push(speak("the cat sat", 0, noise=0.5, gain=6.0))
    final = committer.finish()
    assert final.text == "the cat sat"
    committer.reset()
    update = committer.push(speak("the cat sat on a mat", 0, noise=0.5, gain=6.0))
    words = [*update.delta, *update.tail]
    assert [(w.text, w.start, w.stop) for w in words][:3] == [("the", 0, 5), ("cat", 8, 13), ("sat", 16, 21)]
    assert all(w.confidence > 0.9 for w in words)
    stats = committer.stats
    assert (
        stats.shown == 6
        and stats.committed == len(update.delta)
        and 0 <= stats.delay(0.5) <= stats.delay(0.9)
    )


def test_a_broken_frame_leaves_the_utterance_as_it_was() -> None:
    committer = Committer(search(0), CommitSpec(), FRAME_S)
    committer.push(speak("the cat", 0))
    before = committer.search.beams()
    with pytest.raises(ValueError, match="frame 16"):
        committer.push(np.full((2, 29), np.nan, np.float32))
    assert committer.search.beams() == before


@pytest.mark.parametrize("kind", [0, 2])
def test_what_is_kept_does_not_grow(kind: int) -> None:
    """Over 20 000 frames, without the garbage collector: what is cut off must go by itself."""
    committer = Committer(search(kind, beam=6), CommitSpec(), FRAME_S)
    lp = np.concatenate([speak(text, i, gain=3.0) for i, text in enumerate(TEXTS * 8)])
    kept = []
    gc.collect()
    gc.disable()
    try:
        while committer.search.frame < 20_000:
            committer.push(lp)
            kept.append(sum(type(thing) is Prefix for thing in gc.get_objects()))
    finally:
        gc.enable()
    assert max(kept) <= kept[0] + 40
    assert trie(committer.search.frontier.root) < 100


def trie(node: Prefix) -> int:
    return 1 + sum(map(trie, node.kids.values()))


@pytest.mark.parametrize("wrong", [{"agree_nats": -1.0}, {"age_s": -1.0}])
def test_settings_without_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CommitSpec(**wrong)
