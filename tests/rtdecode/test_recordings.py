"""Whatever the format: the same plain recording, or one sentence that says why not.

Why it matters: a recording in the wrong unit, with a gap papered over, or of the wrong stream decodes into
confident nonsense.
"""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.errors import MissingExtra, RecordingError
from rtdecode.recordings import Recording, decode, pieces, read
from rtdecode.xdf_writer import XdfWriter
from tests.bundles import LABELS, SFREQ, make_bundle, planted

RNG = np.random.default_rng(3)
EEG = RNG.normal(size=(300, 3)).astype(np.float32)


def write_xdf(path: Path, data: np.ndarray = EEG, also: tuple[tuple[str, str], ...] = ()) -> Path:
    with XdfWriter(path) as file:
        file.samples(data, 100.0, 100.0, "amp", "EEG", ("Fz", "Cz", "Pz"), "microvolts", "a")
        for name, stype in also:
            file.samples(data[:, :1], 100.0, 50.0, name, stype, ("x",), "g", name)
        file.markers([(101.0, "one"), (100.5, "zero")], "words", "w")
    return path


def refused(path: Path, stream: str | None = None) -> str:
    with pytest.raises(RecordingError) as caught:
        read(path, stream)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600
    return said


# --- XDF ---


def test_xdf_samples_stamps_labels_units_and_markers(tmp_path: Path) -> None:
    found = read(write_xdf(tmp_path / "a.xdf"))
    assert found.data.dtype == np.float32
    assert np.array_equal(found.data, EEG)
    assert found.stamps is not None
    np.testing.assert_allclose(found.stamps, 100 + np.arange(300) / 100, atol=1e-6)
    assert (found.labels, set(found.units)) == (("Fz", "Cz", "Pz"), {"microvolts"})
    assert (found.name, found.stype, found.sfreq, found.notes) == ("amp", "EEG", 100.0, ())
    assert [(round(m.t, 6), m.text) for m in found.markers] == [(0.5, "zero"), (1.0, "one")]
    assert found.info.labels == found.labels


def test_xdf_stream_by_name_type_or_both(tmp_path: Path) -> None:
    path = write_xdf(tmp_path / "a.xdf", also=(("amp", "ACC"), ("other", "GYRO")))
    assert read(path, "other").stype == "GYRO"
    assert read(path, "eeg").name == "amp"
    assert read(path, "amp/ACC").sfreq == 50
    said = refused(path)
    assert "3 streams of signals" in said
    assert "amp/EEG (3 ch, 100 Hz, 300 samples)" in said
    assert "2 streams called 'amp'" in refused(path, "amp")
    absent = refused(path, "MEG")
    assert "no stream 'MEG'" in absent
    assert "words/Markers (strings, 2)" in absent
    assert all("--select" in sentence for sentence in (said, absent))


def test_xdf_cut_short_or_overwritten(tmp_path: Path) -> None:
    whole = write_xdf(tmp_path / "a.xdf").read_bytes()
    middle = len(whole) // 2
    (tmp_path / "b.xdf").write_bytes(whole[:middle])  # within a chunk of samples
    assert "damaged" in refused(tmp_path / "b.xdf")
    (tmp_path / "c.xdf").write_bytes(whole[:middle] + b"\x99" * 400 + whole[middle + 400 :])
    assert "damaged" in refused(tmp_path / "c.xdf")


def test_nan_is_located(tmp_path: Path) -> None:
    data = EEG.copy()
    data[120:122, 1] = np.nan
    data[121, 2] = np.inf
    said = refused(write_xdf(tmp_path / "a.xdf", data))
    assert "3 values that are not finite" in said
    assert "in Cz and 1 more channels, first at 1.200 s" in said


# --- anything that is no recording ---


@pytest.mark.parametrize("name", ["a.xdf", "a.fif", "a.edf", "a.bdf", "a.vhdr", "a.con", "a.sqd", "a.mat"])
@pytest.mark.parametrize("content", [b"", b"not a recording at all\n" * 50, bytes(range(256)) * 8])
def test_garbage_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, capfd: pytest.CaptureFixture
) -> None:
    if name not in ("a.xdf", "a.mat"):
        pytest.importorskip("mne", reason="MNE-Python reads this format")
    (tmp_path / name).write_bytes(content)
    assert name in refused(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_wrong_paths(tmp_path: Path) -> None:
    assert "there is no recording" in refused(tmp_path / "a.xdf")
    (tmp_path / "a.xdff").write_bytes(b"x")
    assert "did you mean .xdf" in refused(tmp_path / "a.xdff")
    (tmp_path / "b").write_bytes(b"x")
    assert "has no ending" in refused(tmp_path / "b")
    (tmp_path / "c.xdf").mkdir()
    assert "is a folder" in refused(tmp_path / "c.xdf")
    for folder in (tmp_path, Path(), Path(".."), Path("/")):
        assert "is a folder, not a recording" in refused(folder)
    (tmp_path / "d.ds").write_bytes(b"x")
    assert "is a file" in refused(tmp_path / "d.ds")
    (tmp_path / "e.vhdr").write_bytes(b"x")
    (tmp_path / "e.eeg").write_bytes(b"x")
    assert "e.vhdr" in refused(tmp_path / "e.eeg")


def test_a_parsers_own_slip_is_not_told_as_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["rtdecode.recordings.read"]  # the package's name for it is the function
    (tmp_path / "a.fif").write_bytes(b"x")
    for slip, because in (
        (AttributeError("'NoneType' object has no attribute 'kind'"), ""),
        (ValueError("no section. Pass overrides={'sfreq': <value>} to read_raw"), ": no section"),
    ):

        def stumbles(path: Path, stream: str | None, slip: Exception = slip) -> None:
            raise slip

        monkeypatch.setattr(module, "_reader", lambda _, reader=stumbles: reader)
        with pytest.raises(RecordingError) as problem:
            read(tmp_path / "a.fif")
        assert problem.value.message.endswith(f"damaged, or not what its name says (FIF){because}")
        assert "copy the file again" in problem.value.hint


def test_without_mne_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mne", None)
    (tmp_path / "a.edf").write_bytes(b"x")
    with pytest.raises(MissingExtra, match=r"rtdecode\[mne\]"):
        read(tmp_path / "a.edf")


# --- the cocktail-party .mat ---


def test_cocktail_mat(tmp_path: Path) -> None:
    eeg, mast = RNG.normal(size=(50, 128)), RNG.normal(size=(50, 2))
    savemat(tmp_path / "1_1.mat", {"eeg": eeg, "mast": mast})
    found = read(tmp_path / "1_1.mat")
    assert found.labels[:2] + found.labels[-3:] == ("A1", "A2", "D32", "M1", "M2")
    assert (found.sfreq, found.data.shape, set(found.units)) == (128.0, (50, 130), {"microvolts"})
    np.testing.assert_array_equal(found.data[:, 128:], mast.astype(np.float32))
    assert "the file names none" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"mast": np.zeros((5, 2))}, "no 'eeg'"),
        ({"eeg": np.zeros((5, 64)), "mast": np.zeros((5, 2))}, "shape (5, 64)"),
        ({"eeg": np.zeros((5, 128)), "mast": np.zeros((4, 2))}, "5 samples and mast 4"),
        ({"eeg": np.zeros((0, 128)), "mast": np.zeros((0, 2))}, "0 samples"),
        ({"eeg": np.full((5, 128), np.nan), "mast": np.zeros((5, 2))}, "not finite"),
    ],
)
def test_other_mat_files(tmp_path: Path, content: dict, said: str) -> None:
    savemat(tmp_path / "a.mat", content)
    assert said in refused(tmp_path / "a.mat")


# --- through MNE ---


@pytest.mark.parametrize("first_samp", [0, 700])
def test_fif_units_markers_and_stimulus_channels(tmp_path: Path, first_samp: int) -> None:
    mne = pytest.importorskip("mne", reason="MNE-Python reads FIF")
    info = mne.create_info(["Fz", "MEG1", "STI", "EMG"], 200.0, ["eeg", "mag", "stim", "emg"])
    data = np.zeros((4, 400))
    data[0], data[1], data[3, 7] = 5e-6, 3e-15, 1e-3
    raw = mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")
    raw.set_annotations(mne.Annotations([0.5], [0.0], ["here"]))
    raw.info["bads"] = ["Fz"]
    raw.save(tmp_path / "odd_name.fif", verbose="ERROR", overwrite=True)
    found = read(tmp_path / "odd_name.fif")
    assert found.labels == ("Fz", "MEG1", "EMG")
    assert found.units == ("microvolts", "femtotesla", "microvolts")
    np.testing.assert_allclose(found.data[7], [5, 3, 1000], rtol=1e-6)
    assert [(m.t, m.text) for m in found.markers] == [(0.5, "here")]
    assert found.notes == ("marked bad in the file: Fz",)
    assert found.stamps is None


@pytest.mark.parametrize("ending", ["edf", "bdf"])
def test_edf_and_bdf(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("mne", reason="MNE-Python reads EDF and BDF")
    edfio = pytest.importorskip("edfio", reason="edfio writes the file")
    make, signal = (edfio.Edf, edfio.EdfSignal) if ending == "edf" else (edfio.Bdf, edfio.BdfSignal)
    wave = 50 * np.sin(np.arange(512) / 9)
    make([signal(wave, 256, label=name, physical_dimension="uV") for name in ("C3", "C4")]).write(
        tmp_path / f"a.{ending}"
    )
    found = read(tmp_path / f"a.{ending}")
    assert (found.labels, found.units, found.sfreq) == (("C3", "C4"), ("microvolts",) * 2, 256.0)
    np.testing.assert_allclose(found.data[:, 1], wave, atol=0.01)


# --- real files ---

REAL = [
    ("xdf/minimal.xdf", None, (9, 3), 10, "EEG", {""}),
    ("xdf/clock_resets.xdf", "BioSemi", (27815, 8), 100, "EEG", {""}),
    ("xdf/usbamp_T1_run-001.xdf", None, (37504, 16), 256, "EEG", {"microvolts"}),
    ("xdf/usbamp_MISwitch_run-003.xdf", "EEG", (33792, 16), 256, "EEG", {"microvolts"}),
    ("xdf/muse_P001_old.xdf", "EEG", (6408, 5), 256, "EEG", {"microvolts"}),
    ("xdf/muse_P002.xdf", "Muse/ACC", (882, 3), 52, "ACC", {"g"}),
    ("meg-formats-mne/Brainvision/test_NO.vhdr", None, (2238, 65), 5000, "EEG", {"microvolts"}),
    (
        "meg-formats-mne/CTF/testdata_ctf_short_discontinuous.ds",
        None,
        (2402, 353),
        1200,
        "MEG",
        {"femtotesla", "microvolts", "volts"},
    ),
    ("meg-formats-mne/KIT/MQKIT_125_2sec.con", None, (2000, 192), 1000, "MEG", {"femtotesla", "volts"}),
    ("meg-kit-umd/test_umd-raw.sqd", None, (100, 192), 1000, "MEG", {"femtotesla", "volts"}),
    ("seeg-edf/sample_seeg.edf", None, (20000, 98), 1000, "EEG", {"microvolts"}),
    ("eeg-cocktail-party/1_2.mat", None, (7680, 130), 128, "EEG", {"microvolts"}),
]


@pytest.mark.parametrize(("file", "stream", "shape", "sfreq", "stype", "units"), REAL)
def test_real_files(
    data_dir: Path, file: str, stream: str, shape: tuple, sfreq: float, stype: str, units: set, capfd
) -> None:
    if not file.endswith((".xdf", ".mat")):
        pytest.importorskip("mne", reason="MNE-Python reads this format")
    if not (data_dir / file).exists():
        pytest.skip(f"no {file} in {data_dir}")
    found = read(data_dir / file, stream)
    assert (found.data.shape, found.sfreq, found.stype, set(found.units)) == (shape, sfreq, stype, units)
    assert len(set(found.labels)) == len(found.units) == shape[1]
    assert found.data.flags.c_contiguous
    assert sum(len(chunk.data) for chunk in pieces(found, 1000)) == shape[0]
    assert capfd.readouterr() == ("", "")


def test_real_clock_reset_and_empty_stream(data_dir: Path) -> None:
    found = read(data_dir / "xdf/clock_resets.xdf", "BioSemi")
    assert found.segments == ((0, 12876), (12876, 27815))
    assert "2 segments" in " ".join(found.notes)
    assert [chunk.first for chunk in pieces(found, 20_000)] == [0, 0]
    assert "it holds 0 samples" in refused(data_dir / "xdf/muse_P002.xdf", "PPG")
    assert "4 streams called 'Muse'" in refused(data_dir / "xdf/muse_P002.xdf", "Muse")


def test_real_markers(data_dir: Path) -> None:
    found = read(data_dir / "xdf/usbamp_T1_run-001.xdf")
    assert "Trial Started" in {marker.text for marker in found.markers}
    assert len(found.markers) == 736
    pytest.importorskip("mne", reason="MNE-Python reads EDF")
    seeg = read(data_dir / "seeg-edf/sample_seeg.edf")
    assert [(m.t, m.text) for m in seeg.markers][:2] == [(5.0, "test annotation"), (7.0, "test mark")]


# --- into the decoder ---


def test_a_gap_starts_a_new_run(tmp_path: Path) -> None:
    # samples  0 ......... 1500 | 1500 ......... 2560     one recording, two runs
    data, gap = planted(), 1500
    bundle = make_bundle(tmp_path / "b")
    units = ("microvolts",) * len(LABELS)
    recording = Recording(data, SFREQ, LABELS, units, "EEG", "gap", segments=((0, gap), (gap, len(data))))

    def decided(one: Recording, size: int) -> list:
        engine = Engine(bundle, bundle.spec.stream.bind(one.info), open_session(bundle))
        return [(d.run, d.sample, d.text, d.retrieved) for d in decode(engine, one, size)]

    whole = decided(recording, len(data))
    after = decided(Recording(data[gap:], SFREQ, LABELS, units, "EEG", "after"), 64)
    assert {run for run, *_ in whole} == {1, 2}
    assert [row[1:] for row in whole if row[0] == 2] == [row[1:] for row in after]
    assert decided(recording, 7) == whole


def test_pieces_of_no_size_are_refused() -> None:
    recording = Recording(EEG, 100.0, ("a", "b", "c"), ("", "", ""), "EEG", "x")
    with pytest.raises(ValueError, match="at least 1"):
        next(pieces(recording, 0))


def test_reading_needs_no_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdout", said)
    read(write_xdf(tmp_path / "a.xdf"))
    assert said.getvalue() == ""
