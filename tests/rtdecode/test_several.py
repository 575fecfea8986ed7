"""Several streams or bundles at once: what one decoder goes through, no other notices.

Why it matters: a laboratory that runs two listeners must not lose both to one loose cable.
"""

import contextlib
import dataclasses
import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtdecode.bundle import Bundle
from rtdecode.cli import main
from rtdecode.commands import several
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.errors import BundleError, ConfigError
from rtdecode.live.config import CoreConfig
from rtdecode.live.several import Member, members
from rtdecode.recordings import decode
from tests.bundles import make_bundle
from tests.outlet import Plan, recording
from tests.processes import PROMPT_S, Running, left_after, outlet, running, unique_name

CONFIG = CoreConfig("b", outlets="out")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("several") / "tiny")


def of(c: Running, stream: str, **which: Any) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in list(c.out)]
    return [d for d in found if d["stream"] == stream and which.items() <= d.items()]


def test_every_stream_meets_every_bundle_under_its_own_name(bundle: Bundle, tmp_path: Path) -> None:
    one = members(CONFIG, ["A", "B"], [bundle.path], tmp_path / "log")
    assert [(m.name, m.config.stream, m.bundle) for m in one] == [("A", "A", "tiny"), ("B", "B", "tiny")]
    assert [m.record for m in one] == [tmp_path / "log" / "A", tmp_path / "log" / "B"]
    assert [m.config.outlets for m in one] == ["out-A", "out-B"]
    other = make_bundle(tmp_path / "other").path
    two = members(CONFIG, ["EEG"], [bundle.path, other], tmp_path / "log")
    assert [m.name for m in two] == ["tiny", "other"]
    assert [m.record.name for m in two if m.record] == ["EEG-tiny", "EEG-other"]
    assert [m.name for m in members(CONFIG, ["A", "B"], [bundle.path, other])][1] == "A · other"


@pytest.mark.parametrize(
    ("streams", "words"),
    [
        (["A", ""], "a stream without a name"),
        (["A", "A"], "the stream A is named twice"),
        (["A/b", "A?b"], "two of these decoders would be recorded in one directory: A_b"),
        ([str(k) for k in range(65)], "65 streams by 1 bundles are more than 64 decoders"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(bundle: Bundle, streams: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        members(CONFIG, streams, [bundle.path], Path("log"))


def test_a_name_from_the_network_is_no_path(bundle: Bundle) -> None:
    found = members(CONFIG, ["../../etc", "..", "EEG 1"], [bundle.path], Path("log"))
    assert [m.record for m in found] == [Path("log/_.._etc"), Path("log/_"), Path("log/EEG 1")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--streams", "A,B", "--stream", "C"], "--streams names all streams"),
        (["--bundle", "other"], "several bundles need the name of their stream"),
        (["--streams", "A,B", "--bundle", "other"], "other is not a bundle: there is no such directory"),
        (
            ["--streams", "A,B", "--engine", "batched", "--record", "d"],
            "a session log is decoded again by one",
        ),
        (
            ["--streams", "A,B", "--engine", "batched", "--precision", "int8"],
            "--engine batched runs one bundle",
        ),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_starts(
    bundle: Bundle, capsys: pytest.CaptureFixture, arguments: list[str], words: str
) -> None:
    assert main(["live", "--headless", "--bundle", str(bundle.path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {words}") and error.count("\n") == 1


def test_the_process_of_a_batch_is_started_where_no_core_will_be(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    @contextlib.contextmanager
    def each_reserved(configs: list[CoreConfig]) -> Iterator[list[CoreConfig]]:
        order.append("processors")
        yield [dataclasses.replace(config, processor=str(k)) for k, config in enumerate(configs)]

    @contextlib.contextmanager
    def shared_batch(path: Path, seats: int, threads: int) -> Iterator[str]:
        order.append(f"batch of {seats}")
        yield "there"

    def decoded(planned: Sequence[Member], **_: Any) -> int:
        order.extend(f"{one.config.stream} {one.config.processor} {one.config.batch}" for one in planned)
        return 0

    monkeypatch.setattr(several, "each_reserved", each_reserved)
    monkeypatch.setattr(several, "run_several_headless", decoded)
    monkeypatch.setattr("rtdecode.live.batch.shared_batch", shared_batch)
    command = ["live", "--headless", "--bundle", str(bundle.path), "--streams", "A,B"]
    assert main([*command, "--engine", "batched"]) == 0
    assert order == ["processors", "batch of 2", "A 0 there", "B 1 there"]


def test_a_directory_that_is_no_bundle_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no bundle\.json"):
        members(CONFIG, ["A"], [tmp_path])


def live(folder: Path, bundle: Bundle, names: list[str], *options: str):
    command = ["-m", "rtdecode", "live", "--headless", "--bundle", str(bundle.path), "--wait", "15"]
    return running([*command, "--streams", ",".join(names), *options], folder)


@pytest.mark.live
def test_what_one_goes_through_changes_nothing_for_the_other(bundle: Bundle, tmp_path: Path) -> None:
    left, right = unique_name(), unique_name()
    played = recording(Plan("x", seconds=10.0))
    expected = decode(Engine(bundle, bundle.spec.stream.bind(played.info), open_session(bundle)), played)
    with (
        outlet(tmp_path, left, source_id="l") as dying,
        outlet(tmp_path, right, source_id="r", speed=4.0, seconds=10.0),
        live(
            tmp_path,
            bundle,
            [left, "nobody", right],
            "--wait",
            "5",
            "--policy",
            "every",
            "--record",
            str(tmp_path / "log"),
        ) as c,
    ):
        c.wait_for(lambda c: of(c, left) and of(c, right))
        # of each a recorder and a core, started in the order they were named
        children = psutil.Process(c.process.pid).children()
        spawned = (p for p in children if "spawn_main" in " ".join(p.cmdline()))
        next(spawned)
        core = next(spawned)
        dying.process.kill()
        c.wait_for(lambda c: c.said(f"{left}: lost, run 1"))
        c.wait_for(lambda c: c.said("nobody: error: there is no stream named 'nobody'"))
        core.kill()
        c.wait_for(
            lambda c: c.said(f"{left}: error: the decoder stopped: its process ended with exit code -9")
        )
        c.wait_for(lambda c: len(of(c, right)) == len(expected))
        os.kill(c.process.pid, signal.SIGINT)
        assert c.end(PROMPT_S) == 1  # a decoder broke
        assert left_after(children) == []
    found = of(c, right, bundle="tiny")
    assert [d["sample"] for d in found] == [d.sample for d in expected]
    assert [d["retrieved"]["hits"][0]["id"] for d in found] == [d.retrieved.hits[0].id for d in expected]
    assert [d["text"]["delta"] for d in found] == [d.text.delta for d in expected]
    assert c.said(f"rtdecode: {right}: {len(expected)} decisions") == 1 and not c.said("Traceback")
    assert not (tmp_path / "log" / "nobody").exists()
    # each has a log of its own, which decodes again
    assert main(["review", str(tmp_path / "log" / right), "--redecode"]) == 0


@pytest.mark.live
def test_two_bundles_decode_one_stream_until_each_has_said_enough(bundle: Bundle, tmp_path: Path) -> None:
    name, other = unique_name(), make_bundle(tmp_path / "other")
    command = ["-m", "rtdecode", "live", "--headless", "--wait", "15", "--stream", name, "--decisions", "5"]
    command += ["--bundle", str(bundle.path), "--bundle", str(other.path), "--policy", "every"]
    with outlet(tmp_path, name, speed=4.0), running(command, tmp_path) as c:
        assert c.end(30) == 0, c.err
    one, two = of(c, name, bundle="tiny"), of(c, name, bundle="other")
    assert len(one) == len(two) == 5 == len(c.out) / 2
    assert list(one[0])[:3] == ["stream", "bundle", "schema"]
    assert [d["sample"] for d in one] == [d["sample"] for d in two]
