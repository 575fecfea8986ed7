"""The XDF writer against the field's own reader."""

import numpy as np
import pytest
import pyxdf

from rtdecode.xdf_writer import XdfWriter


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 2000])
def test_samples_stamps_and_description_come_back_exactly(tmp_path, count):
    data = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    with XdfWriter(tmp_path / "a.xdf") as file:
        file.samples(data, 1000.0, 256.0, "A & B", "EEG", ("Cz", "a<b", "Fp1"), "microvolts", "id-1")
        file.markers([(1000.25, '{"kind": "word"}'), (1000.5, "x" * 70_000)], "M", "id-2")
    (eeg, markers), _ = pyxdf.load_xdf(str(tmp_path / "a.xdf"), dejitter_timestamps=False)
    assert np.array_equal(eeg["time_series"], data)
    assert np.allclose(eeg["time_stamps"], 1000 + np.arange(count) / 256, atol=1e-9)
    channels = eeg["info"]["desc"][0]["channels"][0]["channel"]
    assert [c["label"][0] for c in channels] == ["Cz", "a<b", "Fp1"] and channels[0]["unit"] == ["microvolts"]
    assert eeg["info"]["name"] == ["A & B"] and eeg["footer"]["info"]["sample_count"] == [str(count)]
    assert markers["time_series"] == [['{"kind": "word"}'], ["x" * 70_000]]
    assert markers["time_stamps"].tolist() == [1000.25, 1000.5]


def test_default_reading_with_dejitter_agrees(tmp_path):
    data = np.zeros((5120, 2), dtype=np.float32)
    with XdfWriter(tmp_path / "a.xdf") as file:
        file.samples(data, 50.0, 256.0, "A", "EEG", ("a", "b"), "microvolts", "id")
    (eeg,), _ = pyxdf.load_xdf(str(tmp_path / "a.xdf"))
    assert np.allclose(eeg["time_stamps"], 50 + np.arange(5120) / 256, atol=1e-6)
    assert abs(eeg["info"]["effective_srate"] - 256) < 1e-6


def test_refusals(tmp_path):
    with (
        XdfWriter(tmp_path / "a.xdf") as file,
        pytest.raises(ValueError, match="2 channels of data but 1 labels"),
    ):
        file.samples(np.zeros((5, 2)), 0.0, 256.0, "A", "EEG", ("a",), "microvolts", "id")
    with pytest.raises(FileExistsError):
        XdfWriter(tmp_path / "a.xdf")
