"""`rtdecode streams`, and the choice of a stream: one is taken, none or several are refused in words."""

import dataclasses
from pathlib import Path

import pytest

from rtdecode.commands.streams import table, verdict
from rtdecode.contract import Contract
from rtdecode.errors import StreamError
from rtdecode.sources.lsl import Found, Wanted, select
from rtdecode.types import StreamInfo
from tests.bundles import LABELS, make_bundle
from tests.processes import outlet, running, unique_name


def found(*names: str, stype: str = "EEG", dtype: str = "float32") -> list[Found]:
    return [
        Found(StreamInfo(name, stype, (), (), 250.0, f"id-{k}", f"uid-{k}", "lab-pc", dtype), None)
        for k, name in enumerate(names)
    ]


def test_by_name_by_type_by_neither() -> None:
    streams = found("a", "b") + found("m", stype="Markers", dtype="string")
    assert select(streams, Wanted("b")) is streams[1]
    assert select(streams, Wanted(stype="Markers", name="m")) is streams[2]
    assert select(streams[1:], Wanted()) is streams[1]
    assert select(streams[1:], Wanted(stype="EEG")) is streams[1]


def test_any_stream_is_never_one_of_events() -> None:
    """A decoder that publishes its scores must not be connected to itself after a restart."""
    (scores,) = found("rtdecode-scores")
    scores = dataclasses.replace(scores, info=dataclasses.replace(scores.info, sfreq=0.0))
    eeg = found("EEG")
    assert select([scores, *eeg], Wanted()) is eeg[0]
    assert select([scores, *eeg], Wanted("rtdecode-scores")) is scores  # asked for by name: then refused


def test_none_lists_what_is_there() -> None:
    with pytest.raises(StreamError, match=r"no stream named 'c' \(found: a \(EEG\), b \(EEG\)\)"):
        select(found("a", "b"), Wanted("c"))
    with pytest.raises(StreamError, match="no streams found at all"):
        select([], Wanted("c"))


def test_two_of_one_name_are_refused_with_both_listed() -> None:
    streams = found("a", "a")
    with pytest.raises(StreamError, match=r"2 streams named 'a': .*id-0 on lab-pc; .*id-1 on lab-pc"):
        select(streams, Wanted("a"))
    assert select(streams, Wanted("a"), source_id="id-1") is streams[1]


@pytest.mark.parametrize(
    ("names", "ids", "hint"),
    [
        (("a", "b"), ("1", "2"), "give a name with --stream, or stop the others"),
        (
            ("a", "a"),
            ("1", "2"),
            "stop or rename the others, or take one with `rtdecode live --source-id ID`",
        ),
        (("a", "a"), ("", ""), "stop or rename the others"),
    ],
)
def test_the_hint_is_what_tells_them_apart(names: tuple[str, ...], ids: tuple[str, ...], hint: str) -> None:
    streams = [
        dataclasses.replace(one, info=dataclasses.replace(one.info, source_id=i))
        for one, i in zip(found(*names), ids, strict=True)
    ]
    with pytest.raises(StreamError) as problem:
        select(streams, Wanted())
    assert problem.value.hint == hint


def test_verdicts_in_words() -> None:
    contract = Contract(("Fz", "Cz"), "microvolts", 250.0)
    good = StreamInfo("a", "EEG", ("Cz", "X", "Fz"), ("uV",) * 3, 250.0)
    assert verdict(contract, good) == ["a: fits, 2 of 2 channels by name, 1 not needed"]
    bad = StreamInfo("b", "EEG", ("Cz",), ("",), 500.0)
    assert verdict(contract, bad) == [
        "b: does not fit",
        "  - rate is 500 Hz, the bundle needs 250 Hz",
        "  - 1 of 2 channels matched by name, missing: Fz",
        "  - no unit is stated for Cz, the bundle needs microvolts: say with --assume-unit what it is",
        "  → set the amplifier to 250 Hz, or take a bundle trained at 500 Hz: nothing is resampled in secret",
        "  → let the sender send Fz too, or take a bundle that does without",
    ]
    renamed = StreamInfo("c", "EEG", ("EEG Fz-Ref", "Cz"), ("uV",) * 2, 250.0)
    assert verdict(contract, renamed)[-1] == "  → rename in the sender: EEG Fz-Ref to Fz"


def test_columns_are_aligned() -> None:
    assert table([("a", "b"), ("long", "c")]) == ["a     b", "long  c"]


@pytest.mark.live
def test_the_command_lists_and_compares(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    one, two = unique_name(), unique_name()
    with outlet(tmp_path, one), outlet(tmp_path, two, labels=LABELS[:5], unit=""):
        command = ["-m", "rtdecode", "streams", "--wait", "1", "--bundle", "b"]
        with running(command, tmp_path) as child:
            assert child.end() == 0, child.err
    text = "\n".join(child.out)
    assert f"{one}: fits, 8 of 8 channels by name, 0 not needed" in text
    assert f"{two}: does not fit" in text
    assert "5 of 8 channels matched by name, missing: C4, T7, T8" in text
    assert "no unit is stated for Fz and 4 more" in text
    row = next(line for line in child.out if line.startswith(one))
    assert all(word in row for word in ("EEG", "8", "128 Hz", "microvolts", "test-outlet"))
