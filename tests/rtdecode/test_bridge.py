"""A FieldTrip buffer decoded through its LSL stream: the same decisions, and every way it can go away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.bridge import parse_units, stable_id
from rtdecode.bundle import Bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.errors import ConfigError
from rtdecode.recordings import Recording, decode
from tests.bundles import LABELS, SFREQ, make_bundle, planted
from tests.processes import PROMPT_S, Running, live, running, unique_name
from tests.rtdecode.fake_buffer import GET_ERR, FakeBuffer, frame

pytest.importorskip("mne_realtime")


@contextmanager
def bridge(folder: Path, name: str, port: int, unit: str = "uV", **options: Any) -> Iterator[Running]:
    said = {"to-lsl": name, "port": port, "unit": unit, **options}
    words = [word for option, value in said.items() for word in (f"--{option}", str(value))]
    with running(["-m", "rtdecode", "bridge", "fieldtrip", *words], folder) as child:
        yield child


@contextmanager
def pulling(folder: Path, between: Running, name: str, samples: int, *options: str) -> Iterator[Running]:
    """tests.pull on the bridge's stream, once that is there; it saves got.npz."""
    between.wait_for(lambda c: c.said(f"is the stream {name!r}"))
    with running(["-m", "tests.pull", name, str(samples), "got.npz", *options], folder) as child:
        yield child


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bridge") / "tiny")


@pytest.fixture
def buffer() -> Iterator[FakeBuffer]:
    with FakeBuffer() as fake:
        fake.put_header(LABELS, SFREQ)
        yield fake


# --- the stream


@pytest.mark.live
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_decisions_are_those_of_the_same_data_offline(bundle: Bundle, tmp_path: Path, dtype: str) -> None:
    data = planted(6.0).astype(dtype)
    resolution = 0.5 if dtype == "int16" else 1.0  # the buffer's integers are half microvolts
    played = Recording(
        (data * resolution).astype(np.float32), SFREQ, LABELS, ("uV",) * len(LABELS), "EEG", "", None, ()
    )
    expected = decode(Engine(bundle, bundle.spec.stream.bind(played.info), open_session(bundle)), played)[:8]
    name = unique_name()
    with (
        FakeBuffer() as fake,
        bridge(tmp_path, name, fake.port) as between,
        live(tmp_path, bundle.path, name, "--decisions", "8", "--wait", "15") as decoder,
    ):
        fake.put_header(LABELS, SFREQ, dtype, resolutions=(resolution,) * 8 if dtype == "int16" else ())
        between.wait_for(lambda c: c.said("somebody listens"))
        fake.play(data, SFREQ, block=5)
        assert decoder.end(30) == 0, decoder.err
        between.process.send_signal(signal.SIGINT)
        assert between.end(PROMPT_S) == 0
    found = decoder.decisions()
    assert [d["run"] for d in found] == [1] * 8
    for line, decision in zip(found, expected, strict=True):
        assert line["sample"] == decision.sample
        assert [h["id"] for h in line["retrieved"]["hits"]] == [h.id for h in decision.retrieved.hits]
        np.testing.assert_allclose(
            [h["score"] for h in line["retrieved"]["hits"]],
            [h.score for h in decision.retrieved.hits],
            atol=1e-4,
        )
        assert line["text"]["delta"] == decision.text.delta
    assert between.said("somebody listens") == 1
    assert between.said("0 lost") == 1


@pytest.mark.live
def test_labels_units_and_an_identity_that_lasts(buffer: FakeBuffer, tmp_path: Path) -> None:
    name = unique_name()
    buffer.put_header(("MEG0111", "EEG001", "TRIG"), 500.0, "float64")
    with (
        bridge(tmp_path, name, buffer.port, unit="MEG=fT,EEG=uV", type="MEG") as between,
        pulling(tmp_path, between, name, 100) as pull,
    ):
        between.wait_for(lambda c: c.said("somebody listens"))
        buffer.play(np.ones((200, 3)) * [1, 2, np.pi], 500.0, 10)
        assert pull.end() == 0, pull.err
    with np.load(tmp_path / "got.npz", allow_pickle=False) as got:
        assert list(got["labels"]) == ["MEG0111", "EEG001", "TRIG"]
        assert list(got["units"]) == ["fT", "uV", ""]
        assert list(got["about"]) == ["MEG", stable_id("127.0.0.1", buffer.port, name), "float64", "500.0"]
        np.testing.assert_array_equal(got["data"], np.ones((100, 3)) * [1, 2, np.pi])


@pytest.mark.live
def test_a_stopped_bridge_shows_the_overwritten_samples_as_a_gap(tmp_path: Path) -> None:
    name, sfreq = unique_name(), 500.0
    with FakeBuffer(ring=250) as fake:
        fake.put_header(("COUNT", "B"), sfreq)
        with (
            bridge(tmp_path, name, fake.port) as between,
            pulling(tmp_path, between, name, 500) as pull,
        ):
            between.wait_for(lambda c: c.said("somebody listens"))
            count = np.repeat(np.arange(2000)[:, None], 2, axis=1)
            fake.play(count[:200], sfreq, 10)
            between.process.send_signal(signal.SIGSTOP)
            fake.play(count[200:1000], sfreq, 10)
            between.process.send_signal(signal.SIGCONT)
            fake.play(count[1000:2000], sfreq, 10)
            assert pull.end() == 0, pull.err
            between.process.terminate()
            assert between.end(PROMPT_S) == 0
    with np.load(tmp_path / "got.npz", allow_pickle=False) as got:
        steps = np.diff(got["data"][:, 0])
        (gap,) = np.flatnonzero(steps != 1)
        missing = int(steps[gap]) - 1
        assert 500 <= missing <= 1000  # 550, and what came until the system let it go on
        # the stamps tell the same: by the index, to half a sample
        assert got["t"][gap + 1] - got["t"][gap] == pytest.approx((missing + 1) / sfreq, abs=0.51 / sfreq)
        assert np.delete(np.diff(got["t"]), gap) == pytest.approx(1 / sfreq, rel=0.51)
    assert between.said(f"{missing} samples") == 1
    assert between.said(f"{missing} lost") == 1


@pytest.mark.live
def test_the_buffer_goes_and_comes_back(tmp_path: Path) -> None:
    name = unique_name()
    with FakeBuffer() as fake, bridge(tmp_path, name, fake.port) as between:
        between.wait_for(lambda c: c.said("holds no measurement yet"))
        fake.put_header(LABELS, SFREQ)
        between.wait_for(lambda c: c.said(f"is the stream {name!r}") == 1)
        fake.close()
        between.wait_for(lambda c: c.said("trying again"))
        between.wait_for(lambda c: c.said("nothing listens"))
        with FakeBuffer(port=fake.port) as again:
            again.put_header(LABELS, SFREQ)
            between.wait_for(lambda c: c.said(f"is the stream {name!r}") == 2)
            again.put_header(LABELS[:4], SFREQ)
            again.append(np.zeros((10, 4)))
            again.drop_clients()
            between.wait_for(lambda c: c.said("channels 8 became 4"))
            between.wait_for(lambda c: c.said("4 channels in uV"))
        between.wait_for(lambda c: c.said("nothing listens") == 2)
        between.process.terminate()
        assert between.end(PROMPT_S) == 0


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_frozen_buffer_does_not_keep_it(buffer: FakeBuffer, tmp_path: Path, number: signal.Signals) -> None:
    with bridge(tmp_path, unique_name(), buffer.port) as between:
        between.wait_for(lambda c: c.said("is the stream"))
        buffer.answer = lambda *_: b""
        before = buffer.requests
        buffer.wait_until(lambda b: b.requests > before)
        between.process.send_signal(number)
        assert between.end(PROMPT_S) == 0
        assert not between.said("Traceback")


# --- refusals


def refused(folder: Path, port: int, **options: Any) -> str:
    """The one sentence a bridge ends with."""
    with bridge(folder, unique_name(), port, **options) as child:
        assert child.end(15) == 2, child.err
        assert child.out == []
        (line,) = child.err
        return line


@pytest.mark.live
def test_the_first_connection_is_refused_in_one_sentence(buffer: FakeBuffer, tmp_path: Path) -> None:
    assert "--unit is 'furlong'" in refused(tmp_path, buffer.port, unit="furlong")
    buffer.put_header(("A", "A"), SFREQ)
    assert "2 channels named 'A'" in refused(tmp_path, buffer.port)
    buffer.answer = lambda *_: b"HTTP/1.1 400 Bad Request\r\n\r\n"
    assert "is that a FieldTrip buffer" in refused(tmp_path, buffer.port)
    buffer.answer = lambda *_: frame(GET_ERR, version=7)
    assert "is that a FieldTrip buffer" in refused(tmp_path, buffer.port)
    buffer.close()
    assert f"nothing listens at 127.0.0.1:{buffer.port}" in refused(tmp_path, buffer.port)
    assert "--port is 0" in refused(tmp_path, 0)


def test_units() -> None:
    assert parse_units("fT").of("anything") == "fT"
    mixed = parse_units("MEG=fT, EEG=uV, EEG06=mV, V")
    assert [mixed.of(name) for name in ("MEG0111", "EEG001", "EEG061", "EOG")] == ["fT", "uV", "mV", "V"]
    assert parse_units("MEG=fT").of("STI101") == ""
    assert parse_units("uV").stype == "EEG"
    assert parse_units("MEG=T,EEG=V").stype == "MEG"


@pytest.mark.parametrize("text", ["", " , ", "furlong", "MEG=", "=fT", "fT,uV", "MEG=a=fT="])
def test_a_unit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--unit is"):
        parse_units(text)
