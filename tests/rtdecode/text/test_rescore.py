"""Rescoring: the formula by hand, and a deadline that holds whatever the scorer does. Nothing here sleeps."""

import math
import threading
from itertools import pairwise

import numpy as np
import pytest

from rtdecode.errors import ConfigError
from rtdecode.text.beam import BeamSearch, SearchSpec
from rtdecode.text.estimate import estimate
from rtdecode.text.ngram import LN10
from rtdecode.text.rescore import Candidate, Rescorer, RescoreSpec, candidates
from rtdecode.text.symbols import CHARACTERS

LONG_S = 30.0  # a deadline that is never reached
FIRST, SECOND, THIRD = (
    Candidate("i scream", acoustic=-10.0, ngram=-8.0, tokens=2),
    Candidate("ice cream", acoustic=-10.5, ngram=-8.0, tokens=2),
    Candidate("eyes cream", acoustic=-12.0, ngram=-9.0, tokens=2),
)
NBEST = (FIRST, SECOND, THIRD)
LLM = {"i scream": -20.0, "ice cream": -10.0, "eyes cream": -30.0}


def knows(texts):
    return [LLM[text] for text in texts]


class Slow:
    """A scorer that answers when told to, and says when it has begun."""

    def __init__(self, score=knows):
        self.begun, self.go, self.asked, self._score = threading.Event(), threading.Event(), [], score

    def __call__(self, texts):
        self.asked.append(texts)
        self.begun.set()
        assert self.go.wait(LONG_S)
        return self._score(texts)


def test_the_total_is_the_stated_sum():
    spec = RescoreSpec(acoustic_scale=0.5, alpha=0.25, length_penalty=0.1)
    with Rescorer(knows, spec) as rescorer:
        found = rescorer.rescored(NBEST, LONG_S)
    assert found.totals == pytest.approx(
        [-5 - 6 - 5 - 0.2, -5.25 - 6 - 2.5 - 0.2, -6 - 6.75 - 7.5 - 0.2], abs=1e-12
    )
    assert (found.best, found.index, found.in_time, found.problem) == (SECOND, 1, True, "")
    shares = np.exp(np.array(found.totals) - np.logaddexp.reduce(found.totals))
    assert found.confidence == pytest.approx(shares[1])


@pytest.mark.parametrize(("alpha", "best"), [(0.0, FIRST), (1.0, SECOND)])
def test_a_weight_of_nothing_silences_its_score(alpha, best):
    barred = Candidate("never", -11.0, -math.inf if alpha else -9.0, 1)
    with Rescorer(
        lambda texts: [*knows(texts[:-1]), -99.0 if alpha else -math.inf], RescoreSpec(alpha=alpha)
    ) as r:
        found = r.rescored((*NBEST, barred), LONG_S)
    assert found.best is best and not found.problem


def test_past_the_deadline_the_first_pass_stands_and_the_late_result_is_gone():
    slow = Slow()
    with Rescorer(slow) as rescorer:
        found = rescorer.rescored(NBEST, 0.0)
        assert (found.best, found.index, found.in_time, found.totals) == (FIRST, 0, False, ())
        slow.go.set()
        assert rescorer.idle(LONG_S)
        assert rescorer.corrections() == []


def once_begun(rescorer, slow, monkeypatch):
    """Deadlines pass as soon as the worker has begun, never before."""
    honest = rescorer._changed.wait_for

    def wait_for(predicate, timeout=None):
        if timeout != 0.5:
            return honest(predicate, timeout)
        while not slow.begun.is_set():
            honest(lambda: False, 0.001)  # gives the lock away
        return predicate()

    monkeypatch.setattr(rescorer._changed, "wait_for", wait_for)


@pytest.mark.parametrize("wanted", [False, True])
def test_a_late_result_is_a_correction_only_where_that_was_asked_for(monkeypatch, wanted):
    slow = Slow()
    with Rescorer(slow, RescoreSpec(correct_late=wanted)) as rescorer:
        assert rescorer.rescored(NBEST[:1], LONG_S).number == 0  # one text: nothing to ask
        once_begun(rescorer, slow, monkeypatch)
        late = rescorer.rescored(NBEST, 0.5)
        assert (late.number, late.best, late.in_time) == (1, FIRST, False)
        assert rescorer.corrections() == []
        slow.go.set()
        assert rescorer.idle(LONG_S) and rescorer.skipped == 0
        found = [(mended.number, mended.best, mended.in_time) for mended in rescorer.corrections()]
        assert found == ([(1, SECOND, False)] if wanted else [])
        assert rescorer.corrections() == []


@pytest.mark.parametrize("score", [lambda texts: [0.0, -50.0, -50.0], lambda texts: 1 / 0])
def test_a_late_result_that_agrees_or_fails_is_no_correction(monkeypatch, score):
    slow = Slow(score)
    with Rescorer(slow, RescoreSpec(correct_late=True)) as rescorer:
        once_begun(rescorer, slow, monkeypatch)
        assert rescorer.rescored(NBEST, 0.5).best is FIRST
        slow.go.set()
        assert rescorer.idle(LONG_S) and rescorer.corrections() == []


def test_a_list_whose_deadline_passes_while_the_worker_is_busy_is_never_scored():
    slow = Slow()
    with Rescorer(slow, RescoreSpec(correct_late=True)) as rescorer:
        waiter = threading.Thread(target=rescorer.rescored, args=(NBEST, LONG_S))
        waiter.start()
        assert slow.begun.wait(LONG_S)
        assert [rescorer.rescored(NBEST[1:], 0.0).best for _ in range(5)] == [SECOND] * 5
        assert rescorer.skipped == 5
        slow.go.set()
        waiter.join(LONG_S)
        assert rescorer.rescored(NBEST, LONG_S).best is SECOND
    assert slow.asked == [[one.text for one in NBEST]] * 2


def test_a_list_waits_for_the_worker_within_its_deadline():
    slow = Slow()
    with Rescorer(slow) as rescorer:
        waiter = threading.Thread(target=rescorer.rescored, args=(NBEST, LONG_S))
        waiter.start()
        assert slow.begun.wait(LONG_S)
        found = []
        second = threading.Thread(target=lambda: found.append(rescorer.rescored(NBEST[1:], LONG_S)))
        second.start()
        slow.go.set()
        waiter.join(LONG_S)
        second.join(LONG_S)
    assert found[0].in_time and found[0].best is SECOND


def test_the_caller_is_held_for_the_deadline_and_no_longer(monkeypatch):
    waited = []
    rescorer = Rescorer(Slow())
    honest = rescorer._changed.wait_for

    def wait_for(predicate, timeout=None):
        if timeout is None:
            return honest(predicate)
        waited.append(timeout)
        return False

    monkeypatch.setattr(rescorer._changed, "wait_for", wait_for)
    times = iter([100.0, 100.5])
    monkeypatch.setattr(rescorer, "_clock", lambda: next(times))
    found = rescorer.rescored(NBEST, 0.5)
    assert waited == [0.5] and not found.in_time and found.seconds == 0.5
    rescorer.close()


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (lambda texts: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda texts: [-1.0], "1 scores for 3 texts"),
        (lambda texts: [-1.0, math.nan, -2.0], "a score is nan"),
        (lambda texts: [-math.inf] * 3, "a score is -inf"),
        (lambda texts: None, "TypeError"),
        (lambda texts: (_ for _ in ()).throw(SystemExit(3)), "SystemExit: 3"),
    ],
)
def test_a_scorer_that_fails_is_reported_and_the_next_list_is_scored(score, said):
    answers = [score, knows]
    with Rescorer(lambda texts: answers.pop(0)(texts)) as rescorer:
        found = rescorer.rescored(NBEST, LONG_S)
        assert said in found.problem and found.problem.startswith("the rescorer failed: ")
        assert (found.best, found.index, found.totals, found.in_time) == (FIRST, 0, (), True)
        assert rescorer.rescored(NBEST, LONG_S).best is SECOND


def test_closing_leaves_a_hanging_scorer_behind():
    slow = Slow()
    rescorer = Rescorer(slow, RescoreSpec(correct_late=True))
    rescorer.rescored(NBEST, 0.0)
    rescorer.close()
    with pytest.raises(ValueError, match="closed"):
        rescorer.rescored(NBEST, 1.0)
    slow.go.set()
    rescorer._worker.join(LONG_S)
    assert not rescorer._worker.is_alive() and rescorer.corrections() == []


def test_nonsense_is_refused():
    with Rescorer(knows) as rescorer:
        with pytest.raises(ValueError, match="empty"):
            rescorer.rescored((), 1.0)
        for deadline in (-1.0, math.nan, math.inf):
            with pytest.raises(ValueError, match="deadline"):
                rescorer.rescored(NBEST, deadline)
    with pytest.raises(ConfigError, match=r"alpha 1\.5"):
        RescoreSpec(alpha=1.5)
    with pytest.raises(ConfigError, match="acoustic_scale nan"):
        RescoreSpec(acoustic_scale=math.nan)


def test_the_weights_of_the_search_are_taken_off_again():
    spec = SearchSpec(beam=20, alpha=0.7, beta=1.3, acoustic_scale=0.5)
    lm = estimate(["a cab", "a bad cab", "bad"], 2)
    rng = np.random.default_rng(3)
    logits = np.full((40, len(CHARACTERS)), -9.0)
    logits[:, [0, 1, 3, 4, 5, 6]] = rng.normal(0, 2, (40, 6))
    log_probs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    search = BeamSearch(CHARACTERS, spec, lm)
    search.push(log_probs)
    paths = search.finish(5)
    found = candidates(paths, spec)
    assert any(one.tokens for one in found)
    for path, one in zip(paths, found, strict=True):
        assert one.ngram == pytest.approx(LN10 * lm.sentence(path.text.split()))
        assert one.tokens == len(path.text.split())
    # with the search's own weights the order is the search's
    with Rescorer(lambda texts: [0.0] * len(texts), RescoreSpec(0.5, 0.3, -1.3)) as rescorer:
        again = rescorer.rescored(found, LONG_S)
    assert again.index == 0 and all(a >= b for a, b in pairwise(again.totals))
    assert again.totals == pytest.approx([path.score for path in paths])
