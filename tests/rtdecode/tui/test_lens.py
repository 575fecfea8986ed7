"""What the eye chooses: the display filter in pieces is the filter whole, and nothing else changes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.live import display
from rtdecode.preprocess import PreprocessSpec
from rtdecode.snapshot import BundleCard, ChannelState, Event, Snapshot, State
from rtdecode.tui import signals
from rtdecode.tui.lens import BANDS, Lens
from rtdecode.tui.lines import plain
from rtdecode.tui.seen import Filter, Seen, band_at
from rtdecode.tui.signals import heading

SFREQ = 100.0


def snapshots(x, stops, span=200, sfreq=SFREQ, **fields):
    labels = tuple(ChannelState(f"c{i}", "✓", 1.0) for i in range(x.shape[1]))
    fields = {"channels": labels, "signal_sfreq": sfreq, **fields}
    return [
        Snapshot(State.LIVE, elapsed_s=stop / sfreq, signal=x[max(0, stop - span) : stop], **fields)
        for stop in stops
    ]


def noise(rows=1000, channels=3, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, channels)).astype(np.float32)


@given(
    cuts=st.lists(st.integers(0, 300), max_size=8),
    band=st.sampled_from([band for band in BANDS if band]),
    holes=st.lists(st.tuples(st.integers(0, 299), st.integers(1, 30)), max_size=3),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_the_filter_in_pieces_is_the_filter_whole(cuts, band, holes, seed):
    x = noise(300, 2, seed)
    for start, size in holes:
        x[start : start + size, seed % 2] = np.nan
    whole = Filter(band, SFREQ).push(x)
    pieces = Filter(band, SFREQ)
    edges = [0, *sorted(cuts), 300]
    fed = np.concatenate([pieces.push(x[a:b]) for a, b in pairwise(edges)])
    assert np.array_equal(whole, fed, equal_nan=True)
    assert np.array_equal(np.isnan(whole), np.isnan(x))


@given(stops=st.lists(st.integers(1, 900), min_size=1, max_size=8, unique=True), at=st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_switched_on_at_any_time_it_shows_the_same(stops, at):
    """Filtered from the start, or chosen later over what is remembered: one picture."""
    x = noise()
    early, late = Seen(), Seen()
    early.choose(BANDS[1])
    for i, snapshot in enumerate(snapshots(x, sorted(stops), span=900)):
        if i == at:
            late.choose(BANDS[1])
        early.add(snapshot)
        late.add(snapshot)
    late.choose(BANDS[1])
    for a, b in zip(early.sweep.picture(2.0, [0, 2]), late.sweep.picture(2.0, [0, 2]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_band_goes_and_what_is_received_stays():
    t = np.arange(2000) / SFREQ
    x = (np.sin(2 * np.pi * 10 * t) + 50 + np.sin(2 * np.pi * 0.05 * t))[:, None].astype(np.float32)
    lens = Lens()
    for snapshot in snapshots(x, range(200, 2001, 50)):
        lens.add(snapshot)
    lens.seconds = 5.0
    for _ in range(3):
        lens.filter()
    assert lens.said() == "4–30 Hz"
    picture, _ = lens.picture((0,), ())
    assert abs(np.nanmean(picture)) < 0.05
    assert np.nanmax(picture) == pytest.approx(1.0, abs=0.15)
    assert np.nanmedian(lens.seen.received.picture(5.0, [0])[0]) > 45
    lens.filter()
    assert lens.said() == ""
    assert np.nanmean(lens.picture((0,), ())[0]) > 45


def test_at_a_low_rate_the_band_ends_sooner_and_says_so():
    assert band_at((0.5, 40.0), 64.0) == (0.5, 28.8)
    lens = Lens()
    lens.filter()
    for snapshot in snapshots(noise(), [200, 260], sfreq=64.0):
        lens.add(snapshot)
    assert lens.said() == "0.5–28.8 Hz"
    assert np.isfinite(lens.picture((0,), ())[0]).any()


def test_the_average_is_that_of_the_good_channels():
    x = noise(400, 4)
    x[:, 3] = 1e6
    lens = Lens(average=True)
    for snapshot in snapshots(x, [200, 300, 400]):
        lens.add(snapshot)
    quality = tuple(ChannelState(f"c{i}", "▲" if i == 3 else "✓", 1.0) for i in range(4))
    picture, _ = lens.picture((0, 1, 2), quality)
    there = np.isfinite(picture).all(axis=0)
    np.testing.assert_allclose(picture[:, there].mean(axis=0), 0, atol=1e-5)
    assert lens.said() == "CAR"
    expected = x[200:400, 0] - x[200:400, :3].mean(axis=1)
    np.testing.assert_allclose(lens.recent((0,), quality), expected, atol=1e-5)


def test_a_filter_lives_through_gaps_a_new_montage_and_a_freeze():
    lens = Lens()
    lens.filter()
    x = noise(1000, 2)
    for snapshot in snapshots(x, [100, 400], span=50):  # 250 samples in no snapshot
        lens.add(snapshot)
    picture, _ = lens.picture((0,), ())
    assert np.isnan(picture).any() and np.isfinite(picture).any()
    lens.hold()
    held = lens.picture((0,), ())[0]
    for snapshot in snapshots(x, [450, 500]):
        lens.add(snapshot)
    np.testing.assert_array_equal(lens.picture((0,), ())[0], held)
    lens.filter()  # of what is held, too
    assert not np.array_equal(lens.picture((0,), ())[0], held, equal_nan=True)
    lens.release()
    for snapshot in snapshots(noise(600, 5), [550, 600]):
        lens.add(snapshot)
    assert lens.picture((4,), ())[0].shape == (1, 200)


def test_nothing_known_is_nothing_drawn():
    lens = Lens(average=True)
    lens.filter()
    assert lens.picture((), ())[0].size == 0
    assert len(lens.recent((0,), ())) == 0
    lens.add(Snapshot(State.CONNECTING))
    assert lens.view(8, 0, (), "now").picture.size == 0


def test_pages_run_over_the_picked_channels():
    lens = Lens()
    lens.pick((1, 5, 6, 9, 30))
    assert lens.order(32) == (1, 5, 6, 9, 30)
    lens.page(1, 2, 32)
    assert lens.view(2, 32, (), "now").channels(32) == (6, 9)
    lens.page(9, 2, 32)
    assert lens.first == 4
    assert lens.order(8) == (1, 5, 6)
    assert Lens(picked=(40,)).order(8) == tuple(range(8))


def test_what_was_picked_ends_with_its_montage():
    lens = Lens()
    x = noise(400, 3)
    first, second = snapshots(x, [200, 300])
    lens.add(first)
    lens.pick((1,))
    lens.add(second)
    assert lens.picked == (1,)
    other = tuple(replace(c, label="x" + c.label) for c in second.channels)
    lens.add(replace(second, channels=other))
    assert lens.picked is None


def test_marks_stand_where_they_were_made():
    lens = Lens()
    for snapshot in snapshots(noise(500), [300, 400, 450]):
        lens.add(snapshot)
    events = (
        Event(4.0, "mark", "block"),
        Event(4.2, "warn", "x"),
        Event(1.0, "mark", "old"),
        Event(9.0, "mark", "b"),
    )
    ((place, text),) = lens.marks(events)
    assert (place, text) == (0.5, "block")  # sample 300 of those that came, in a sweep of 200


def test_another_decoder_is_seen_with_the_same_eyes():
    lens = Lens()
    lens.filter()
    for snapshot in snapshots(noise(), [200]):
        lens.add(snapshot)
    lens.restart()
    assert lens.seen.received.count == 0
    assert lens.said() == "0.5–40 Hz"


@pytest.mark.parametrize(
    ("band", "reference", "drawn", "said"),
    [
        ((0.5, 40.0), (), "", "Signals  0.5–40 Hz"),
        ((0.5, 40.0), ("TP9",), "4–30 Hz · CAR", "Signals  4–30 Hz · CAR  after 0.5–40 Hz · ref TP9"),
        ((), (), "4–30 Hz", "Signals  4–30 Hz  after from 0.1 Hz"),
        ((), (), "", "Signals  from 0.1 Hz"),
        ((0.5, 100.0), (), "", "Signals  0.5–51.2 Hz"),
    ],
)
def test_the_title_says_what_was_done_to_the_signal(band, reference, drawn, said):
    card = BundleCard("b", "uV", band, reference, 100.0, 3.0, 5, 0.0, True, True)
    assert plain(heading(Snapshot(State.LIVE, bundle=card, signal_sfreq=128.0), drawn)) == said


def test_the_title_knows_what_the_core_does():
    assert (signals.DRIFT_HZ, signals.SHARE) == (display.DRIFT_HZ, 0.4)
    spec = PreprocessSpec(256.0, 64.0, 0.0, 0.0, 0, (0.0,), (1.0,))
    shown = display.Display(spec, ("Cz",))
    t = np.arange(256 * 8) / 256.0
    for hz, passes in ((0.01, False), (10.0, True), (60.0, False)):
        shown.reset()
        x = np.sin(2 * np.pi * hz * t)[:, None].astype(np.float32)
        shown.push(x, x)
        assert bool(np.abs(shown.signal()[-256:]).max() > 0.7) is passes
