"""Marker streams of every kind, and the table of faults itself."""

from pathlib import Path

import pytest

from rtdecode.bundle import Bundle
from rtdecode.sources.markers import HELD, LONGEST, Marks, words
from tests.bundles import make_bundle
from tests.faults import INFO, FoundAtOnce


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("faults") / "tiny")


def test_markers_are_bounded_and_readable() -> None:
    assert words([b"word onset"]) == "word onset"
    assert words([3]) == "3"
    assert words([2.5, 1]) == "2.5 1"
    assert words([b"caf\xe9 \xff"]) == "caf� �"
    assert words([b"a\x1b[31mred\x00\n"]) == "a [31mred"
    blob = words([b"x" * (1 << 20)])
    assert len(blob) < LONGEST + 30
    assert blob.endswith("(1048576 bytes)")
    assert len(words([b"x" * 5000] * 300)) <= LONGEST + 24


def test_markers_that_flood_are_dropped_and_counted() -> None:
    marks = Marks("nobody", FoundAtOnce())
    for k in range(HELD + 40):
        marks.put(float(k), [k])
    first, dropped = marks.take(10)
    assert (dropped, first[0].text) == (40, "40")
    rest, dropped = marks.take(10_000)
    assert (dropped, len(rest)) == (0, HELD - 10)
    assert marks.take() == ([], 0)
    marks.close()


def test_absent_marker_stream_is_optional() -> None:
    marks = Marks("nobody", FoundAtOnce(*[[INFO]] * 1000))
    assert marks.take() == ([], 0)
    marks.close()


def test_every_fault_names_a_test_that_exists() -> None:
    root = Path(__file__).parents[2]
    rows = [line for line in (root / "docs" / "faults.md").read_text().splitlines() if line.startswith("| ")]
    named = [cell.strip(" `") for row in rows[2:] for cell in row.split("|")[-2].split(",")]
    assert len(rows) > 20
    for name in named:
        file, test = name.split("::")
        source = (root / "tests" / file).read_text()
        assert f"def {test}(" in source, name
