"""The live decoder end to end, each part in its own process: what it decides, and what it survives.

Why it matters: everything else in this repository is only as good as this path.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from rtdecode.bundle import Bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.recordings import decode
from tests.bundles import LABELS, SFREQ, make_bundle
from tests.outlet import Plan, recording
from tests.processes import PROMPT_S, left_after, live, outlet, running, unique_name

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("live") / "tiny")


def offline(bundle: Bundle, plan: Plan) -> list[Any]:
    played = recording(plan)
    return decode(Engine(bundle, bundle.spec.stream.bind(played.info), open_session(bundle)), played)


def live_decisions(bundle: Bundle, folder: Path, count: int, **plan: Any) -> list[dict[str, Any]]:
    name = unique_name()
    options = ("--decisions", str(count), "--wait", "15")
    with outlet(folder, name, **plan), live(folder, bundle.path, name, *options) as c:
        assert c.end(60) == 0, c.err
    return c.decisions()


def assert_same(found: list[dict[str, Any]], expected: list[Any]) -> None:
    """Same windows, same top list, scores within 1e-4, same text."""
    assert [d["index"] for d in found] == list(range(len(found)))
    for line, decision in zip(found, expected, strict=False):
        assert line["sample"] == decision.sample
        hits = line["retrieved"]["hits"]
        assert [hit["id"] for hit in hits] == [hit.id for hit in decision.retrieved.hits]
        np.testing.assert_allclose(
            [hit["score"] for hit in hits], [hit.score for hit in decision.retrieved.hits], atol=1e-4
        )
        assert line["text"]["delta"] == decision.text.delta
        assert line["text"]["tentative"] == decision.text.tentative


@pytest.mark.parametrize("speed", [4.0, 20.0])
def test_live_equals_offline(bundle: Bundle, tmp_path: Path, speed: float) -> None:
    expected = offline(bundle, Plan("x"))
    found = live_decisions(bundle, tmp_path, len(expected), speed=speed)
    assert len(found) == len(expected) > 40
    assert_same(found, expected)


def test_a_permuted_stream_in_another_unit_decides_the_same(bundle: Bundle, tmp_path: Path) -> None:
    expected = offline(bundle, Plan("x"))
    found = live_decisions(bundle, tmp_path, 20, speed=4.0, labels=("ECG", *LABELS[::-1]), unit="uV")
    assert_same(found, expected)


def test_the_schema_of_a_line(bundle: Bundle, tmp_path: Path) -> None:
    line = live_decisions(bundle, tmp_path, 3, speed=4.0)[-1]
    line.pop("t_local", None)  # only once the clocks were compared
    assert list(line) == [
        "schema",
        "index",
        "run",
        "sample",
        "t",
        "retrieved",
        "text",
        "stage_ms",
        "warnings",
    ]
    assert list(line["retrieved"]) == ["chance", "candidates", "window_s", "margin", "hits"]
    assert list(line["retrieved"]["hits"][0]) == ["rank", "id", "text", "source", "start", "score", "prob"]
    assert [hit["rank"] for hit in line["retrieved"]["hits"]] == list(range(1, 11))
    head = ["committed", "committed_chars", "delta", "tentative"]
    assert list(line["text"]) == [*head, "words", "ended", "corrected", "pace"]
    assert list(line["stage_ms"]) == ["preprocess", "infer", "heads", "total"]
    assert line["stage_ms"]["total"] >= line["stage_ms"]["infer"] > 0
    assert line["schema"] == 1
    assert line["run"] == 1
    assert line["warnings"] == []


def test_nan_is_survived_and_flagged(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with (
        outlet(tmp_path, name, speed=4.0, nan=[512, 600]),
        live(tmp_path, bundle.path, name, "--decisions", "60", "--wait", "15") as c,
    ):
        assert c.end(60) == 0, c.err
    found = c.decisions()
    flagged = [d["sample"] for d in found if d["warnings"]]
    assert flagged
    assert min(flagged) > 512
    assert max(flagged) < 600 + 1.5 * SFREQ
    assert all(np.isfinite([hit["score"] for hit in d["retrieved"]["hits"]]).all() for d in found)
    assert c.said("not a number in Fz: the last good value is used") == 1


def test_a_gap_in_the_stamps_begins_a_new_run(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with (
        outlet(tmp_path, name, speed=4.0, gap=[800, 1.0]),
        live(tmp_path, bundle.path, name, "--decisions", "40", "--wait", "15") as c,
    ):
        assert c.end(60) == 0, c.err
    assert c.said("128 samples (1.000 s) are missing by their stamps: run 2 begins") == 1
    second = [d for d in c.decisions() if d["run"] == 2]
    assert second[0]["index"] == 0
    assert second[0]["sample"] == c.decisions()[0]["sample"]


def test_a_killed_stream_is_lost_and_comes_back_as_a_new_run(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name) as first, live(tmp_path, bundle.path, name, "--wait", "15") as c:
        c.wait_for(lambda c: len(c.out) > 2)
        first.process.kill()
        c.wait_for(lambda c: c.said("] lost, run 1"))
        assert c.said("error: stream lost: ") == 1  # it is known to be gone, not only silent
        with outlet(tmp_path, name, labels=LABELS[::-1]):
            c.wait_for(lambda c: any('"index": 1, "run": 2' in line for line in c.out))
        assert c.said("its channels in another order: run 2 begins") == 1
        assert c.said("channels are matched by name: Fz 1→8, Cz 2→7, Pz 3→6") == 1
        c.process.send_signal(signal.SIGINT)
        assert c.end(PROMPT_S) == 0
    assert [d["index"] for d in c.decisions() if d["run"] == 2][:2] == [0, 1]


def test_a_stream_that_no_longer_fits_stays_lost(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name) as first, live(tmp_path, bundle.path, name, "--wait", "15") as c:
        c.wait_for(lambda c: c.out)
        first.process.kill()
        c.wait_for(lambda c: c.said("] lost"))
        with outlet(tmp_path, name, labels=LABELS[:4]):
            c.wait_for(lambda c: c.said("was 8, now 4; channels came back without C3, C4, T7, T8"))
        with outlet(tmp_path, name):
            c.wait_for(lambda c: c.said("live, run 2"))
        assert c.process.poll() is None


def test_a_silent_stream_is_stale_then_lost_and_goes_on_where_it_was(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name) as sender, live(tmp_path, bundle.path, name, "--wait", "15") as c:
        c.wait_for(lambda c: c.out)
        sender.process.send_signal(signal.SIGSTOP)
        c.wait_for(lambda c: c.said("] stale"))
        c.wait_for(lambda c: c.said("] lost"))
        said = len(c.out)
        sender.process.send_signal(signal.SIGCONT)
        c.wait_for(lambda c: len(c.out) > said + 2)
    found = c.decisions()
    assert_same(found, offline(bundle, Plan("x")))
    assert {d["run"] for d in found} == {1}


def refused(folder: Path, bundle: Path, *options: str) -> str:
    """The one sentence of a refusal."""
    command = ["-m", "rtdecode", "live", "--headless", "--bundle", str(bundle), *options]
    with running(command, folder) as c:
        assert c.end(30) == 2, c.err
    assert c.out == []
    errors = [line for line in c.err if line.startswith("error: ")]
    assert len(errors) == 1, c.err
    assert not c.said("Traceback")
    return errors[0]


def test_no_such_stream_lists_those_there_are(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name):
        error = refused(tmp_path, bundle.path, "--stream", "nobody", "--wait", "1")
    assert "there is no stream named 'nobody' (found: " in error
    assert f"{name} (EEG)" in error


def test_two_streams_of_one_name_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name, source_id="left"), outlet(tmp_path, name, source_id="right"):
        error = refused(tmp_path, bundle.path, "--stream", name)
    assert f"there are 2 streams named '{name}'" in error
    assert "source_id left" in error
    assert "source_id right" in error


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"labels": LABELS[:6]}, "6 of 8 channels matched by name, missing: T7, T8"),
        ({"unit": "degrees"}, "unit is 'degrees' for Fz and 7 more, the bundle needs microvolts"),
        ({"sfreq": 250.0}, "rate is 250 Hz, the bundle needs 128 Hz"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused(
    bundle: Bundle, tmp_path: Path, plan: dict[str, Any], words: str
) -> None:
    name = unique_name()
    with outlet(tmp_path, name, **plan):
        error = refused(tmp_path, bundle.path, "--stream", name)
    assert "does not fit the bundle" in error
    assert words in error


def test_a_damaged_bundle_is_refused(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    (tmp_path / "b" / "model.onnx").write_bytes(b"not it")
    assert "model.onnx is damaged" in refused(tmp_path, tmp_path / "b", "--stream", "any")


def family(process: int) -> list[psutil.Process]:
    return psutil.Process(process).children(recursive=True)


def test_a_killed_parent_leaves_no_process_behind(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name), live(tmp_path, bundle.path, name, "--wait", "15") as c:
        c.wait_for(lambda c: c.out)
        children = family(c.process.pid)
        assert children
        os.kill(c.process.pid, signal.SIGKILL)
        c.process.wait()
        alive = left_after(children)
        assert alive == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_two_seconds(bundle: Bundle, tmp_path: Path, number: signal.Signals) -> None:
    name = unique_name()
    with outlet(tmp_path, name), live(tmp_path, bundle.path, name, "--wait", "15") as c:
        c.wait_for(lambda c: c.out)
        children = family(c.process.pid)
        os.kill(c.process.pid, number)
        assert c.end(PROMPT_S) == 0
        assert left_after(children) == []
    assert c.said("runs 1, samples lost 0") == 1
    assert not c.said("Traceback")


def test_a_reader_that_has_seen_enough_ends_it_quietly(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name), running(["-c", _PIPED, str(bundle.path), name], tmp_path) as c:
        assert c.end(30) == 0
    assert len(c.out) == 2
    assert json.loads(c.out[1])["index"] == 1
    assert not c.said("Traceback")
    assert not c.said("BrokenPipe")
    assert c.err[-1] == "exit 0"


_PIPED = """
import subprocess, sys
command = [sys.executable, "-m", "rtdecode", "live", "--headless"]
command += ["--bundle", sys.argv[1], "--stream", sys.argv[2]]
with subprocess.Popen([*command, "--wait", "15"], stdout=subprocess.PIPE, text=True) as live:
    for _ in range(2):
        print(live.stdout.readline(), end="", flush=True)
    live.stdout.close()
    code = live.wait(10)
print("exit", code, file=sys.stderr)
"""


def test_a_reader_that_stalls_does_not_keep_it_alive(bundle: Bundle, tmp_path: Path) -> None:
    name = unique_name()
    with (
        outlet(tmp_path, name, speed=20.0, loop=True),
        running(["-c", _STALLED, str(bundle.path), name], tmp_path) as c,
    ):
        assert c.end(60) == 0
    assert c.err[-1] == "exit 130"
    assert not c.said("Traceback")


_STALLED = """
import fcntl, signal, struct, subprocess, sys, termios, time
command = [sys.executable, "-m", "rtdecode", "live", "--headless"]
command += ["--bundle", sys.argv[1], "--stream", sys.argv[2]]
with subprocess.Popen([*command, "--wait", "15"], stdout=subprocess.PIPE) as live:
    waiting, since = 0, time.monotonic()
    while not waiting or time.monotonic() < since + 1.0:  # until the pipe is full for a second
        more, = struct.unpack("i", fcntl.ioctl(live.stdout, termios.FIONREAD, b"0000"))
        waiting, since = more, time.monotonic() if more > waiting else since
    start = time.monotonic()
    while live.poll() is None and time.monotonic() < start + 10:
        live.send_signal(signal.SIGINT)
        try:
            live.wait(0.02)  # somebody leans on Ctrl-C
        except subprocess.TimeoutExpired:
            pass
    code = live.returncode
print("exit", code, file=sys.stderr)
"""


def test_the_core_is_nothing_the_terminal_can_interrupt(bundle: Bundle, tmp_path: Path) -> None:
    # Ctrl-C reaches the whole foreground group, the core too, also while it is still loading
    name = unique_name()
    with outlet(tmp_path, name), live(tmp_path, bundle.path, name, "--wait", "15") as c:
        c.wait_for(lambda c: family(c.process.pid))
        deadline = time.monotonic() + 5
        while not c.out and time.monotonic() < deadline:
            for child in family(c.process.pid):
                child.send_signal(signal.SIGINT)
        c.wait_for(lambda c: c.out)
        c.process.send_signal(signal.SIGINT)
        assert c.end(PROMPT_S) == 0
    assert not c.said("KeyboardInterrupt")
