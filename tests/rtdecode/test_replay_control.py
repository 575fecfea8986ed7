"""A replay that is told where to go: what leaves, with which stamps, and which words it listens to."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pylsl
import pytest

import rtdecode.replay
from rtdecode.commands.replay import LINE_BYTES, Command, Control, command
from rtdecode.errors import ConfigError
from rtdecode.live.lines import LineReader, LineWriter
from rtdecode.recordings import Marker, Recording
from rtdecode.replay import Replayer

SFREQ, SECONDS = 100.0, 10
MARKERS = tuple(Marker(float(s), f"second {s}") for s in range(-1, SECONDS))


class Lsl:
    """liblsl without a network: a clock that moves by waiting, outlets that keep what they are given."""

    def __init__(self) -> None:
        self.now, self.outlets, self.marks = 1000.0, [], []
        self.listening = True

    def local_clock(self) -> float:
        return self.now

    def outlet(self, info: pylsl.StreamInfo, max_buffered: int = 0) -> SimpleNamespace:
        lsl, uid = self, f"uid {len(self.outlets)}"
        if info.type() == "Markers":
            return SimpleNamespace(push_sample=lambda said, t: lsl.marks.append((said[0], t)))
        made = SimpleNamespace(
            pushed=[],
            have_consumers=lambda: lsl.listening,
            get_info=lambda: SimpleNamespace(uid=lambda: uid),
        )
        made.push_chunk = lambda data, t: made.pushed.append((np.array(data), np.array(t)))
        self.outlets.append(made)
        return made

    def sent(self, outlet: int = -1) -> tuple[np.ndarray, np.ndarray]:
        """(indices of samples, stamps) of one outlet."""
        pushed = self.outlets[outlet].pushed
        if not pushed:
            return np.zeros(0, int), np.zeros(0)
        return np.concatenate([d[:, 0] for d, _ in pushed]).astype(int), np.concatenate(
            [t for _, t in pushed]
        )


@pytest.fixture
def lsl(monkeypatch: pytest.MonkeyPatch) -> Lsl:
    made = Lsl()
    fake = SimpleNamespace(
        StreamInfo=pylsl.StreamInfo, StreamOutlet=made.outlet, local_clock=made.local_clock
    )
    monkeypatch.setattr(rtdecode.replay, "pylsl", fake)
    monkeypatch.setattr(
        rtdecode.replay, "time", SimpleNamespace(sleep=lambda s: setattr(made, "now", made.now + s))
    )
    return made


def player(**options: object) -> Replayer:
    data = np.arange(SECONDS * SFREQ, dtype=np.float32)[:, None].repeat(2, axis=1)
    made = Recording(data, SFREQ, ("a", "b"), ("uV", "uV"), "EEG", "x", markers=MARKERS)
    return Replayer(made, "x", source_id="x", **options)


def play(lsl: Lsl, replayer: Replayer, plan: dict[float, object], until: float) -> None:
    """Play until `until` seconds after the start, doing what `plan` says at its seconds."""
    began, plan = lsl.now, dict(plan)

    def wait(seconds: float) -> None:
        lsl.now += seconds
        for t in sorted(plan):
            if lsl.now - began >= t:
                plan.pop(t)()

    replayer.play(lambda: lsl.now - began >= until, wait)


def test_speeds_and_pauses_move_no_stamp(lsl: Lsl) -> None:
    replayer = player()
    plan = {
        1.0: lambda: replayer.pace(4),
        1.5: lambda: replayer.pause(True),
        4.0: lambda: replayer.pause(False),
        4.2: lambda: replayer.pace(0.5),
        5.0: lambda: replayer.pace(20),
    }
    play(lsl, replayer, plan, 7.0)
    samples, stamps = lsl.sent()
    np.testing.assert_array_equal(samples, np.arange(len(samples)))
    np.testing.assert_allclose(stamps, 1000.0 + samples / SFREQ, atol=1e-9)
    assert replayer.ended and len(lsl.outlets) == 1
    assert [t for _, t in lsl.marks] == pytest.approx([1000.0 + m.t for m in MARKERS])


def test_it_leaves_when_it_is_due(lsl: Lsl) -> None:
    replayer = player()
    play(lsl, replayer, {1.0: lambda: replayer.pace(4)}, 2.0)
    samples, _ = lsl.sent()
    # one second at its own pace, one four times as fast; a chunk is 20 ms of waiting
    assert len(samples) == pytest.approx(500, abs=10)


def test_another_place_is_another_stream(lsl: Lsl) -> None:
    replayer = player()
    play(lsl, replayer, {2.0: lambda: replayer.seek(7.5)}, 3.0)
    before, _ = lsl.sent(0)
    after, stamps = lsl.sent(1)
    assert before[-1] < 250 and after[0] == 750
    np.testing.assert_array_equal(np.diff(after), 1)
    assert stamps[0] == pytest.approx(1002.0, abs=0.05)  # now, wherever it is in the recording
    assert [text for text, t in lsl.marks if t > 1002.0][:2] == ["second 8"]
    status = replayer.status()
    assert status["uid"] == "uid 1"
    assert status["anchor"] + 7.5 == pytest.approx(stamps[0])
    assert replayer.segment == 2


def test_nothing_is_sent_until_somebody_listens_to_the_new_place(lsl: Lsl) -> None:
    replayer = player()

    def leave() -> None:
        replayer.seek(3.0)
        lsl.listening = False

    plan = {
        1.0: leave,
        1.5: lambda: replayer.seek(6.0),  # before anybody saw the first: the same stream
        1.6: lambda: replayer.seek(replayer.at_s - 1),
        2.0: lambda: setattr(lsl, "listening", True),
    }
    play(lsl, replayer, plan, 3.0)
    assert len(lsl.outlets) == 2
    samples, stamps = lsl.sent()
    assert samples[0] == 500
    assert stamps[0] == pytest.approx(1002.0, abs=0.05)


def test_a_told_loop_is_a_jump_and_an_untold_one_has_no_seam(lsl: Lsl) -> None:
    replayer = player(loop=True, at_s=9.0)
    play(lsl, replayer, {}, 2.0)
    assert [lsl.sent(k)[0][0] for k in range(2)] == [900, 0]
    began = lsl.now
    replayer = player(loop=True, at_s=9.0)
    replayer.play(lambda: lsl.now - began > 2.0)
    samples, stamps = lsl.sent()
    assert samples[0] == 900 and 0 in samples
    np.testing.assert_allclose(np.diff(stamps), 1 / SFREQ, atol=1e-9)


def test_it_waits_at_the_end_and_can_go_back(lsl: Lsl) -> None:
    replayer = player(at_s=9.0)
    play(lsl, replayer, {2.0: lambda: replayer.seek(replayer.at_s - 10)}, 3.0)
    assert lsl.sent(0)[0][-1] == 999
    assert lsl.sent(1)[0][0] == 0
    assert not replayer.ended


def test_places_beyond_the_recording(lsl: Lsl) -> None:
    for wrong in (-0.1, SECONDS, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="from 0 to that"):
            player(at_s=wrong)
    replayer = player()
    replayer.seek(1e8)
    assert replayer.at_s == pytest.approx(9.99)
    replayer.seek(-1e8)
    assert replayer.at_s == 0


def test_commands_are_a_closed_set() -> None:
    for said, meant in (
        ({"do": "seek", "to": 62.5}, Command("seek", 62.5)),
        ({"do": "seek", "by": -10}, Command("skip", -10.0)),
        ({"do": "speed", "to": 0.25}, Command("speed", 0.25)),
        ({"do": "pause", "to": True}, Command("pause", 1.0)),
        ({"do": "loop", "to": False}, Command("loop", 0.0)),
        ({"do": "stop"}, Command("stop")),
    ):
        assert command(json.dumps(said).encode()) == meant


@pytest.mark.parametrize(
    "line",
    [
        b"", b"stop", b"[]", b"null", b"1", b"{}", b"\xff\xfe", b"[" * 150, b'{"do": "exec", "to": 1}',
        b'{"do": "seek"}', b'{"do": "seek", "to": "1"}', b'{"do": "seek", "to": true}',
        b'{"do": "seek", "to": NaN}',
        b'{"do": "seek", "to": 1e400}', b'{"do": "seek", "to": 1, "by": 2}', b'{"do": "speed", "to": 0}',
        b'{"do": "speed", "to": 21}', b'{"do": "pause", "to": 1}', b'{"do": "stop", "to": 1}',
        b'{"do": "seek", "to": ' + b"1" * LINE_BYTES + b"}",
    ],
)  # fmt: skip
def test_nothing_else_is_a_command(line: bytes) -> None:
    with pytest.raises(ConfigError, match="not a command"):
        command(line)


class Pipes:
    """A Control with both its pipes, on a clock that stands still."""

    def __init__(self, replayer: Replayer):
        commands, self.tell = os.pipe()
        self.answers, told = os.pipe()
        self.fds = [commands, self.answers, told]
        self.reader = LineReader(self.answers)
        self.control = Control(replayer, LineWriter(told), commands, clock=lambda: 0.0)

    def say(self, line: bytes) -> list[dict]:
        os.write(self.tell, line)
        self.control.wait(1.0)
        return self.reader.read()


@pytest.fixture
def pipes(lsl: Lsl):
    made = Pipes(player())
    yield made
    for fd in made.fds:
        os.close(fd)


def test_it_answers_where_it_is(pipes: Pipes) -> None:
    answers = pipes.say(b'{"do": "seek", "to": 4}\n{"do": "speed", "to": 2}\n')
    assert answers[-1]["kind"] == "position"
    assert (answers[-1]["at_s"], answers[-1]["speed"]) == (4.0, 2.0)
    assert pipes.say(b'{"do": "pau')[-1]["paused"] is False  # half a line says nothing
    assert pipes.say(b'se", "to": true}\n')[-1]["paused"] is True
    assert pipes.say(b'{"do": "loop", "to": true}\n')[-1]["loop"] is True
    assert not pipes.control.over
    pipes.say(b'{"do": "stop"}\n')
    assert pipes.control.over
    os.close(pipes.tell)


def test_junk_is_refused_and_forgotten(pipes: Pipes) -> None:
    refused = [line for line in pipes.say(b"rm -rf\n") if line["kind"] == "refused"]
    assert len(refused) == 1 and "not a command" in refused[0]["why"]
    refused = pipes.say(b"x" * 1000)
    refused += pipes.say(b"y" * 1000)
    assert [line["kind"] for line in refused if line["kind"] == "refused"] == ["refused"]
    answers = pipes.say(b'z"}\n{"do": "seek", "to": 3}\n')
    assert [line["kind"] for line in answers] == ["position"]
    assert answers[-1]["at_s"] == 3.0
    assert not pipes.control.over
    os.close(pipes.tell)
    pipes.control.wait(1.0)
    assert pipes.control.over  # nobody is there any more
