"""A batch in one process, its streams in others: the same results, and a core that dies leaves its seat."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil
import pytest

from rtdecode.bundle import Bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.errors import ConfigError
from rtdecode.recordings import decode

pytest.importorskip("torch", reason="a batch is run by torch")
from rtdecode.engines.shared import Server, open_shared
from tests.decoders import CHANNELS, HOP, decoder, decoder_bundle
from tests.outlet import Plan, recording
from tests.processes import left_after, outlet, running, unique_name

SEATS = 2


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("shared")
    return decoder_bundle(folder / "b", decoder(causal=True, taps=9, text=True), graphs=False)


@pytest.fixture
def path(bundle: Bundle, tmp_path: Path) -> Iterator[str]:
    """A server in a thread of this process."""
    socket, stop = str(tmp_path / "batch"), Event()
    server = Server(socket, bundle, SEATS, 1, "cpu")

    def serve() -> None:
        while not stop.is_set():
            server.turn(0.05)

    thread = Thread(target=serve)
    thread.start()
    yield socket
    stop.set()
    thread.join()


def pieces(seed: int) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).normal(size=(6, HOP, CHANNELS)).astype(np.float32))


def test_each_core_gets_what_a_session_of_its_own_gives(bundle: Bundle, path: str) -> None:
    shared = [open_shared(bundle, path) for _ in range(SEATS)]
    own = [open_session(bundle, "numpy") for _ in range(SEATS)]
    assert shared[0].info().name == "batched" and (shared[0].info().parity or 1) <= 1e-4
    kept = None
    for k in range(6):
        for i in range(SEATS):
            found, expected = shared[i].run(pieces(i)[k]), own[i].run(pieces(i)[k])
            np.testing.assert_allclose(found.estimate, expected.estimate, rtol=0, atol=1e-5)
            np.testing.assert_allclose(found.log_probs, expected.log_probs, rtol=0, atol=1e-5)
        if k == 2:
            kept = shared[0].state()
    assert kept is not None
    again = shared[0].run(pieces(0)[0])
    shared[0].load_state(kept)
    shared[0].run(pieces(0)[3])
    shared[0].run(pieces(0)[4])
    shared[0].run(pieces(0)[5])
    assert shared[0].run(pieces(0)[0]).estimate.tobytes() == again.estimate.tobytes()


def test_a_core_that_is_killed_gives_its_seat_back_and_a_full_batch_says_so(
    bundle: Bundle, path: str, tmp_path: Path
) -> None:
    stays = open_shared(bundle, path)
    code = (
        "import sys, time; from rtdecode.bundle import load_bundle; from rtdecode.engines.shared import *; "
    )
    code += (
        "s = open_shared(load_bundle(sys.argv[1]), sys.argv[2]); print('here', flush=True); time.sleep(60)"
    )
    with running(["-c", code, str(bundle.path), path], tmp_path) as other:
        other.wait_for(lambda c: c.out)
        with pytest.raises(ConfigError, match="the shared batch gives no seat"):
            open_shared(bundle, path)
        os.kill(other.process.pid, signal.SIGKILL)
        other.process.wait()
    stays.run(pieces(0)[0])  # the server has looked since
    fresh = open_shared(bundle, path)
    expected = open_session(bundle, "numpy").run(pieces(1)[0])
    np.testing.assert_allclose(fresh.run(pieces(1)[0]).estimate, expected.estimate, rtol=0, atol=1e-5)


def test_a_bundle_of_windows_is_refused(tmp_path: Path) -> None:
    windows = decoder_bundle(tmp_path / "w", decoder(causal=False), graphs=False)
    with pytest.raises(ConfigError, match="takes whole windows"):
        Server(str(tmp_path / "s"), windows, 2, 1, "cpu")


@pytest.mark.live
def test_live_streams_share_a_batch_until_it_dies(bundle: Bundle, tmp_path: Path) -> None:
    left, right = unique_name(), unique_name()
    plan = {"labels": bundle.spec.stream.labels, "sfreq": bundle.spec.stream.sfreq, "seconds": 10.0}
    played = recording(Plan("x", **plan))
    engine = Engine(bundle, bundle.spec.stream.bind(played.info), open_session(bundle, "numpy"))
    expected = decode(engine, played)
    command = ["-m", "rtdecode", "live", "--headless", "--bundle", str(bundle.path), "--wait", "30"]
    command += ["--streams", f"{left},{right}", "--engine", "batched", "--policy", "every"]

    def of(c, stream: str) -> list[dict]:
        return [d for d in map(json.loads, list(c.out)) if d["stream"] == stream]

    with (
        outlet(tmp_path, left, source_id="l", **plan),
        outlet(tmp_path, right, source_id="r", **plan),
        running(command, tmp_path) as c,
    ):
        c.wait_for(lambda c: of(c, left) and of(c, right), 40.0)
        children = psutil.Process(c.process.pid).children()
        batch, one, _ = [p for p in children if "spawn_main" in " ".join(p.cmdline())]
        one.kill()
        c.wait_for(lambda c: c.said(f"{left}: error: the decoder stopped"))
        said = len(of(c, right))
        c.wait_for(lambda c: len(of(c, right)) > said + 3)  # the other goes on
        batch.kill()
        c.wait_for(
            lambda c: c.said("the network failed 3 times in a row: ConnectionError: the batch that several")
        )
        c.process.send_signal(signal.SIGINT)
        assert c.end(10) == 1
        assert left_after(children) == []
    found = [d for d in of(c, right) if d["run"] == 1]
    assert len(found) > 3 and not c.said("Traceback")
    assert [d["sample"] for d in found] == [d.sample for d in expected[: len(found)]]
    assert [d["text"]["delta"] for d in found] == [d.text.delta for d in expected[: len(found)]]
