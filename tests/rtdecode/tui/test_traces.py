"""Braille and the sweep: every sample is drawn once, where it belongs."""

import warnings
from itertools import pairwise

import numpy as np
import pytest

from rtdecode.tui.traces import Sweep, braille, first_scale, step_scale


def dots(lines):
    return sum(bin(ord(c) - 0x2800).count("1") for line in lines for c in line if c != " ")


def test_a_flat_line_is_one_dot_high():
    lines = braille(np.zeros((1, 400)), 20, 2, 50.0)
    assert [len(line) for line in lines] == [20, 20]
    assert dots(lines) == 40


def test_a_clipped_line_stays_at_the_edge():
    top = braille(np.full((1, 100), 1e6), 10, 2, 50.0)
    assert top[1] == " " * 10
    assert top[0] == "⠉" * 10
    assert braille(np.full((1, 100), -1e6), 10, 2, 50.0)[1] == "⣀" * 10


def test_a_missing_channel_is_blank_and_quiet():
    x = np.zeros((2, 100))
    x[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lines = braille(x, 10, 2, 50.0)
    assert lines[2:] == [" " * 10, " " * 10]
    assert dots(lines[:2]) == 20


@pytest.mark.parametrize("place", [0, 1, 2499, 4998, 4999])
def test_a_single_sample_spike_is_seen(place):
    x = np.zeros((1, 5000))
    x[0, place] = 50.0
    column = place * 20 // 5000
    assert ord(braille(x, 20, 2, 50.0)[0][column]) & 0x09  # a dot of the top row


def test_fewer_samples_than_columns():
    assert dots(braille(np.zeros((1, 3)), 20, 2, 50.0)) == 40


@pytest.mark.parametrize("shape", [(0, 10), (2, 0), (0, 0)])
def test_nothing_to_draw(shape):
    assert braille(np.zeros(shape), 5, 2, 50.0) == ["     "] * (2 * shape[0])


def test_a_step_is_joined():
    x = np.concatenate([np.full(50, -50.0), np.full(50, 50.0)])[None]
    lines = braille(x, 10, 2, 50.0)
    assert dots(lines) == 20 + 6  # the six dots between bottom and top


def test_scale_ladder_goes_up_and_comes_back():
    up = [step_scale(50.0, 0)]
    for _ in range(9):
        up.append(step_scale(up[-1], 1))
    assert up[0] in (40.0, 60.0)
    assert all(b > a for a, b in pairwise(up))
    back = up[-1]
    for _ in range(9):
        back = step_scale(back, -1)
    assert back == pytest.approx(up[0])
    assert step_scale(1e-12, 1) == pytest.approx(1.5e-12)


def test_first_scale_follows_the_typical_channel_not_the_railed_one():
    rng = np.random.default_rng(0)
    x = 10.0 * rng.standard_normal((500, 8))
    x[:, 0] *= 1000
    assert 20.0 <= first_scale(x) <= 60.0
    assert first_scale(np.zeros((500, 4))) == 50.0
    assert first_scale(np.full((500, 4), np.nan)) == 50.0


def play(sweep, x, sfreq, stops, span):
    return [sweep.add(x[max(0, stop - span) : stop], sfreq, stop / sfreq) for stop in stops]


def test_overlapping_snapshots_become_one_signal():
    x = np.random.default_rng(1).standard_normal((1000, 3)).astype(np.float32)
    sweep = Sweep()
    assert play(sweep, x, 100.0, [150, 157, 157, 260, 399], 200) == [150, 7, 0, 103, 139]
    picture, cursor = sweep.picture(2.0, slice(0, 2))
    assert cursor == pytest.approx((399 % 200) / 200)
    expected = np.empty((200, 2), np.float32)
    expected[np.arange(199, 399) % 200] = x[199:399, :2]
    drawn = ~np.isnan(picture.T)
    assert np.array_equal(picture.T[drawn], expected[drawn])
    assert (~drawn).any(axis=1).sum() == 6  # the erase gap in front of the cursor


def test_a_trace_stays_where_it_was_drawn():
    x = np.random.default_rng(2).standard_normal((1000, 1)).astype(np.float32)
    sweep = Sweep()
    play(sweep, x, 100.0, [300], 300)
    before, _ = sweep.picture(2.0, slice(None))
    play(sweep, x, 100.0, [310], 300)
    after, _ = sweep.picture(2.0, slice(None))
    same = np.isclose(before, after) | np.isnan(before) | np.isnan(after)
    assert (~same).sum() <= 10


def test_missing_samples_leave_a_hole():
    x = np.random.default_rng(3).standard_normal((1000, 1)).astype(np.float32)
    sweep = Sweep()
    play(sweep, x, 100.0, [100], 50)
    assert play(sweep, x, 100.0, [250], 50) == [150]  # 100 of the 150 are in no snapshot
    picture, _ = sweep.picture(2.0, slice(None))
    assert np.isnan(picture[0, 50:150]).all()
    assert np.array_equal(picture[0, 150:], x[200:250, 0])


def test_a_flat_stretch_advances_with_session_time():
    x = np.zeros((500, 2), np.float32)
    assert play(Sweep(), x, 100.0, [200, 207], 200) == [200, 7]


def test_a_new_montage_starts_again():
    sweep = Sweep()
    sweep.add(np.ones((100, 3), np.float32), 100.0, 1.0)
    sweep.add(np.ones((50, 4), np.float32), 100.0, 2.0)
    assert sweep.count == 50
    assert sweep.picture(1.0, slice(None))[0].shape == (4, 100)
    assert sweep.add(np.zeros((0, 0), np.float32), 0.0, 3.0) == 0


def test_an_empty_sweep_has_an_empty_picture():
    picture, cursor = Sweep().picture(2.0, slice(0, 8))
    assert picture.size == 0
    assert cursor == 0.0
