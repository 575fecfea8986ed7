"""Bad values, bad channels, gaps and clocks, by stamps and a clock that the test makes."""

import dataclasses

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.engines import open_session
from rtdecode.live.decoding import Decoding
from rtdecode.quality import FLAT, GONE, LINE, RAILED, USED
from rtdecode.types import Decision
from tests.bundles import SFREQ, make_bundle
from tests.faults import INFO, WINDOW, decode, finite, offline, stamped
from tests.rtdecode.test_decoding import Heard


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("faults") / "tiny")


@pytest.mark.parametrize("channels", [slice(2, 3), slice(None)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_burst_one_channel_or_all(bundle: Bundle, channels: slice, value: float) -> None:
    data, stamps = stamped()
    clean = offline(bundle, data, stamps)
    data[500:560, channels] = value
    heard, _ = decode(bundle, data, stamps)
    assert len(heard.decisions) == len(clean)
    assert all(map(finite, heard.decisions))
    flagged = [d.sample for d in heard.decisions if d.warnings]
    assert min(flagged) <= 560
    assert max(flagged) < 560 + WINDOW
    last, expected = heard.decisions[-1].retrieved, clean[-1].retrieved
    assert last and expected
    assert last.hits[0].id == expected.hits[0].id


@pytest.mark.parametrize("every", [1, 7, 64])
def test_a_channel_without_numbers_is_not_called_good(bundle: Bundle, every: int) -> None:
    """What is repaired looks good, or flat: its state must say what was there."""
    data, stamps = stamped(16.0)
    data[900:1300:every, 4] = np.nan

    def glyphs(until: int, bad: str = "mask") -> dict[str, str]:
        _, decoding = decode(bundle, data[:until], stamps[:until], bad=bad)
        return {state.label: state.glyph for state in decoding.states}

    assert glyphs(899)["C3"] == USED
    for until in (964, 1100, 1299, 1354):
        assert glyphs(until)["C3"] == glyphs(until, "keep")["C3"] == GONE
        assert list(glyphs(until).values()).count(GONE) == 1
    assert glyphs(1556)["C3"] == USED
    heard = decode(bundle, data, stamps)[0]
    assert not any("masked" in note for note in heard.notes), "it is held by its last good value already"


def spoil(kind: str, data: np.ndarray, first: int, stop: int) -> np.ndarray:
    data = data.copy()
    here = slice(first, stop)
    if kind == "flat":
        data[here, 4] = np.median(data[first - 64 : first, 4])
    elif kind == "railed":
        data[here, 4] = data[first, 4] + np.where(np.arange(stop - first) // 3 % 2, 3e5, -3e5)
    else:
        data[here, 4] += np.random.default_rng(3).normal(0, 5e3, stop - first)
    return data


@pytest.mark.parametrize("kind", ["flat", "railed", "noisy"])
def test_flat_saturated_disconnected_channel(bundle: Bundle, kind: str) -> None:
    data, stamps = stamped(16.0)
    clean = offline(bundle, data, stamps)
    data = spoil(kind, data, 900, 1300)
    _, decoding = decode(bundle, data[:1299], stamps[:1299])
    glyph = {state.label: state.glyph for state in decoding.states}["C3"]
    assert glyph == {"flat": FLAT, "railed": RAILED, "noisy": "≈"}[kind]
    whole, decoding = decode(bundle, data, stamps)
    assert len(whole.decisions) == len(clean)
    assert all(map(finite, whole.decisions))
    flagged = [d.sample for d in whole.decisions if d.warnings]
    assert min(flagged) <= 900 + (2 if kind == "noisy" else 1) * SFREQ + 32
    # a channel that stopped may have stopped at an extreme
    assert {f"C3 {word}: masked until good again" for word in (kind, "railed")} & set(whole.notes)
    assert "C3: good again" in whole.notes
    assert whole.decisions[-1].warnings == ()
    assert [d for d in whole.decisions if d.sample <= 900] == [d for d in clean if d.sample <= 900]
    kept, decoding = decode(bundle, data, stamps, bad="keep")
    assert any(note.startswith("C3") and note.endswith(": used as it is") for note in kept.notes)
    assert [d.retrieved for d in kept.decisions] == [d.retrieved for d in offline(bundle, data, stamps)]


@pytest.mark.parametrize("size", [1, 7, 33, 10_000])
@pytest.mark.parametrize("bad", ["mask", "interpolate"])
def test_masking_does_not_depend_on_the_pieces(bundle: Bundle, size: int, bad: str) -> None:
    data, stamps = stamped(16.0)
    data = spoil("railed", spoil("noisy", data, 600, 1000), 1200, 1500)
    data[:20, 1] = np.nan
    heard = decode(bundle, data, stamps, size, bad=bad)[0]
    assert heard.decisions == decode(bundle, data, stamps, bad=bad)[0].decisions


@pytest.mark.parametrize("kind", ["flat", "railed", "noisy"])
def test_a_bad_channel_is_interpolated_until_it_is_good(bundle: Bundle, kind: str) -> None:
    data, stamps = stamped(16.0)
    clean = offline(bundle, data, stamps)
    heard, _ = decode(bundle, spoil(kind, data, 900, 1300), stamps, bad="interpolate")
    assert all(map(finite, heard.decisions))
    done = "interpolated from 7 neighbours"
    # a channel that stopped may have stopped at an extreme
    assert {f"C3 {word}: {done} until good again" for word in (kind, "railed")} & set(heard.notes)
    assert "C3: good again" in heard.notes
    flagged = {warning for d in heard.decisions for warning in d.warnings}
    assert flagged and flagged <= {f"C3 {word}: {done}" for word in (kind, "railed", "flat", "noisy")}
    assert heard.decisions[-1].warnings == ()
    assert [d for d in heard.decisions if d.sample <= 900] == [d for d in clean if d.sample <= 900]
    masked, _ = decode(bundle, spoil(kind, data, 900, 1300), stamps)
    assert [d.retrieved for d in heard.decisions] != [d.retrieved for d in masked.decisions]


def test_masking_spares_the_decision(bundle: Bundle) -> None:
    data, stamps = stamped(16.0)
    clean = {d.sample: d for d in offline(bundle, data, stamps)}
    spoilt = spoil("railed", data, 900, 2048)

    def right(decisions: list[Decision]) -> int:
        late = [d for d in decisions if d.sample > 900 + 3 * SFREQ and d.retrieved]
        return sum(d.retrieved.hits[0].id == clean[d.sample].retrieved.hits[0].id for d in late)  # type: ignore[union-attr]

    masked, kept = decode(bundle, spoilt, stamps)[0], decode(bundle, spoilt, stamps, bad="keep")[0]
    assert right(masked.decisions) > right(kept.decisions)


def test_offsets_of_thousands_of_microvolts(bundle: Bundle) -> None:
    data, stamps = stamped()
    clean = offline(bundle, data, stamps)
    heard, _ = decode(bundle, data + np.linspace(-2e5, 2e5, 8).astype(np.float32), stamps)
    for decision, expected in zip(heard.decisions, clean, strict=True):
        assert decision.retrieved and expected.retrieved
        assert decision.retrieved.hits[0].id == expected.retrieved.hits[0].id
        assert decision.warnings == ()


def test_mains_hum_is_shown_and_changes_nothing(bundle: Bundle) -> None:
    data, stamps = stamped()
    data[:, 5] += 500 * np.sin(2 * np.pi * 50 * np.arange(len(data)) / SFREQ).astype(np.float32)
    heard, decoding = decode(bundle, data, stamps)
    assert {s.label: s.glyph for s in decoding.states}["C4"] == LINE
    assert heard.decisions == offline(bundle, data, stamps)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("size", [5, 1000])
def test_gap_in_source_stamps(bundle: Bundle, seconds: float, size: int) -> None:
    data, stamps = stamped()
    stamps[900:] += seconds
    heard, _ = decode(bundle, data, stamps, size, arrivals=stamps)
    assert heard.gaps == [(seconds, round(seconds * SFREQ))]
    assert heard.steps == []
    expected = offline(bundle, data[:900], stamps[:900])
    expected += [dataclasses.replace(d, run=2) for d in offline(bundle, data[900:], stamps[900:])]
    assert heard.decisions == expected  # no window spans it


def test_consumer_stall_longer_than_max_buflen(bundle: Bundle) -> None:
    data, stamps = stamped(20.0)
    held, stall = round(4 * SFREQ), slice(640, 1920)  # 10 s nobody pulls, 4 s are kept
    kept = np.r_[0 : stall.start, stall.stop - held : len(data)]
    arrivals = stamps.copy()
    arrivals[stall] = stamps[stall.stop]
    heard, _ = decode(bundle, data[kept], stamps[kept], 16, arrivals=arrivals[kept])
    lost = stall.stop - held - stall.start
    assert heard.gaps == [(round(lost / SFREQ, 3), lost)]
    assert {d.run for d in heard.decisions} == {1, 2}


@pytest.mark.parametrize("seconds", [2.0, -2.0, 0.5, -0.5])
def test_clock_step(bundle: Bundle, seconds: float) -> None:
    data, stamps = stamped()
    arrivals = stamps.copy()
    stamps[900:] += seconds
    heard, _ = decode(bundle, data, stamps, arrivals=arrivals)
    assert (heard.gaps, heard.steps) == ([], [seconds])
    assert heard.decisions == offline(bundle, data, stamps)  # windows are counted in samples


def test_clock_that_steps_all_the_time_is_no_clock(bundle: Bundle) -> None:
    data, stamps = stamped(20.0)
    arrivals = stamps.copy()
    stamps -= 3.0 * (np.arange(len(stamps)) // 100)
    heard, decoding = decode(bundle, data, stamps, arrivals=arrivals)
    assert decoding.by_arrival
    assert len(heard.steps) < 5
    assert sum("arrivals on our clock" in note for note in heard.notes) == 1
    late = heard.decisions[-8:]
    assert all("time of arrival" in d.warnings[-1] for d in late)
    assert all(abs(d.t - arrivals[d.sample - 1]) < 2 / SFREQ for d in late)


def test_backward_stamps(bundle: Bundle) -> None:
    data, stamps = stamped()
    stamps[[900, 1100]] -= 0.012
    heard, decoding = decode(bundle, data, stamps, arrivals=stamps)
    assert decoding.backward == 2
    stamps[1200] -= 1.0  # one that is far out goes there and back
    heard, decoding = decode(bundle, data, stamps)
    assert heard.decisions[-1].run == 1
    assert (heard.steps, heard.gaps) == ([-1.0, 1.0], [])


def test_wrong_clock_at_source(bundle: Bundle) -> None:
    data, stamps = stamped()
    arrivals, heard = stamps.copy(), Heard()
    decoding = Decoding(bundle, open_session(bundle), bundle.spec.stream.bind(INFO), INFO, heard)
    unix = stamps + 1.7e9
    for at in range(0, len(data), 16):
        if at == 160:
            decoding.use_arrival("the stream's stamps are 1700000000 s off our clock")
        decoding.push(data[at : at + 16], unix[at : at + 16], float(arrivals[min(at + 15, len(data) - 1)]))
    found = [d for d in heard.decisions if d.sample > 160]
    assert all(abs(d.t - arrivals[d.sample - 1]) <= 1 / SFREQ for d in found)
    assert all("time of arrival" in d.warnings[-1] for d in found)
    assert heard.gaps == []
