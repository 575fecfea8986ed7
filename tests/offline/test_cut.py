"""A cut recording is the original's first seconds, sample for sample; refusals leave no file."""

from pathlib import Path

import numpy as np
import pytest

from offline.cut import cut
from rtdecode.errors import RecordingError
from rtdecode.recordings import read
from rtdecode.xdf_writer import XdfWriter

SFREQ = 128.0


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.xdf"
    data = np.random.default_rng(0).normal(size=(1280, 3)).astype(np.float32)
    with XdfWriter(path) as file:
        file.samples(data, 1000.0, SFREQ, "Amp", "EEG", ("A", "B", "C"), "microvolts", "amp")
        file.markers(((1000.0 + t, f"m{t}") for t in (0.5, 3.9, 4.1)), "AmpMarkers", "m")
    return path


def test_the_first_seconds_and_their_markers(whole: Path, tmp_path: Path) -> None:
    part, full = read(cut(whole, 4.0, tmp_path / "part.xdf", "EEG"), "EEG"), read(whole, "EEG")
    assert np.array_equal(part.data, full.data[:512])
    assert part.times == pytest.approx(full.times[:512], abs=1e-9)
    assert [marker.text for marker in part.markers] == ["m0.5", "m3.9"]
    assert (part.labels, part.units, part.stype, part.name) == (full.labels, full.units, "EEG", "Amp")


def test_more_than_there_is_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"holds 10 s without a gap, 11 s were asked for"):
        cut(whole, 11.0, tmp_path / "part.xdf")
    assert not (tmp_path / "part.xdf").exists()


def test_nothing_is_overwritten(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="exists"):
        cut(whole, 1.0, whole)
