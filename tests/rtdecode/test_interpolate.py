"""Bad channels made of the good ones: where electrodes sit, what a field between them is, and no step.

                 bad         another bad too      good again
    Cz  ~~~~~~~~|== of 31 ==|== of 30 others ====|~~~~~~~~~~     every bar: it goes on from its last value

Why it matters: a decoder that was trained on all channels should miss as little as possible of a loose one,
and a filter must not ring for seconds because it was helped.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from offline.simulate.forward import fit_sphere, lead_field
from rtdecode.bundle import Bundle
from rtdecode.cli import main
from rtdecode.config import to_json
from rtdecode.contract import Contract
from rtdecode.engines import open_session
from rtdecode.errors import ConfigError
from rtdecode.live.channels import Channels, Masked
from rtdecode.live.config import CoreConfig
from rtdecode.live.decoding import Decoding
from rtdecode.live.redecode import printed, redecode
from rtdecode.montage import ALIASES, PLACES, check_places, places, spline_weights
from rtdecode.preprocess import BandPass
from rtdecode.quality import NOISY, USED, Hold, Mix
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import LogWriter
from rtdecode.snapshot import ChannelState
from rtdecode.types import StreamInfo
from tests.bundles import make_bundle
from tests.faults import INFO, stamped
from tests.rtdecode.test_faults_signal import spoil
from tests.rtdecode.test_session_decoding import Writing

KNOWN = tuple(PLACES.split()[::4])
CAP = ("Fp1", "AF3", "F7", "F3", "FC1", "FC5", "T7", "C3", "CP1", "CP5", "P7", "P3", "Pz", "PO3", "O1", "Oz",
       "O2", "PO4", "P4", "P8", "CP6", "CP2", "C4", "T8", "FC6", "FC2", "F4", "F8", "AF4", "Fp2", "Fz",
       "Cz")  # fmt: skip
CZ, FZ = CAP.index("Cz"), CAP.index("Fz")


def brain(samples: int, labels: tuple[str, ...] = CAP, seed: int = 0) -> np.ndarray:
    """(T, C) µV: forty dipoles in a conducting sphere, each slower than 10 Hz at 256 Hz, sensor noise.

    A skull blurs a dipole of the cortex to what one at 0.6 of its distance from the centre is without a skull
    (Ary et al. 1981).
    """
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(40, 3))
    sources *= 0.6 * 0.85 * rng.random((40, 1)) ** (1 / 3) / np.linalg.norm(sources, axis=1, keepdims=True)
    field = lead_field(places(labels), sources, rng.normal(size=(40, 3)))
    activity = BandPass(256.0, 1.0, 10.0, 2).push(rng.normal(size=(samples, 40)))
    return 20 * activity @ field.T + rng.normal(size=(samples, len(labels)))


def mix(bad: list[int], labels: tuple[str, ...] = CAP) -> tuple[np.ndarray, Mix]:
    where, mask = places(labels), np.isin(np.arange(len(labels)), bad)
    good = np.flatnonzero(~mask)
    return mask, Mix(np.array(bad), good, spline_weights(where[good], where[bad]))


def standard() -> Any:
    mne = pytest.importorskip("mne", reason="MNE-Python has measured positions to compare with")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # from 1.13 on it has another name
        return mne.channels.make_standard_montage("standard_1005")


def test_places_are_those_of_mne() -> None:
    measured = standard().get_positions()["ch_pos"]
    labels = [label for label in (*KNOWN, "T3", "T4", "T5", "T6") if label in measured]
    assert len(labels) == len(KNOWN) + 4
    xyz = np.array([measured[label] for label in labels])
    on_scalp = [not label.startswith("M") for label in labels]  # mastoids lie below the sphere
    directions = xyz - fit_sphere(xyz[on_scalp])[0]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip((directions * places(tuple(labels))).sum(axis=1), -1, 1)))
    assert angle.max() < 1.0, labels[int(angle.argmax())]


def test_labels_are_found_as_people_write_them() -> None:
    np.testing.assert_array_equal(places(("CZ", "Fc5.", "T3", "t6")), places(("Cz", "FC5", "T7", "P8")))
    np.testing.assert_allclose(np.linalg.norm(places(KNOWN), axis=1), 1.0)
    assert np.isfinite(places(tuple(ALIASES))).all()
    assert np.isnan(places(("A1", "E12", "MEG 0111", "", "EOG"))).all()
    assert places(()).shape == (0, 3)


@pytest.mark.parametrize("measured", [False, True])
def test_the_same_as_mne_on_smooth_fields(measured: bool) -> None:
    """measured: MNE has its own positions of these labels and fits its own sphere."""
    mne = pytest.importorskip("mne", reason="MNE-Python interpolates to compare with")
    data = brain(200)
    at = dict(zip(CAP, 0.095 * places(CAP), strict=True))
    montage = standard() if measured else mne.channels.make_dig_montage(at, coord_frame="head")
    raw = mne.io.RawArray(1e-6 * data.T, mne.create_info(list(CAP), 256.0, "eeg"), verbose="error")
    raw.set_montage(montage)
    bad = [CZ, CAP.index("P3"), CAP.index("Fp1")]
    raw.info["bads"] = [CAP[k] for k in bad]
    raw.interpolate_bads(origin="auto" if measured else (0.0, 0.0, 0.0), verbose="error")
    theirs = 1e6 * raw.get_data()[bad].T
    ours = mix(bad)[1].of(data)
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert error < (0.03 if measured else 1e-5)


@pytest.mark.parametrize("channel", range(len(CAP)))
def test_it_beats_holding_still(channel: int) -> None:
    data = brain(512)
    mask, made = mix([channel])
    errors = {}
    for name, kind in (("held", None), ("interpolated", made)):
        hold = Hold(len(CAP))
        hold.push(data[:1])
        hold.set(mask, kind)
        missed = (hold.push(data[1:]) - data[1:])[:, channel]
        errors[name] = missed.std()  # a level matters to no decoder
    assert errors["interpolated"] < 0.4 * errors["held"]


def test_it_beats_holding_still_on_real_eeg(data_dir: Path) -> None:
    """128 electrodes, a minute: what is missed of each, as a share of what it carries (held: all of it)."""
    mne = pytest.importorskip("mne", reason="MNE-Python knows where the electrodes of this cap sit")
    file = next(data_dir.glob("eeg-cocktail-party/**/1_1.mat"), None)
    if file is None:
        pytest.skip(f"no recording at {data_dir}/eeg-cocktail-party")
    eeg = scipy.io.loadmat(file)["eeg"]
    xyz = np.array([*mne.channels.make_standard_montage("biosemi128").get_positions()["ch_pos"].values()])
    where = xyz - fit_sphere(xyz)[0]
    where /= np.linalg.norm(where, axis=1, keepdims=True)
    x = BandPass(128.0, 1.0, 9.0, 2).push(eeg)[640:]
    missed = []
    for k in range(128):
        others = np.arange(128) != k
        weights = spline_weights(where[others], where[[k]])[0]
        missed.append((x[:, k] - x[:, others] @ weights).std() / x[:, k].std())
    assert np.median(missed) < 0.5
    assert np.mean(np.array(missed) < 1) > 0.95


def test_a_common_part_goes_through_unchanged() -> None:
    """A reference subtracted before or after: the same."""
    weights = mix([CZ, FZ, 3])[1].weights
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=2e-5)


def masked(data: np.ndarray, masks: list[tuple[int, list[int]]], sizes: list[int]) -> np.ndarray:
    """What comes out of pieces of these sizes and the rest; the bad channels change at these samples."""
    hold, parts, at = Hold(data.shape[1]), [], 0
    cuts = {first for first, _ in masks} | set(np.cumsum(sizes).tolist())
    for stop in [*sorted(cut for cut in cuts if 0 < cut < len(data)), len(data)]:
        for first, bad in masks:
            if first == at:
                mask, made = mix(bad)
                hold.set(mask, made if bad else None)
        parts.append(hold.push(data[at:stop]))
        at = stop
    return np.concatenate(parts)


MASKS = [(20, [CZ]), (33, [CZ, FZ, 3]), (50, [3]), (70, [])]


@given(
    sizes=st.lists(st.integers(0, 40), max_size=12),
    starts=st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
    bad=st.lists(st.lists(st.sampled_from(range(32)), max_size=6, unique=True), min_size=4, max_size=4),
)
def test_pieces_equal_whole(sizes: list[int], starts: list[int], bad: list[list[int]]) -> None:
    data = brain(100) + 1000 * np.arange(32)  # float64: float32 would hide last bits
    masks = list(zip(sorted(starts), bad, strict=False))
    np.testing.assert_array_equal(masked(data, masks, sizes), masked(data, masks, []))


def test_there_is_no_step_whatever_the_offsets() -> None:
    offsets = np.random.default_rng(5).normal(0, 5e4, len(CAP))
    data = (brain(100) + offsets).astype(np.float32)
    out = masked(data, MASKS, [])
    natural = np.abs(np.diff(data, axis=0)).max()
    assert np.abs(np.diff(out, axis=0)).max() < 1.5 * natural
    for first, _ in MASKS:  # the first sample of the other kind is the last of the one before
        changed = out[first] == out[first - 1]
        assert changed[[CZ, FZ, 3]].sum() >= 1
    plain = mix([CZ])[1].of(data[20:21])[0, 0] - data[19, CZ]
    assert abs(plain) > 100 * natural  # without going on from there


def test_the_high_pass_that_follows_does_not_ring() -> None:
    offsets = np.random.default_rng(5).normal(0, 5e4, len(CAP))
    quiet, loud = brain(2560), (brain(2560) + offsets).astype(np.float32)
    mask, made = mix([CZ])
    after = []
    for data in (quiet, loud):
        hold, band = Hold(len(CAP)), BandPass(256.0, 0.5, 40.0, 2)
        parts = []
        for first, stop, on in ((0, 512, False), (512, 1536, True), (1536, 2560, False)):
            hold.set(mask & on, made if on else None)
            parts.append(band.push(hold.push(data[first:stop])))
        after.append(np.concatenate(parts)[:, CZ])
    assert np.abs(after[0] - after[1]).max() < 0.1  # µV, float32 of 5e4


def test_a_new_run_goes_on_interpolating_from_its_own_begin() -> None:
    data = brain(60).astype(np.float32)
    mask, made = mix([CZ])
    hold = Hold(len(CAP))
    hold.set(mask, made)
    hold.push(data[:30])
    hold.reset()
    out = hold.push(data[30:])
    assert out[0, CZ] == data[30, CZ]
    np.testing.assert_allclose(np.diff(out[:, CZ]), np.diff(made.of(data[30:])[:, 0]), atol=1e-3)


def channels(model: tuple[str, ...], heard: list[str], reference: tuple[str, ...] = ()) -> Channels:
    stream = StreamInfo("EEG", "EEG", model, ("microvolts",) * len(model), 256.0)
    bound = Contract(model, "microvolts", 256.0, reference).bind(stream)
    return Channels(bound, model, model, 256.0, 512, "interpolate", lambda level, text: heard.append(text))


def noisy(model: tuple[str, ...], bad: set[str]) -> tuple[ChannelState, ...]:
    return tuple(ChannelState(label, NOISY if label in bad else USED, 1.0) for label in model)


def look(at: Channels, model: tuple[str, ...], bad: set[str], sample: int) -> int:
    for _ in range(4):
        sample += 64
        at.judge(noisy(model, bad), sample)
    return sample


def test_without_a_place_or_neighbours_it_is_held() -> None:
    model, heard = ("Fz", "Cz", "Pz", "C3", "C4", "Oz", "EOG"), list[str]()
    these = channels(model, heard)
    data = brain(300, model[:-1])
    data = np.c_[data, data[:, 0]].astype(np.float32)
    these.masked.apply(data[:100])
    sample = look(these, model, {"Cz", "EOG"}, 100)
    assert heard == [
        "Cz noisy: interpolated from 5 neighbours until good again",
        "EOG noisy: masked until good again",
    ]
    assert these.warnings(sample) == ("Cz noisy: interpolated from 5 neighbours", "EOG noisy: masked")
    out = these.masked.apply(data[100:200])
    assert np.ptp(out[:, 6]) == 0
    assert np.ptp(out[:, 1]) > 0
    heard.clear()
    sample = look(these, model, {"Cz", "EOG", "C3", "Pz"}, sample)  # three good ones are left
    assert heard == ["Cz noisy, Pz noisy, C3 noisy: masked until good again"]
    assert these.warnings(sample) == ("Cz noisy, EOG noisy, Pz noisy, C3 noisy: masked",)
    assert np.ptp(these.masked.apply(data[200:])[:, [1, 2, 3, 6]], axis=0).max() == 0
    heard.clear()
    look(these, model, set(), sample)
    assert heard == ["Cz, Pz, C3, EOG: good again"]


def test_what_is_common_to_all_channels_does_not_reach_an_interpolated_one() -> None:
    data = brain(200).astype(np.float32)
    pulled = data + (300 * np.sin(np.arange(200) / 5))[:, None].astype(np.float32)
    out = []
    for x in (data, pulled):
        stream = StreamInfo("EEG", "EEG", CAP, ("microvolts",) * len(CAP), 256.0)
        these = Masked(Contract(CAP, "microvolts", 256.0, ("T7", "T8")).bind(stream), places(CAP))
        these.apply(x[:1])
        these.set(mix([CZ])[0])
        out.append(these.apply(x[1:]))
    np.testing.assert_allclose(out[0], out[1], atol=0.01)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (tuple(f"MEG{k:04d}" for k in range(306)), "306 of the 306 channels of b have no place in the 10-10"),
        (tuple(f"A{k}" for k in range(1, 33)), ": A1, A2, A3, A4 and 28 more"),
        (tuple(f"C{k}" for k in range(1, 33)), "26 of the 32 channels of b"),  # a cap of numbers, not 10-10
        (("Fz", "Cz", "Pz", "Oz"), "b has 4 channels with a place in the 10-10 system, one bad and 4 good"),
        ((*CAP[:28], "EXG1", "EXG2", "EXG3", "EXG4"), ""),
        (CAP, ""),
    ],
)
def test_channels_without_places_are_refused(labels: tuple[str, ...], words: str) -> None:
    if not words:
        check_places(labels, "b")
        return
    with pytest.raises(ConfigError) as refused:
        check_places(labels, "b")
    assert words in str(refused.value)
    assert refused.value.hint == "`--bad mask` holds bad channels still"


@pytest.mark.parametrize("several", [False, True])
def test_the_command_refuses_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], several: bool
) -> None:
    good = make_bundle(tmp_path / "good").path
    odd = make_bundle(tmp_path / "odd", labels=tuple(f"E{k}" for k in range(8))).path
    asked = [*(("--bundle", str(good)) if several else ()), "--bundle", str(odd)]
    assert main(["live", "--headless", "--stream", "nobody", *asked, "--bad", "interpolate"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert f"8 of the 8 channels of {odd} have no place" in said[0]
    assert "`--bad mask`" in said[0]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("interpolate") / "tiny")


def write_log(path: Path, bundle: Bundle, config: dict[str, Any], **how: Any) -> None:
    """Two runs of a session in which C3 is noisy, then railed."""
    create(path, manifest(bundle.path, config))
    writer = LogWriter(path)
    writing = Writing(writer)
    data, stamps = stamped(16.0)
    data = spoil("railed", spoil("noisy", data, 500, 900), 1400, 1700)
    stamps[1200:] += 0.5
    writer.stream(INFO)
    decoding = Decoding(bundle, open_session(bundle), bundle.spec.stream.bind(INFO), INFO, writing, **how)
    writing.decoding = decoding
    writer.run(1, 0)
    rng, at = np.random.default_rng(3), 0
    while at < len(data):
        piece = slice(at, min(len(data), at + int(rng.integers(1, 40))))
        at = piece.stop
        writer.samples(data[piece], stamps[piece])
        decoding.push(data[piece], stamps[piece])
    writer.close()


@pytest.mark.parametrize("bad", ["keep", "mask", "interpolate"])
def test_a_log_decodes_again_to_the_same_bytes(bundle: Bundle, tmp_path: Path, bad: Any) -> None:
    write_log(tmp_path / "log", bundle, to_json(CoreConfig(str(bundle.path), "EEG", bad=bad)), bad=bad)
    log = SessionLog(tmp_path / "log")
    logged = [printed(line) for line in log.lines("decision")]
    done = {"keep": "used as it is", "mask": "masked", "interpolate": "interpolated from 7 neighbours"}[bad]
    assert any(f"C3 noisy: {done}" in line for line in logged)
    assert [printed(line) for line in redecode(log, bundle, open_session(bundle))] == logged
    # the same log under another policy is another session
    other = json.loads((tmp_path / "log/session.json").read_text())
    other["config"]["bad"] = "mask" if bad == "interpolate" else "interpolate"
    (tmp_path / "log/session.json").write_text(json.dumps(other))
    again = redecode(SessionLog(tmp_path / "log"), bundle, open_session(bundle))
    assert [printed(line) for line in again] != logged


def test_a_log_that_names_no_policy_was_masked(bundle: Bundle, tmp_path: Path) -> None:
    write_log(tmp_path / "log", bundle, {}, bad="mask")
    log = SessionLog(tmp_path / "log")
    again = redecode(log, bundle, open_session(bundle))
    assert [printed(line) for line in again] == [printed(line) for line in log.lines("decision")]
