"""Lost, restarted, permuted, foreign and ambiguous streams, by a clock that the test turns."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.bundle import Bundle
from rtdecode.contract import changes, moved
from rtdecode.engines import open_session
from rtdecode.errors import ConfigError, ContractError, StreamError
from rtdecode.live import connector as connector_module
from rtdecode.live.connector import Connector
from rtdecode.live.decoding import Decoding
from rtdecode.live.watch import Watch
from rtdecode.snapshot import State
from rtdecode.sources.lsl import Found, Wanted, pause_s, recognisable, select
from rtdecode.sources.predicate import parse
from rtdecode.types import StreamInfo
from tests.bundles import LABELS, make_bundle
from tests.faults import HOP_S, INFO, UNITS, FoundAtOnce, offline, stamped
from tests.rtdecode.test_decoding import Heard


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("faults") / "tiny")


class Opened:
    """What LslSource is to the connector."""

    def __init__(self, found: Found):
        self.info = found.info

    def close(self) -> None: ...


@pytest.fixture
def connect(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Connector]:
    monkeypatch.setattr(connector_module, "LslSource", Opened)

    def make(*results: list[StreamInfo], wanted: Wanted | None = None) -> Connector:
        search = FoundAtOnce(*results)
        monkeypatch.setattr(connector_module, "Search", lambda: search)
        return Connector(wanted or Wanted("EEG"), bundle.spec.stream, "", 5.0, search)

    return make


def again(**change: Any) -> StreamInfo:
    return dataclasses.replace(INFO, **{"uid": "uid-2", **change})


def test_stream_killed() -> None:
    watch = Watch(HOP_S, 0.0)
    watch.opened(0.0)
    watch.decided(2.0)
    watch.lost(2.1)  # the next pull says so, at once
    assert watch.tick(2.1) is State.LOST
    assert [pause_s(t) for t in (0.0, 10.0, 20.0, 1e6)] == [0.0, 0.0, 1.0, 2.0]


def test_restart_permuted_labels(connect: Callable[..., Connector], bundle: Bundle) -> None:
    turned = again(labels=LABELS[::-1])
    connector = connect([INFO], [turned])
    assert connector.look(0.0)
    opened = connector.look(1.0)
    assert opened
    assert opened.before == INFO
    assert moved(INFO.labels, turned.labels).startswith("Fz 1→8, Cz 2→7, Pz 3→6")
    data, stamps = stamped()
    heard = Heard()
    decoding = Decoding(bundle, open_session(bundle), bundle.spec.stream.bind(INFO), INFO, heard)
    decoding.push(data[:700], stamps[:700])
    count = len(heard.decisions)
    decoding.rebind(opened.channels, opened.source.info)
    decoding.push(np.ascontiguousarray(data[:, ::-1]), stamps)
    expected = [dataclasses.replace(d, run=2) for d in offline(bundle, data, stamps)]
    assert heard.decisions[count:] == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sfreq": 256.0}, "rate was 128 Hz, now 256 Hz"),
        ({"labels": LABELS[:6], "units": UNITS[:6]}, "number of channels was 8, now 6"),
        ({"dtype": "int16"}, "format was float32, now int16"),
        ({"units": ("volts",) * 8}, "unit of Fz and 7 more was microvolts, now volts"),
        ({"labels": ("Fp1", *LABELS[1:])}, "channels came back without Fz and with Fp1"),
    ],
)
def test_restart_other_rate_count_format_unit(
    connect: Callable[..., Connector], change: dict[str, Any], said: str
) -> None:
    connector = connect([INFO], [again(**change)], [again()])
    assert connector.look(0.0)
    assert connector.look(1.0) is None
    assert said in connector.refusal
    assert connector.look(2.0)  # the right one is still waited for
    assert connector.refusal == ""


def test_a_stream_that_only_changed_its_order_is_the_same() -> None:
    assert changes(INFO, again(labels=LABELS[::-1], hostname="there")) == ()
    assert moved(LABELS, LABELS) == ""


def test_second_stream_of_same_name(connect: Callable[..., Connector]) -> None:
    other = again(source_id="another", uid="uid-9")
    with pytest.raises(StreamError, match=r"there are 2 streams named 'EEG': .*amp-7.*another"):
        connect([INFO, other]).look(0.0)
    connector = connect([INFO], [INFO, other], [other], [other, again()])
    assert connector.look(0.0)
    assert connector.look_elsewhere() is None  # silent, and another of that name is no replacement
    assert connector.look(2.0) is None
    assert "source_id amp-7 is not back; there is only EEG (EEG) source_id another" in connector.refusal
    opened = connector.look(3.0)
    assert opened
    assert opened.source.info.source_id == "amp-7"


def test_a_generated_source_id_is_no_identity(connect: Callable[..., Connector]) -> None:
    generated = str(hash(("a", "b", 3)))
    assert not recognisable(generated)
    assert not recognisable("")
    assert all(map(recognisable, ("amp-7", "20231", "myuid34234")))
    connector = connect([again(source_id=generated)], [again(source_id=generated[:-1] + "7", uid="uid-3")])
    assert connector.look(0.0)
    assert connector.look(1.0)


def test_a_stream_by_source_id_and_by_predicate() -> None:
    found = [Found(info, None) for info in (INFO, again(source_id="b", stype="MEG"), again(dtype="string"))]
    assert select(found, Wanted(source_id="b")).info.stype == "MEG"
    assert select(found, Wanted(where="name='EEG' and not(type='EEG')")).info.stype == "MEG"
    assert select(found, Wanted(where="type='EEG' and channel_count >= 8")).info is INFO
    with pytest.raises(StreamError, match="there is no stream where name='x'"):
        select(found, Wanted(where="name='x'"))
    for text in ("starts-with(source_id, 'amp')", "contains(hostname,'ere') and nominal_srate = 128"):
        assert parse(text)(INFO)
    assert not parse("name<5 or (uid='x' and name='EEG')")(INFO)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name=EEG", "at 'EEG' (character 6)"),
        ("name='EEG' and", "at its end"),
        ("nam='EEG'", "did you mean name"),
        ("(name='EEG'", "')' expected"),
        ("name='EEG", "character 5"),
        ("name='a' type='b'", "'and', 'or' or the end"),
        ("__import__('os')", "a field"),
        ("(" * 99 + "name='a'", "30 parentheses"),
        ("x" * 2000, "2000 characters long"),
    ],
)
def test_a_predicate_that_does_not_parse(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Wanted(where=text)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="name='\"() andort<>=1,.not-", max_size=60))
def test_any_predicate_parses_or_is_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse(text)(INFO)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtype": "string"}, "carries strings"),
        ({"sfreq": 0.0}, "rate is 0 Hz (irregular), the bundle needs 128 Hz"),
        ({"labels": (), "units": ()}, "the stream has 0 channels"),
        ({"labels": ("Fz", *LABELS[:7])}, "channel names occur twice: Fz"),
        ({"labels": ("", *LABELS[1:])}, "does not name 1 of its channels"),
        ({"units": ("bananas",) * 8}, "unit is 'bananas' for Fz and 7 more, the bundle needs microvolts"),
        ({"units": ("",) * 8}, "say with --assume-unit what it is"),
    ],
)
def test_a_stream_that_cannot_be_used(connect: Callable[..., Connector], change: dict, said: str) -> None:
    with pytest.raises(ContractError) as refusal:
        connect([again(**change)]).look(0.0)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_unit_nobody_knows_is_what_the_user_says(bundle: Bundle) -> None:
    odd = again(units=("counts",) * 8)
    x = bundle.spec.stream.bind(odd, "millivolts").apply(np.ones((1, 8), np.float32))
    assert (x == 1000).all()
    with pytest.raises(ContractError, match="furlongs"):
        bundle.spec.stream.bind(odd, "furlongs")
    with pytest.raises(ContractError, match="femtotesla"):  # known, and not a voltage: not overruled
        bundle.spec.stream.bind(again(units=("femtotesla",) * 8), "microvolts")
