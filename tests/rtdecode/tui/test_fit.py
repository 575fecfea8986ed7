"""The fit of a stream to a bundle, channel by channel: what it says, what it advises, at every size."""

import dataclasses

import pytest

from rtdecode.contract import Contract
from rtdecode.tui import fit as fits
from rtdecode.tui.lines import plain, width_of
from tests.rtdecode.tui.findings import stream

CONTRACT = Contract(("Fz", "Cz", "T7", "T8"), "microvolts", 250.0)


def compare(labels=CONTRACT.labels, unit="uV", sfreq=250.0, assume="", **more):
    return fits.compare(CONTRACT, stream(labels=labels, unit=unit, sfreq=sfreq, **more).info, assume)


def said(fit):
    return plain(fits.summary(fit))


def test_a_fit_says_so_channel_by_channel():
    fit = compare(("X", "T8", "Cz", "Fz", "T7"))
    assert fit.good and fit.remedies == ()
    assert said(fit) == "4/4 matched by name ✓; rate 250 Hz ✓; unit µV ✓; 1 not needed"
    assert plain(fits.grid(fit, 60, 2)[0]).split() == ["✓", "Fz", "✓", "Cz", "✓", "T7", "✓", "T8"]


def test_missing_channels_another_rate_and_no_unit_name_their_remedies():
    fit = compare(("Fz", "EEG T7-REF"), unit="", sfreq=500.0)
    assert not fit.good
    assert said(fit) == (
        "1/4 matched by name ✕; missing Cz T7 T8; rate 500 Hz, needs 250 ✕; unit not stated ✕; 1 not needed"
    )
    remedies = " ".join(fit.remedies)
    assert "set the amplifier to 250 Hz, or take a bundle trained at 500 Hz" in remedies
    assert "rename in the sender: EEG T7-REF to T7" in remedies
    assert "let the sender send Cz T8 too" in remedies and "--assume-unit" in remedies
    states = dict(zip(fit.needed, fit.states, strict=True))
    assert states == {"Fz": "unit", "Cz": "missing", "T7": "missing", "T8": "missing"}


def test_a_unit_is_converted_assumed_or_refused():
    assert said(compare(unit="volts")).endswith("unit V, converted to µV ✓")
    assert compare(unit="", assume="microvolts").good
    assert "unit µV as you say ✓" in said(compare(unit="", assume="microvolts"))
    tesla = compare(unit="fT")
    assert not tesla.good and "let the sender send µV, or take a bundle for fT" in tesla.remedies
    assert fits.assumable(CONTRACT)[0] == "microvolts" and "volts" in fits.assumable(CONTRACT)
    assert fits.assumable(dataclasses.replace(CONTRACT, unit="fT"))[0] == "femtotesla"
    assert fits.assumable(dataclasses.replace(CONTRACT, unit="counts")) == ("counts",)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"labels": ("", "", "", "")}, "name its channels"),
        ({"labels": ("Fz", "Fz", "Cz", "T7", "T8")}, "a name of its own"),
        ({"dtype": "string"}, "choose a stream of samples"),
        ({"labels": ()}, "choose a stream with channels"),
        ({"sfreq": 0.0}, "set the amplifier to 250 Hz:"),
    ],
)
def test_every_refusal_has_a_remedy(changes, remedy):
    fit = compare(**changes)
    assert not fit.good and any(remedy in words for words in fit.remedies)


def test_the_verdict_is_the_contracts_own():
    for labels in (CONTRACT.labels, ("Fz",), ("", ""), ("Fz", "Cz", "T7", "t8")):
        for unit in ("uV", "", "fT"):
            for sfreq in (250.0, 100.0):
                info = stream(labels=labels, unit=unit, sfreq=sfreq).info
                assert fits.compare(CONTRACT, info).good == (not CONTRACT.problems(info))


def test_too_many_channels_show_what_is_wrong_first():
    labels = tuple(f"MEG{k:04d}" for k in range(306))
    contract = dataclasses.replace(CONTRACT, labels=labels)
    fit = fits.compare(contract, stream(labels=labels[:-1], sfreq=250.0).info)
    rows = fits.grid(fit, 80, 3)
    assert len(rows) == 3 and plain(rows[0]).startswith("✕ MEG0305")
    assert "more" in plain(rows[-1]) and all(width_of(row) <= 80 for row in rows)


@pytest.mark.parametrize("size", [(120, 12), (78, 9), (40, 6), (20, 4), (20, 2), (8, 1)])
def test_the_fit_panel_keeps_its_size(size):
    for fit in (compare(), compare(("Fz",), unit="", sfreq=1.0), None):
        lines = fits.render(fit, ("a\x1b[2Jb", "[b]c"), ("why not",), *size)
        assert len(lines) == size[1]
        assert "\x1b" not in "".join(map(plain, lines))
