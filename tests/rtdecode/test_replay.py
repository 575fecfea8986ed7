"""A replayed recording arrives as it was: every sample, its spacing, its labels, at any speed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtdecode.commands.replay import _length
from rtdecode.errors import ConfigError
from rtdecode.recordings import Recording
from rtdecode.replay import MAX_SPEED, parse_speed, stable_id
from tests.bundles import LABELS, SFREQ, planted
from tests.processes import PROMPT_S, outlet, running, unique_name


def pulled(folder: Path, samples: int, how: str = "", **plan: object) -> dict[str, np.ndarray]:
    """What a listener in another process got of this plan's outlet. how: as tests.pull"""
    name = unique_name()
    with (
        outlet(folder, name, **plan),
        running(["-m", "tests.pull", name, str(samples), "got.npz", how], folder) as c,
    ):
        assert c.end() == 0, c.err
    with np.load(folder / "got.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.live
def test_samples_stamps_and_description_arrive(tmp_path: Path) -> None:
    got = pulled(tmp_path, round(2 * SFREQ), seconds=2.0, markers=True)
    np.testing.assert_array_equal(got["data"], planted(2.0))
    np.testing.assert_allclose(np.diff(got["t"]), 1 / SFREQ, atol=1e-9)
    assert tuple(got["labels"]) == LABELS
    assert set(got["units"]) == {"microvolts"}
    assert list(got["about"]) == ["EEG", "test-outlet", "float32", str(SFREQ)]
    assert list(got["marker_text"]) == ["second 0", "second 1"]
    np.testing.assert_allclose(got["marker_t"] - got["t"][0], [0, 1], atol=1e-9)


def test_its_length_is_how_long_it_plays() -> None:
    stamps = np.concatenate([np.arange(100), 500 + np.arange(100)]) / 100.0
    data = np.zeros((200, 1), np.float32)
    gapped = Recording(data, 100.0, ("Fz",), ("microvolts",), "EEG", "a", stamps, (), ((0, 100), (100, 200)))
    assert _length(gapped, 6.0) == "6.0 s, 4.0 s of them gaps"
    assert _length(replace(gapped, stamps=None, segments=()), 2.0) == "2.0 s"


@pytest.mark.live
def test_it_keeps_time(tmp_path: Path) -> None:
    got = pulled(tmp_path, round(3 * SFREQ), seconds=3.0)
    late = got["at"] - got["t"]  # same machine, same clock: how late each sample could be read
    assert late.min() > -0.001
    assert late.min() < 0.05
    # anchored: the end is no later than the start, whoever else was busy for a moment of either
    assert abs(late[-100:].min() - late[:100].min()) < 0.05


@pytest.mark.live
def test_speed_changes_the_pace_and_not_the_stamps(tmp_path: Path) -> None:
    got = pulled(tmp_path, round(8 * SFREQ), seconds=8.0, speed=8.0)
    np.testing.assert_array_equal(got["data"], planted(8.0))
    np.testing.assert_allclose(np.diff(got["t"]), 1 / SFREQ, atol=1e-9)
    assert 0.7 < got["at"][-1] - got["at"][0] < 2.5


@pytest.mark.live
def test_the_loop_has_no_seam(tmp_path: Path) -> None:
    got = pulled(tmp_path, round(2.5 * SFREQ), seconds=1.0, loop=True, speed=4.0)
    np.testing.assert_allclose(np.diff(got["t"]), 1 / SFREQ, atol=1e-9)
    once = planted(1.0)
    np.testing.assert_array_equal(got["data"][: 2 * len(once)], np.concatenate([once, once]))


@pytest.mark.live
@pytest.mark.parametrize(
    ("dtype", "kind"), [("int16", "float32"), ("int32", "float64"), ("float64", "float64")]
)
def test_every_numeric_format_arrives(tmp_path: Path, dtype: str, kind: str) -> None:
    got = pulled(tmp_path, round(SFREQ), seconds=1.0, dtype=dtype, speed=4.0)
    assert got["data"].dtype == kind
    expected = planted(1.0).astype(dtype) if dtype.startswith("int") else planted(1.0)
    np.testing.assert_allclose(got["data"], expected, atol=0 if dtype == "float64" else 1)


@pytest.mark.live
def test_watching_for_samples_loses_none(tmp_path: Path) -> None:
    got = pulled(tmp_path, round(4 * SFREQ), "watched", seconds=4.0)
    np.testing.assert_array_equal(got["data"], planted(4.0))
    np.testing.assert_allclose(np.diff(got["t"]), 1 / SFREQ, atol=1e-9)


@pytest.mark.live
def test_it_ends_cleanly_when_told_to(tmp_path: Path) -> None:
    name = unique_name()
    with outlet(tmp_path, name) as waiting:
        waiting.process.terminate()
        assert waiting.end(PROMPT_S) == 0
        assert waiting.err == []


def test_speeds() -> None:
    assert parse_speed("0.5") == 0.5
    assert parse_speed("max") == MAX_SPEED
    for wrong in ("fast", "0", "-1", "nan", "inf"):
        with pytest.raises(ConfigError, match="a positive number, or max"):
            parse_speed(wrong)


def test_the_source_id_is_the_same_at_every_start_and_differs_by_stream() -> None:
    assert stable_id("/a/b.xdf", "EEG") == stable_id("/a/b.xdf", "EEG")
    assert stable_id("/a/b.xdf", "EEG") != stable_id("/a/b.xdf", "MEG")
