"""A processor for the core alone, asked of the real kernel.

Why it matters: a screen that woke while a decision was made took the processor from it, and one decision in a
hundred came a millisecond late. Two decoders on one machine must not choose the same one, a killed one must
not keep it, and nobody may be left without any.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtdecode.bench.bundle import make_bench_bundle
from rtdecode.errors import ConfigError
from rtdecode.live import processor as claims
from rtdecode.live.config import CoreConfig
from rtdecode.live.processor import each_reserved, keep_to, parse, reserved
from rtdecode.live.supervisor import Supervisor
from tests.processes import ROOT

ALLOWED = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [0]
linux = pytest.mark.skipif(len(ALLOWED) < 2, reason="a processor to spare, and Linux, are needed")

HOLDER = """
import sys
from rtdecode.live import processor
from rtdecode.live.config import CoreConfig
from rtdecode.live.processor import reserved
processor._NAME = {!r}
with reserved(CoreConfig("none", processor={!r})) as config:
    print(config.processor, flush=True)
    sys.stdin.read()
"""


def config(processor: str, threads: int = 1) -> CoreConfig:
    return CoreConfig("none", processor=processor, threads=threads)


def holder(processor: str) -> subprocess.Popen[str]:
    """Another decoder that has claimed one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDER.format(claims._NAME, processor)]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two processors, and claims that no decoder of another test can hold."""
    before = os.sched_getaffinity(0)
    monkeypatch.setattr(claims, "_NAME", f"\0rtdecode-test-{uuid.uuid4().hex}-{{}}")
    os.sched_setaffinity(0, set(ALLOWED[:2]))
    yield
    os.sched_setaffinity(0, before)


@linux
def test_the_core_gets_the_last_and_everything_else_keeps_off(alone: None) -> None:
    first, last = sorted(os.sched_getaffinity(0))
    with reserved(config("auto")) as found:
        assert found.processor == str(last) and os.sched_getaffinity(0) == {first}
    assert os.sched_getaffinity(0) == {first, last}


@linux
def test_a_second_decoder_is_left_to_the_system_until_the_first_is_gone(alone: None) -> None:
    first, last = sorted(os.sched_getaffinity(0))
    other = holder("auto")
    try:
        assert other.stdout is not None and other.stdout.readline().strip() == str(last)
        with reserved(config("auto")) as found:
            assert found.processor == "any" and os.sched_getaffinity(0) == {first, last}
        with pytest.raises(ConfigError, match=f"another decoder keeps to processor {last} already"):
            reserved(config(str(last))).__enter__()
    finally:
        other.kill()
        other.communicate()
    with reserved(config("auto")) as found:  # whoever is killed gives it back
        assert found.processor == str(last)


@linux
def test_one_asked_for_by_number_is_taken_or_refused_in_a_sentence(alone: None) -> None:
    first, last = sorted(os.sched_getaffinity(0))
    with reserved(config(str(first))) as found:
        assert found.processor == str(first) and os.sched_getaffinity(0) == {last}
    with pytest.raises(ConfigError, match=r"processor 99999 cannot be kept .* may use") as problem:
        reserved(config("99999")).__enter__()
    assert "one must be left" in problem.value.hint
    with pytest.raises(ConfigError, match=f"--processor {last} is one, and --threads 2 would share it"):
        reserved(config(str(last), threads=2)).__enter__()
    os.sched_setaffinity(0, {last})
    with pytest.raises(ConfigError, match=f"processor {last} cannot be kept"):
        reserved(config(str(last))).__enter__()


@linux
def test_what_was_reserved_is_passed_on_within(alone: None) -> None:
    first, last = sorted(os.sched_getaffinity(0))
    with reserved(config("auto")) as found:
        with reserved(found) as again:
            assert again == found
        assert os.sched_getaffinity(0) == {first}
    with reserved(config(str(last))) as found:  # it was given back
        assert found.processor == str(last) and os.sched_getaffinity(0) == {first}


@linux
def test_nothing_is_kept_for_several_threads_or_where_it_was_not_asked() -> None:
    before = os.sched_getaffinity(0)
    for asked in (config("auto", threads=2), config("any")):
        with reserved(asked) as found:
            assert found.processor == "any" and os.sched_getaffinity(0) == before


@linux
def test_several_get_one_each_or_none_of_them_does(alone: None) -> None:
    allowed = os.sched_getaffinity(0)
    with each_reserved([config("auto")]) as found:
        assert [one.processor for one in found] == [str(max(allowed))]
    with each_reserved([config("auto"), config("auto")]) as found:
        assert [one.processor for one in found] == ["any", "any"] and os.sched_getaffinity(0) == allowed
    with pytest.raises(ConfigError, match="processor 1 is one, and there are 2 decoders"):
        each_reserved([config("1"), config("1")]).__enter__()


@linux
def test_several_get_none_where_others_have_too_many(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    may = {0, 1, 2, 3}
    with monkeypatch.context() as larger:  # a machine that has so many
        larger.setattr(os, "sched_getaffinity", lambda pid: set(may))
        larger.setattr(os, "sched_setaffinity", lambda pid, to: (may.clear(), may.update(to)))
        with each_reserved([config("auto")] * 3) as found:
            assert len({one.processor for one in found} - {"any"}) == 3 and len(may) == 1
        with claims._bind(3), each_reserved([config("auto")] * 3) as found:  # type: ignore[union-attr]
            assert [one.processor for one in found] == ["any"] * 3 and may == {0, 1, 2, 3}


@linux
def test_where_the_system_forbids_it_the_core_is_left_to_it(
    alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    last = max(os.sched_getaffinity(0))
    with monkeypatch.context() as sandbox:
        sandbox.setattr(os, "sched_setaffinity", denied)
        with reserved(config("auto")) as found:
            assert found.processor == "any"
        with pytest.raises(ConfigError, match=f"nobody off processor {last}: Operation not permitted"):
            reserved(config(str(last))).__enter__()
        sandbox.setattr(claims.socket, "socket", denied)
        with reserved(config("auto")) as found:
            assert found.processor == "any"


@linux
def test_a_core_is_where_it_was_told_to_be(tmp_path: Path, alone: None) -> None:
    make_bench_bundle(tmp_path / "bundle", 4, 250.0)
    asked = CoreConfig(str(tmp_path / "bundle"), "nobody sends this", wait_s=None, processor="auto")
    with reserved(asked) as found, Supervisor(found) as core:
        status, deadline = Path(f"/proc/{core.pid}/status"), time.monotonic() + 30
        line = f"Cpus_allowed_list:\t{found.processor}\n"
        while line not in status.read_text():
            assert time.monotonic() < deadline, status.read_text()
            time.sleep(0.01)
        threads = [path.read_text() for path in Path(f"/proc/{core.pid}/task").glob("*/status")]
        assert all(line in text for text in threads)


def test_a_fast_processor_comes_before_slow_ones_that_are_listed_last(tmp_path: Path) -> None:
    fastest = {0: 5200000, 1: 5400000, 2: 3900000, 3: 3900000}  # kHz: two fast, two slow
    for number, khz in fastest.items():
        (tmp_path / f"cpu{number}" / "cpufreq").mkdir(parents=True)
        (tmp_path / f"cpu{number}" / "cpufreq" / "cpuinfo_max_freq").write_text(f"{khz}\n")
    assert sorted(fastest, key=lambda n: claims._speed(n, tmp_path)) == [2, 3, 0, 1]
    (tmp_path / "cpu3" / "cpu_capacity").write_text("1024\n")
    assert max(fastest, key=lambda n: claims._speed(n, tmp_path)) == 3
    assert max([4, 9, 7], key=lambda n: claims._speed(n, tmp_path)) == 9, "equal ones: the last"


def test_anywhere_is_better_than_a_processor_that_is_gone() -> None:
    before = os.sched_getaffinity(0) if sys.platform == "linux" else None
    for processor in ("any", "auto", "99999"):
        keep_to(processor)
    if before is not None:
        assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("text", ["auto", "any", "0", "17"])
def test_what_may_be_asked_for(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize("text", ["", "-1", "1,2", "last", "²", "9999999"])
def test_what_may_not(text: str) -> None:
    with pytest.raises(ConfigError, match="is no processor"):
        parse(text)
