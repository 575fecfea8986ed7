"""Late, broken and overloaded: what becomes of decisions when the network or the machine fails."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.engines import EngineInfo, Frames, Session, open_session
from rtdecode.live.decoding import FAILURES, Decoding, Script
from rtdecode.live.pressure import Pressure
from rtdecode.live.watch import Watch
from rtdecode.snapshot import State
from rtdecode.types import Decision
from tests.bundles import SFREQ, make_bundle, planted
from tests.faults import HOP_S, INFO, decode, offline, stamped
from tests.rtdecode.test_decoding import Heard


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("faults") / "tiny")


class Timer:
    def __init__(self) -> None:
        self.t = 0.0

    def __call__(self) -> float:
        return self.t


class Slow:
    """A session that takes `cost_s(step)` seconds of the test's clock."""

    def __init__(self, session: Session, timer: Timer, cost_s: Callable[[int], float]):
        self.session, self.timer, self.cost_s, self.steps = session, timer, cost_s, 0

    def reset(self) -> None:
        self.session.reset()

    def rehearse(self, x: np.ndarray) -> None:
        raise AssertionError("only the core rehearses")

    def info(self) -> EngineInfo:
        return self.session.info()

    def run(self, x: np.ndarray) -> Frames:
        self.timer.t += self.cost_s(self.steps)
        self.steps += 1
        return self.session.run(x)


class Timed(Heard):
    """ages: (time, how old a decision's newest sample was when it was decided)."""

    def __init__(self, timer: Timer):
        super().__init__()
        self.timer = timer
        self.ages: list[tuple[float, float]] = []

    def decided(self, decision: Decision, began: float) -> None:
        super().decided(decision, began)
        self.ages.append((self.timer.t, self.timer.t - (decision.t - 100)))


def in_real_time(
    bundle: Bundle, seconds: float, network_s: Callable[[int], float], rank_s: float, **options: Any
) -> tuple[Timed, Decoding]:
    """The core's loop, with samples that come by the test's clock."""
    timer, data = Timer(), planted(seconds)
    heard = Timed(timer)
    pressure = Pressure(HOP_S, **options)
    session = Slow(open_session(bundle), timer, network_s)
    channels = bundle.spec.stream.bind(INFO)
    decoding = Decoding(bundle, session, channels, INFO, heard, timer, pressure=pressure)
    retriever = decoding._engine.retriever
    assert retriever
    rank = retriever.rank

    def slowly() -> Any:
        timer.t += rank_s
        return rank()

    retriever.rank = slowly  # type: ignore[method-assign]
    done = 0

    def ready() -> int:
        return min(int(timer.t * SFREQ + 1e-6), len(data)) - done

    while done < len(data):
        needed = min(decoding.samples_to_next_hop(), len(data) - done)
        if ready() < needed:
            timer.t = (done + needed) / SFREQ
            pressure.idle(timer.t)
        first, done = done, done + ready()
        stamps = 100 + np.arange(first + 1, done + 1) / SFREQ
        decoding.push(data[first:done], stamps, timer.t, ready)
    return heard, decoding


def assert_as_offline(bundle: Bundle, heard: Heard, seconds: float) -> None:
    """What was decided is what would have been decided at the same sample, however slow."""
    data = planted(seconds)
    expected = {d.sample: d for d in offline(bundle, data, 100 + np.arange(1, len(data) + 1) / SFREQ)}
    for decision in heard.decisions:
        other = expected[decision.sample]
        assert (decision.retrieved, decision.index, decision.t) == (other.retrieved, other.index, other.t)
        assert decision.text and other.text
        assert decision.text.committed == other.text.committed
    # no word is lost to a hop that was left out
    assert "".join(d.text.delta for d in heard.decisions if d.text) == heard.decisions[-1].text.committed  # type: ignore[union-attr]


def test_slow_inference(bundle: Bundle) -> None:
    # one hop takes 1.5 hops: 0.2 hop in the network, 1.3 in ranking
    heard, decoding = in_real_time(bundle, 30.0, lambda _: 0.2 * HOP_S, 1.3 * HOP_S)
    assert max(age for _, age in heard.ages) < 3.5 * HOP_S
    assert decoding.skipped > 20
    assert len(heard.decisions) > 50
    assert_as_offline(bundle, heard, 30.0)
    assert {d.run for d in heard.decisions} == {1}
    every, decoding = in_real_time(bundle, 30.0, lambda _: 0.2 * HOP_S, 1.3 * HOP_S, policy="every")
    assert decoding.skipped == 0
    assert max(age for _, age in every.ages) > 8.0  # asked for, and said so by its age


def test_one_hiccup(bundle: Bundle) -> None:
    # 500 ms once, at the 40th step: two hops
    heard, decoding = in_real_time(
        bundle, 30.0, lambda n: 2 * HOP_S if n == 40 else 0.05 * HOP_S, 0.2 * HOP_S
    )
    worst = int(np.argmax([age for _, age in heard.ages]))
    assert heard.ages[worst][1] < 2.5 * HOP_S
    usual = np.median([age for _, age in heard.ages])
    back = [at for at, age in heard.ages[worst:] if age < 1.01 * usual]
    assert back[0] - heard.ages[worst][0] <= 2 * HOP_S
    assert decoding.skipped <= 2
    assert_as_offline(bundle, heard, 30.0)


def test_network_that_never_keeps_up(bundle: Bundle) -> None:
    heard, decoding = in_real_time(bundle, 60.0, lambda _: 1.5 * HOP_S, 0.0)
    assert max(age for _, age in heard.ages) < 9.0
    assert decoding.skipped > 15
    assert any("dropped: " not in n and "did not catch up" in n for n in heard.notes)
    assert heard.decisions[-1].run > 1
    assert decoding.total == len(planted(60.0))


class Failing:
    """A session that does `fault` at the steps named."""

    def __init__(self, session: Session, steps: Callable[[int], bool], nan: bool = False):
        self.session, self.at, self.nan, self.count = session, steps, nan, 0

    def reset(self) -> None:
        self.session.reset()

    def rehearse(self, x: np.ndarray) -> None:
        raise AssertionError("only the core rehearses")

    def info(self) -> EngineInfo:
        return self.session.info()

    def run(self, x: np.ndarray) -> Frames:
        self.count += 1
        frames = self.session.run(x)
        if not self.at(self.count):
            return frames
        if self.nan:
            return Frames(np.full_like(frames.estimate, np.nan), frames.log_probs)
        raise RuntimeError("out of memory\nand more")


@pytest.mark.parametrize("nan", [False, True])
def test_model_raises_once(bundle: Bundle, nan: bool) -> None:
    data, stamps = stamped()
    heard, decoding = decode(
        bundle, data, stamps, session=Failing(open_session(bundle), lambda n: n == 20, nan)
    )
    why = "ArithmeticError: the network's output is not finite" if nan else "RuntimeError: out of memory"
    assert heard.notes == [f"the network failed: {why}"]
    assert not decoding.stopped
    cut = decoding.total - decoding._sample
    expected = [dataclasses.replace(d, run=2) for d in offline(bundle, data[cut:], stamps[cut:])]
    assert [d for d in heard.decisions if d.run == 2] == expected


def test_model_raises_always(bundle: Bundle) -> None:
    data, stamps = stamped()
    failing = Failing(open_session(bundle), lambda n: n > 12)
    heard, decoding = decode(bundle, data, stamps, session=failing)
    assert decoding.stopped == "RuntimeError: out of memory"
    assert heard.notes[-1].startswith("the network failed 3 times in a row")
    assert failing.count == 12 + FAILURES
    assert decoding.total == len(data)
    assert decoding.display.signal()[-1].any()  # the stream is still shown
    watch = Watch(HOP_S, 0.0)
    watch.opened(0.0)
    watch.fail(1.0)
    watch.samples(2.0)
    watch.opened(3.0)
    assert watch.tick(9.0) is State.FAILED


def test_a_script_repeats_what_happened_live(bundle: Bundle) -> None:
    data, stamps = stamped(20.0)
    arrivals = stamps.copy()
    stamps[900:] += 2.0  # a clock step live; without arrivals it would be a loss
    failing = Failing(open_session(bundle), lambda n: n == 50)
    live, decoding = decode(bundle, data, stamps, arrivals=arrivals, session=failing)
    cut = decoding.total - decoding._sample
    kept = live.decisions[::2]
    again = Heard()
    decoding = Decoding(bundle, open_session(bundle), bundle.spec.stream.bind(INFO), INFO, again)
    hops = {(d.run, d.sample) for d in kept}
    decoding.script = Script(frozenset({0, cut}), lambda run, sample: (run, sample) in hops)
    for at in range(0, len(data), 41):
        decoding.push(data[at : at + 41], stamps[at : at + 41])
    assert [(d.run, d.sample, d.index, d.t, d.retrieved) for d in again.decisions] == [
        (d.run, d.sample, d.index, d.t, d.retrieved) for d in kept
    ]
