"""Channels are matched by name; what does not fit is named, all of it."""

import numpy as np
import pytest

from rtdecode.contract import Contract, said_unit, unit_factor
from rtdecode.errors import ConfigError, ContractError
from rtdecode.types import StreamInfo

CONTRACT = Contract(labels=("Fz", "Cz", "Pz"), unit="microvolts", sfreq=256.0, reference=("M1", "M2"))


def stream(labels=("M1", "Pz", "Cz", "Fz", "M2", "EOG"), unit="microvolts", sfreq=256.0) -> StreamInfo:
    return StreamInfo("EEG", "EEG", tuple(labels), (unit,) * len(labels), sfreq)


def test_selects_reorders_and_rereferences_by_name() -> None:
    data = np.array([[2.0, 30.0, 20.0, 10.0, 4.0, 99.0]], np.float32)  # reference mean 3
    assert CONTRACT.bind(stream()).apply(data).tolist() == [[7.0, 17.0, 27.0]]


def test_a_permuted_stream_gives_the_same_samples() -> None:
    data = np.random.default_rng(0).normal(size=(50, 6))
    order = np.random.default_rng(1).permutation(6)
    labels = np.array(stream().labels)
    straight = CONTRACT.bind(stream()).apply(data)
    assert np.array_equal(CONTRACT.bind(stream(labels[order])).apply(data[:, order]), straight)


def test_volts_become_microvolts() -> None:
    data = np.full((3, 6), 1e-6)
    data[:, 0] = 3e-6
    mapped = CONTRACT.bind(stream(unit="V")).apply(data)
    assert mapped == pytest.approx(np.full((3, 3), -1.0), abs=1e-6)


def test_pieces_equal_whole() -> None:
    data = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    channels = CONTRACT.bind(stream())
    pieces = [channels.apply(data[a:b]) for a, b in [(0, 0), (0, 1), (1, 8), (8, 40)]]
    assert np.array_equal(np.concatenate(pieces), channels.apply(data))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sfreq": 500.0}, ["500 Hz", "256 Hz"]),
        ({"labels": ("M1", "Pz", "Cz", "M2")}, ["4 of 5", "missing: Fz"]),
        ({"labels": ("M1", "Pz", "Cz", "Fz", "M2", "Cz")}, ["twice", "Cz"]),
        ({"labels": ()}, ["the stream has 0 channels", "needs 3"]),
        ({"sfreq": 0.0}, ["0 Hz (irregular)", "256 Hz"]),
        ({"labels": ("M1", "Pz", "", "Fz", "M2")}, ["does not name 1 of its channels"]),
        ({"unit": ""}, ["no unit is stated for M1 and 4 more", "microvolts", "--assume-unit"]),
        ({"unit": "furlongs"}, ["furlongs"]),
        ({"unit": "fT"}, ["fT"]),
        ({"sfreq": 500.0, "labels": ("Pz",)}, ["500 Hz", "missing: Fz, Cz, M1, M2"]),
    ],
)
def test_every_difference_is_named(change: dict, words: list[str]) -> None:
    with pytest.raises(ContractError) as refusal:
        CONTRACT.bind(stream(**change))
    for word in words:
        assert word in str(refusal.value)


def test_of_many_missing_channels_the_first_are_named() -> None:
    wanted = Contract(tuple(f"E{k}" for k in range(128)), "microvolts", 256.0)
    (problem,) = wanted.problems(StreamInfo("s", "EEG", ("E0", "E1"), ("uV", "uV"), 256.0))
    assert problem == ("2 of 128 channels matched by name, missing: E2, E3, E4, E5, E6, E7 and 120 more")


def test_a_unit_nobody_knows_is_not_taken_for_one() -> None:
    for unit in ("", "uV", "µV", "Volts", "fT", "counts", "zscore", "arbitrary"):
        assert said_unit(unit) == unit
    with pytest.raises(ConfigError, match="there is no unit 'furlong'"):
        said_unit("furlong")


def test_a_missing_unit_may_be_assumed_when_told_so() -> None:
    assert CONTRACT.problems(stream(unit=""), assume_unit="uV") == ()


def test_a_stream_of_strings_is_refused() -> None:
    markers = StreamInfo("m", "Markers", ("m",), ("",), 0.0, dtype="string")
    assert "strings" in CONTRACT.problems(markers)[0]


@pytest.mark.parametrize(
    ("unit", "into", "factor"),
    [("uV", "microvolts", 1.0), ("µV", "V", 1e-6), ("mV", "uV", 1e3), ("T", "fT", 1e15), ("fT", "uV", None),
     ("", "uV", None), ("", "", None), ("au", "au", 1.0),
     ("count", "counts", 1.0), ("counts", "zscore", None)],
)  # fmt: skip
def test_units(unit: str, into: str, factor: float | None) -> None:
    assert unit_factor(unit, into) == (None if factor is None else pytest.approx(factor))
