"""A language model too slow for real time: no text is lost, its lag is bounded, and both can be seen."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.engines import open_session
from rtdecode.live.decoding import Decoding, Script
from rtdecode.live.pressure import Pressure
from rtdecode.text.estimate import estimate
from rtdecode.text.ngram import NGram, State
from rtdecode.text.search import SearchSpec
from rtdecode.transcribe import Transcriber
from rtdecode.types import Decision
from tests.bundles import SFREQ, SYMBOLS, make_bundle, planted
from tests.faults import HOP_S, INFO, offline
from tests.rtdecode.test_faults_load import Slow, Timed, Timer

SECONDS = 30.0
LETTERS = [name for name in SYMBOLS if name.isalpha()]
SENTENCES = [[a + b, c] for a in LETTERS for b in LETTERS for c in LETTERS]


class SlowModel:
    """An n-gram model each of whose answers takes `cost_s` of the test's clock."""

    def __init__(self, model: NGram, timer: Timer, cost_s: float):
        self._model, self._timer, self.cost_s, self.asked = model, timer, cost_s, 0

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def _ask(self) -> None:
        self.asked += 1
        self._timer.t += self.cost_s

    def score(self, state: State, word: str) -> tuple[float, State]:
        self._ask()
        return self._model.score(state, word)

    def score_id(self, state: State, word: int) -> tuple[float, State]:
        self._ask()
        return self._model.score_id(state, word)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    made = make_bundle(tmp_path_factory.mktemp("text") / "tiny")
    assert made.spec.text
    text = replace(made.spec.text, search=SearchSpec(beam=32, alpha=0.5))
    return replace(made, bank=None, spec=replace(made.spec, retrieval=None, text=text))


def decoded(
    bundle: Bundle,
    cost_s: float,
    policy: Literal["latest", "every"] = "latest",
    script: Script | None = None,
) -> tuple[Timed, Decoding, SlowModel]:
    timer, data = Timer(), planted(SECONDS)
    heard, pressure = Timed(timer), Pressure(HOP_S, policy)
    channels = bundle.spec.stream.bind(INFO)
    decoding = Decoding(bundle, open_session(bundle), channels, INFO, heard, timer, pressure=pressure)
    decoding.script = script
    model = SlowModel(estimate(SENTENCES, 2, "witten-bell"), timer, cost_s)
    assert bundle.spec.text
    decoding._engine.transcriber = Transcriber(bundle.spec.text, bundle.spec.frame_rate, model)  # type: ignore[arg-type]
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
    return heard, decoding, model


def texts(decisions: list[Decision]) -> list[tuple[int, str, str]]:
    return [(d.sample, d.text.delta, d.text.tentative) for d in decisions if d.text]


def test_a_language_model_of_twice_real_time(bundle: Bundle) -> None:
    quick, _, model = decoded(bundle, 0.0)
    assert len("".join(d.text.delta for d in quick.decisions if d.text).split()) > 20
    cost_s = 2.0 * SECONDS / model.asked  # searched in full it takes twice as long as the signal
    heard, decoding, _ = decoded(bundle, cost_s)
    late, _, _ = decoded(bundle, cost_s, "every")
    assert max(age for _, age in late.ages) > 10.0  # asked for: everything in full
    worst = max(age for _, age in heard.ages)
    assert worst < 5.0
    assert decoding.skipped > 10  # counted and shown
    transcriber = decoding._engine.transcriber
    assert transcriber and transcriber._frames == round(SECONDS * bundle.spec.frame_rate)
    assert {d.run for d in heard.decisions} == {1}
    said = [d.text for d in heard.decisions if d.text]
    assert "".join(one.delta for one in said) == said[-1].committed
    # and a replay that leaves out the same hops reads the same, however quick it is
    taken = {d.sample for d in heard.decisions}
    last = max(taken)
    script = Script(frozenset(), lambda run, sample: sample in taken or sample > last)
    again, _, _ = decoded(bundle, 0.0, script=script)
    assert texts(again.decisions) == texts(heard.decisions)


@pytest.mark.parametrize("seed", range(4))
def test_jitter_bursts_and_a_stalled_reader_change_no_word(bundle: Bundle, seed: int) -> None:
    # samples come in pieces of 0 to 60, at twice the pace for 5 s, and nobody fetches any for 1.5 s
    timer, data, rng = Timer(), planted(SECONDS, seed), np.random.default_rng(seed)
    expected = offline(bundle, data, 100 + np.arange(1, len(data) + 1) / SFREQ)
    heard, pressure = Timed(timer), Pressure(HOP_S)
    session = Slow(open_session(bundle), timer, lambda _: 0.05 * HOP_S)
    decoding = Decoding(bundle, session, bundle.spec.stream.bind(INFO), INFO, heard, timer, pressure=pressure)
    done, came = 0, 0.0
    while done < len(data):
        burst = 10.0 < done / SFREQ < 15.0
        piece = slice(done, min(len(data), done + int(rng.integers(0, 61))))
        came = max(came, piece.stop / SFREQ * (0.5 if burst else 1.0))
        if came > timer.t:
            timer.t = came
            pressure.idle(timer.t)
        if done < 2000 <= piece.stop:
            timer.t += 1.5  # stalled: these wait, and then there is more
        stamps = 100 + np.arange(piece.start + 1, piece.stop + 1) / SFREQ
        stamps += rng.normal(size=len(stamps)) * 5e-4
        decoding.push(data[piece], stamps, timer.t, lambda: 0)
        done = piece.stop
    assert {d.run for d in heard.decisions} == {1} and decoding.skipped <= 2  # hops that came at once, stale
    assert max(age for _, age in heard.ages) < 2.5
    said = "".join(delta for _, delta, _ in texts(heard.decisions))
    assert said == "".join(delta for _, delta, _ in texts(expected)) and len(said.split()) > 20
    assert texts(heard.decisions)[-1] == texts(expected)[-1]
