"""A language model beside a session: what it may change, and that nothing it does is waited for.

Why it matters: a second opinion that holds up or rewrites what was said is worse than none.
"""

import json
import math
import multiprocessing
import sys
import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.cli import main
from rtdecode.errors import ConfigError
from rtdecode.live.config import CoreConfig
from rtdecode.live.lines import LineReader, LineWriter
from rtdecode.live.rescoring import QUEUE, Rescoring, check
from rtdecode.live.rescoring_worker import serve
from rtdecode.text.commit import CommitSpec
from rtdecode.text.rescore import Candidate, RescoreSpec, Sentence
from rtdecode.text.rescore_lm import model_folder
from rtdecode.transcribe import SENTENCES, Transcriber
from tests.rtdecode.test_transcribe import LM, RATE, SEARCHED, SPEC, WORDS, noisy

DEADLINE_S = 1.0
READINGS = (Candidate("i scream", -10.0, -8.0, 2), Candidate("ice cream", -10.5, -8.0, 2))
SECOND, FIRST = [-20.0, -10.0], [-10.0, -20.0]  # scores for which each wins


def sentence(number=1):
    return Sentence(number, READINGS[0].text, READINGS)


class Bench:
    """A core's end, with a clock and a worker that do what the test says."""

    def __init__(self, **spec):
        (self.answers, answering), (asked, self.asking) = (
            multiprocessing.Pipe(duplex=False),
            multiprocessing.Pipe(duplex=False),
        )
        self.theirs, self.now, self.said = [answering, asked], 100.0, []
        self.worker_hears, self.worker_says = LineReader(asked.fileno()), LineWriter(answering.fileno())
        self.core = Rescoring(
            (self.answers, self.asking),
            "models/tiny",
            DEADLINE_S,
            RescoreSpec(**spec),
            lambda level, text, **more: self.said.append((level, text, more)),
            lambda: self.now,
        )
        self.worker_says.send({"ready": 2.0})
        self.core.poll()

    def asked(self):
        return self.worker_hears.read()

    def answer(self, **what):
        self.worker_says.send({"done": self.now, **what})
        self.core.poll()

    def corrections(self):
        return [more["correction"] for _, _, more in self.said if "correction" in more]

    def warned(self):
        return [text for level, text, _ in self.said if level in ("warn", "error")]

    def die(self):
        for end in self.theirs:
            end.close()
        self.core.poll()


@pytest.fixture
def bench():
    return Bench()


# --- sentences of a stream


@pytest.mark.parametrize("corrections", [False, True])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), sizes=st.lists(st.integers(0, 60), max_size=6))
def test_sentences_have_their_readings_and_asking_for_them_changes_no_text(corrections, seed, sizes):
    spec = replace(SEARCHED, commit=replace(SEARCHED.commit, allow_corrections=corrections))
    log_probs, runs = noisy(seed), []
    for asks in (True, False):
        transcriber, at, found, told = Transcriber(spec, RATE, LM, WORDS), 0, [], []
        for size in [*sizes, len(log_probs)]:
            transcriber.push(log_probs[at : at + size])
            at = min(at + size, len(log_probs))
            told.append(transcriber.take())
            found += transcriber.sentences() if asks else []
        runs.append(told)
    assert runs[0] == runs[1]
    last = runs[0][-1].committed
    assert all(last.startswith(one.committed) for one in runs[0])
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    for one in found:
        texts = [reading.text for reading in one.readings]
        assert texts[0] == one.text and len(set(texts)) == len(texts)
        assert all(word in {"ab", "ba", "b", "abba"} for text in texts for word in text.split())
        assert corrections or f"{one.text} " in last


def test_readings_share_what_was_committed_and_keep_their_own_scores():
    spec = replace(SEARCHED, commit=CommitSpec(agree_nats=0.0, age_s=0.2))
    several = 0
    for seed in range(8):
        transcriber = Transcriber(spec, RATE, LM, WORDS)
        transcriber.push(noisy(seed))
        for one in transcriber.sentences():
            several += len(one.readings) > 1 and " " in one.text
            scores = [
                spec.search.acoustic_scale * r.acoustic + spec.search.alpha * r.ngram + 0.5 * r.tokens
                for r in one.readings
            ]
            assert all(a >= b - 1e-9 for a, b in pairwise(scores))
    assert several > 3


def test_a_new_run_numbers_anew_and_what_nobody_asks_for_is_forgotten():
    transcriber = Transcriber(SEARCHED, RATE, LM, WORDS)
    for seed in range(12):
        transcriber.push(noisy(seed))
    assert len(found := transcriber.sentences()) == SENTENCES and found[-1].number > SENTENCES
    assert transcriber.sentences() == []
    transcriber.push(noisy(1))
    transcriber.reset()
    assert transcriber.sentences() == []
    transcriber.push(noisy(1))
    assert transcriber.sentences()[0].number == 1
    greedy = Transcriber(replace(SPEC, endpoint=SEARCHED.endpoint), RATE)
    greedy.push(noisy(1))
    assert greedy.sentences() == []


# --- the core's end


def test_another_reading_is_an_event_with_both(bench):
    bench.core.ask(2, [sentence(7)])
    (asked,) = bench.asked()
    assert asked["texts"] == ["i scream", "ice cream"] and asked["until"] == 100.0 + DEADLINE_S
    bench.now += 0.25
    bench.answer(id=asked["id"], scores=SECOND)
    (found,) = bench.corrections()
    share = 1 / (1 + math.exp(-(0.5 * 10 - 0.5)))
    assert found == {
        "run": 2, "utterance": 7, "said": "i scream", "now": "ice cream", "model": "tiny", "ms": 250.0,
        "confidence": round(share, 4), "late": False,
    }  # fmt: skip
    level, text, _ = bench.said[-1]
    assert level == "info"
    assert text == "≈ corrected: “i scream” → “ice cream” (sentence 7 of run 2, tiny, 250 ms)"
    bench.core.ask(2, [sentence(8)])
    bench.answer(id=bench.asked()[0]["id"], scores=FIRST)
    bench.core.finish()
    assert bench.said[-1][1] == "rescored by tiny: 1 corrected, 1 confirmed"
    assert len(bench.corrections()) == 1 and not bench.warned()


def test_a_late_answer_is_counted_said_once_and_thrown_away(bench):
    bench.core.ask(1, [sentence(1), sentence(2)])
    first, second = bench.asked()
    bench.now += 1.01  # nobody answered yet
    bench.core.poll()
    bench.core.poll()
    assert len(bench.warned()) == 1
    assert "no answer on sentence 1 of run 1 within 1 s, it stands as it was read" in bench.warned()[0]
    bench.answer(id=first["id"], scores=SECOND)
    bench.answer(id=second["id"])
    assert not bench.corrections() and bench.core.tally.late == 2
    bench.core.ask(1, [sentence(3)])  # answered in time: the next trouble is said again
    bench.answer(id=bench.asked()[0]["id"], scores=FIRST)
    bench.core.ask(1, [sentence(4)])
    late = bench.now + 1.5
    bench.answer(id=bench.asked()[0]["id"], scores=SECOND, done=late)  # by the worker's own word
    assert not bench.corrections() and bench.core.tally.late == 3 and len(bench.warned()) == 2


def test_a_bundle_may_ask_for_late_corrections():
    bench = Bench(correct_late=True)
    bench.core.ask(1, [sentence()])
    (asked,) = bench.asked()
    assert asked["until"] is None
    bench.now += 3.0
    bench.core.poll()
    bench.answer(id=asked["id"], scores=SECOND)
    (found,) = bench.corrections()
    assert found["late"] and found["ms"] == 3000.0 and bench.said[-1][1].endswith(", tiny, 3000 ms, late)")
    assert bench.core.tally.late == 1 and bench.core.tally.corrected == 0


def test_a_worker_that_hangs_has_a_bounded_queue_and_is_not_waited_for(bench):
    for number in range(1, 500):  # far more than a pipe holds
        bench.core.ask(1, [Sentence(number, "x" * 4096, (*READINGS, replace(READINGS[0], text="x" * 4096)))])
        bench.now += 0.5
        bench.core.poll()
    assert len(bench.asked()) == QUEUE
    assert (bench.core.tally.late, bench.core.tally.unasked) == (QUEUE, 499 - QUEUE)
    assert len(bench.warned()) == 2 and "4 are waiting" in bench.warned()[1]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"scores": [math.nan, -1.0]}, "a score is nan"),
        ({"scores": [-1.0]}, "1 scores for 2 texts"),
        ({"scores": None}, "not iterable"),
        ({"scores": ["a", "b"]}, "could not convert"),
        ({"problem": "ConfigError: a text has 30 tokens"}, "a text has 30 tokens"),
    ],
)
def test_an_answer_that_is_none_is_a_failure_that_is_said(bench, answer, why):
    for number in (1, 2):
        bench.core.ask(1, [sentence(number)])
        bench.answer(id=bench.asked()[0]["id"], **answer)
    assert bench.core.tally.failed == 2 and not bench.corrections()
    (said,) = bench.warned()
    assert "sentence 1 of run 1 stands as it was read" in said and why in said


@pytest.mark.parametrize("read", [True, False])
def test_a_worker_that_dies_is_one_event_and_sentences_go_on(bench, read):
    bench.core.ask(1, [sentence(1), sentence(2)])
    if read:
        bench.asked()
    bench.die()
    for number in range(3, 20):
        bench.core.ask(1, [sentence(number)])
        bench.core.poll()
    assert bench.warned() == [
        "rescoring by tiny is over: its process ended; sentences stand as they are read"
    ]
    bench.core.finish()
    assert bench.said[-1][2]["rescored"] == {
        "corrected": 0, "confirmed": 0, "late": 0, "failed": 2, "unasked": 17, "unanswered": 0,
    }  # fmt: skip


def test_a_model_that_does_not_load_is_said(bench):
    bench.answer(refused="tiny is no causal\nlanguage model")
    assert bench.warned()[0].startswith("rescoring by tiny is over: tiny is no causal language model;")
    bench.core.ask(1, [sentence()])
    assert bench.asked() == [] and bench.core.tally.unasked == 1


def test_nothing_is_asked_before_the_model_is_there_or_of_one_reading():
    bench = Bench()
    bench.core._ready = False
    bench.core.ask(1, [sentence()])
    bench.core._ready = True
    bench.core.ask(1, [Sentence(2, "i scream", READINGS[:1])])
    assert bench.asked() == [] and bench.core.tally.unasked == 1 and not bench.warned()


# --- the worker's loop


def test_the_worker_answers_in_order_skips_what_is_over_and_survives_its_scorer(bench):
    def score(texts):
        if "bad" in texts:
            raise MemoryError("no room")
        return [-float(len(text)) for text in texts]

    serving = threading.Thread(
        target=serve, args=(bench.worker_hears, bench.worker_says, score, lambda: True, lambda: 50.0)
    )
    serving.start()
    asks = LineWriter(bench.asking.fileno())
    for number, (until, text) in enumerate([(50.0, "abc"), (49.9, "abc"), (None, "bad"), (None, "a")]):
        asks.send({"id": number, "until": until, "texts": [text]})
    heard, found = LineReader(bench.answers.fileno()), []
    while len(found) < 4:
        found += heard.read(5.0)
    assert found == [
        {"id": 0, "scores": [-3.0], "done": 50.0},
        {"id": 1, "done": 50.0},
        {"id": 2, "problem": "MemoryError: no room", "done": 50.0},
        {"id": 3, "scores": [-1.0], "done": 50.0},
    ]
    bench.asking.close()  # the core is gone
    serving.join(30)
    assert not serving.is_alive()


# --- what is refused


def test_where_it_could_say_nothing_it_is_refused():
    config = CoreConfig("b", rescore="tiny")
    for text, why in (
        (None, "this bundle has none"),
        (replace(SEARCHED, search=None), "reads greedily"),
        (replace(SEARCHED, endpoint=None), "none does by itself"),
        (SEARCHED, "this bundle forbids them"),
    ):
        with pytest.raises(ConfigError, match=why):
            check(text, config)
    assert check(SEARCHED, replace(config, allow_corrections=True)) is SEARCHED
    allowed = replace(SEARCHED, commit=CommitSpec(allow_corrections=True))
    assert check(allowed, config) is allowed


def sentence_of(capsys, *options):
    assert main(["live", "--bundle", "b", "--headless", *options]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and "Traceback" not in said
    return said


def test_what_the_user_can_mend_is_one_sentence(tmp_path, capsys, monkeypatch):
    pytest.importorskip("transformers")
    assert "without --rescore" in sentence_of(capsys, "--allow-corrections")
    assert "without --rescore" in sentence_of(capsys, "--rescore-deadline", "2")
    assert "there is no folder" in sentence_of(capsys, "--rescore", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert "hf download" in sentence_of(capsys, "--rescore", "somebody/no-such-model")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"")
    assert "it has pytorch_model.bin" in sentence_of(capsys, "--rescore", str(tmp_path / "old"))
    (tmp_path / "old" / "model.safetensors").write_bytes(b"")
    assert model_folder(str(tmp_path / "old")) == (tmp_path / "old").resolve()
    monkeypatch.setitem(sys.modules, "transformers", None)
    said = sentence_of(capsys, "--rescore", str(tmp_path / "old"))
    assert "transformers" in said and "is not installed (pip install 'rtdecode[offline]')" in said


def test_weights_come_from_the_bundle():
    spec = RescoreSpec(alpha=0.0)
    bench = Bench(alpha=spec.alpha)
    bench.core.ask(1, [sentence()])
    bench.answer(id=bench.asked()[0]["id"], scores=SECOND)  # of no weight
    assert not bench.corrections() and json.dumps(bench.core.tally.confirmed) == "1"
