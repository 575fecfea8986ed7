"""Lines arrive whole and in order; a reader that is slow or gone never holds up the writer."""

import os
from collections.abc import Iterator

import pytest

from rtdecode.live.lines import LineReader, LineWriter


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            continue


def test_in_order_and_whole(ends: tuple[int, int]) -> None:
    writer, reader = LineWriter(ends[1]), LineReader(ends[0])
    sent = [{"n": n, "text": "é\n" * n} for n in range(50)]
    for line in sent:
        writer.send(line)
    assert reader.read() == sent
    assert not reader.read()


def test_a_line_larger_than_the_pipe(ends: tuple[int, int]) -> None:
    writer, reader = LineWriter(ends[1]), LineReader(ends[0])
    writer.send({"text": "x" * 300_000})
    found: list = []
    while not found:
        found = reader.read(0.0)
        writer.flush()
    assert found == [{"text": "x" * 300_000}]


def test_nobody_reads_nothing_blocks_and_drops_are_counted(ends: tuple[int, int]) -> None:
    writer, reader = LineWriter(ends[1], keep=10), LineReader(ends[0])
    for n in range(1000):  # a send that waited would wait for ever
        writer.send({"n": n, "fill": "x" * 1000})
    assert writer.dropped > 800
    lines: list[dict] = []
    while len(lines) == 0 or lines[-1]["n"] < 999:
        lines += reader.read()
        writer.flush()
    numbers = [line["n"] for line in lines]
    assert numbers == sorted(set(numbers))
    assert sum(line.get("dropped", 0) for line in lines) == 1000 - len(lines) == writer.dropped


def test_a_reader_that_left_is_noticed(ends: tuple[int, int]) -> None:
    writer = LineWriter(ends[1])
    os.close(ends[0])
    writer.send({"n": 1})
    assert writer.closed
    writer.send({"n": 2})
    writer.drain(1.0)


def test_the_end_is_seen_and_half_a_line_is_not(ends: tuple[int, int]) -> None:
    reader = LineReader(ends[0])
    os.write(ends[1], b'{"n": 1}\n{"n": 2')
    os.close(ends[1])
    assert reader.read(1.0) == [{"n": 1}]
    assert reader.closed
