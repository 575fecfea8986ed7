"""XDF as laboratories leave it: real recordings through the decoder, and files that were damaged.

Why it matters: a recording is what a lab has left when the session is over, however it went.
"""

import dataclasses
import random
import time
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.contract import Contract
from rtdecode.engine import Engine
from rtdecode.engines import EngineInfo, Frames
from rtdecode.errors import RecordingError
from rtdecode.live.decoding import Decoding
from rtdecode.preprocess import PreprocessSpec
from rtdecode.recordings import Recording, decode, read
from rtdecode.xdf_writer import XdfWriter
from tests.bundles import SYMBOLS, bundle_spec
from tests.rtdecode.test_decoding import Heard

REAL = [
    ("minimal", None, ("no clock offsets, so perhaps shifted: SendDataString/StringMarker",)),
    ("clock_resets", "BioSemi", ("clock reset or gap: 2 segments",)),
    ("usbamp_T1_run-001", None, ()),
    ("usbamp_MISwitch_run-003", None, ()),
    ("muse_P001_old", "EEG", ()),
    ("muse_P002", "EEG", ("empty, without a single sample: Muse/PPG",)),
]


class Mean:
    """A network that says how large its input is, one symbol a step."""

    def reset(self) -> None: ...

    def rehearse(self, x: np.ndarray) -> None: ...

    def info(self) -> EngineInfo:
        return EngineInfo("mean", "stream", 1, "fp32", 1)

    def run(self, x: np.ndarray) -> Frames:
        assert np.isfinite(x).all()
        log_probs = np.full((1, len(SYMBOLS)), -9.0, np.float32)
        log_probs[0, int(np.abs(x).mean() * 10) % len(SYMBOLS)] = 0.0
        return Frames(None, log_probs)


def bundle_for(recording: Recording) -> Bundle:
    """A bundle without a model that takes this recording as it is."""
    count, sfreq = len(recording.labels), recording.sfreq
    rate = min(64.0, sfreq)
    steps = max(1, round(rate / 4))
    spec = bundle_spec()
    spec = dataclasses.replace(
        spec,
        stream=Contract(recording.labels, "microvolts", sfreq),
        preprocess=PreprocessSpec(
            sfreq, rate, 0.5, 0.3 * rate, 2, (0.0,) * count, (30.0,) * count, clamp=20.0
        ),
        model=dataclasses.replace(spec.model, size=steps, hop=steps, stride=steps),
        retrieval=None,
    )
    return Bundle(Path("nowhere"), spec, None, {})


@pytest.mark.parametrize(("file", "stream", "said"), REAL)
def test_real_recordings_decode_and_say_what_is_odd(
    data_dir: Path, file: str, stream: str | None, said: tuple[str, ...]
) -> None:
    path = data_dir / "xdf" / f"{file}.xdf"
    if not path.exists():
        pytest.skip(f"no {path}")
    recording = read(path, stream)
    for words in said:
        assert words in recording.notes
    bundle = bundle_for(recording)
    channels = bundle.spec.stream.bind(recording.info, "microvolts")
    expected = decode(Engine(bundle, channels, Mean()), recording)
    assert expected
    # the same as a stream: the decoder finds the segments by itself, in the stamps
    heard = Heard()
    live = Decoding(bundle, Mean(), channels, recording.info, heard, bad="keep")
    for at in range(0, len(recording.data), 37):
        live.push(recording.data[at : at + 37], recording.times[at : at + 37])
    assert live.run == len(recording.segments)
    assert [(d.run, d.sample, d.text) for d in heard.decisions] == [
        (d.run, d.sample, d.text) for d in expected
    ]


def small(path: Path) -> bytes:
    with XdfWriter(path) as file:
        data = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
        file.samples(data, 100.0, 100.0, "amp", "EEG", ("Fz", "Cz", "Pz"), "microvolts", "a")
        file.markers([(101.0, "one"), (100.5, "zero")], "words", "w")
    return path.read_bytes()


def spoilt(whole: bytes, kind: str, rng: random.Random) -> bytes:
    data = bytearray(whole)
    if kind == "cut":
        return bytes(data[: rng.randrange(1, len(data))])
    if kind == "flipped":
        for _ in range(rng.choice((1, 3, 30))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:
        at = rng.randrange(len(data))
        data[at : at + 200] = rng.randbytes(len(data[at : at + 200]))
    return bytes(data)


@pytest.mark.parametrize("kind", ["cut", "flipped", "overwritten"])
def test_a_damaged_file_is_refused_or_read(tmp_path: Path, kind: str) -> None:
    whole, rng, refused = small(tmp_path / "a.xdf"), random.Random(7), 0
    for _ in range(100):
        (tmp_path / "b.xdf").write_bytes(spoilt(whole, kind, rng))
        began = time.monotonic()
        try:
            read(tmp_path / "b.xdf")
        except RecordingError as problem:
            said = str(problem)
            refused += 1
            assert "\n" not in said
            assert len(said) < 600
        assert time.monotonic() - began < 5
    assert refused > 20
