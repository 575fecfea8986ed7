"""One channel big: the spectrum is that of the drawn seconds, in true units."""

from dataclasses import replace

import numpy as np
import pytest

from rtdecode.snapshot import Snapshot, State
from rtdecode.tui import spectrum
from rtdecode.tui.lines import cell_len, plain
from rtdecode.tui.picture import Session
from rtdecode.tui.signals import View

SESSION = Session()
LIVE = SESSION.at(759.44)


def big(snapshot, width=118, height=30, channel=8, x=None, **options):
    picture = snapshot.signal[:, channel : channel + 1].T
    view = replace(View(picture, 0.5, 30.0, 2.0, channel, 1), **options)
    recent = picture[0] if x is None and len(picture) else np.zeros(0) if x is None else x
    return [plain(line) for line in spectrum.render(snapshot, width, height, view, snapshot.channels, recent)]


def test_a_sine_is_a_line_at_its_frequency_with_its_power():
    t = np.arange(1000) / 250.0
    hz, density = spectrum.spectrum(8.0 * np.sin(2 * np.pi * 10 * t) + 3.0, 250.0)
    assert spectrum.peak_hz(hz, density) == pytest.approx(10.0)
    # Parseval: the power under the line is that of the sine, 8² / 2
    assert (density**2).sum() * hz[1] == pytest.approx(32.0, rel=0.01)


def test_white_noise_has_the_density_it_was_made_with():
    x = np.random.default_rng(0).standard_normal(100_000) * 5.0
    _, density = spectrum.spectrum(x, 250.0)
    assert np.sqrt((density[5:-5] ** 2).mean()) == pytest.approx(5.0 / np.sqrt(125.0), rel=0.02)


def test_too_little_too_flat_or_missing_is_no_peak():
    assert spectrum.peak_hz(*spectrum.spectrum(np.zeros(4), 250.0)) is None
    assert spectrum.peak_hz(*spectrum.spectrum(np.zeros(500), 250.0)) is None
    assert spectrum.peak_hz(*spectrum.spectrum(np.full(500, np.nan), 250.0)) is None
    assert spectrum.peak_hz(*spectrum.spectrum(np.ones(500), 0.0)) is None


def test_the_channel_has_the_panel_to_itself():
    text = "\n".join(big(LIVE))
    for words in ("O1 ✓", "rms · peak ", "9 of 32 · ±30 µV · 2 s", "µV/√Hz", "now↑", "0 Hz", "60", "-30"):
        assert words in text


@pytest.mark.parametrize("size", [(118, 30), (76, 20), (56, 16), (40, 8), (20, 5), (6, 2), (0, 0)])
@pytest.mark.parametrize("state", State)
def test_it_stays_in_its_box(size, state):
    for snapshot in (replace(LIVE, state=state), Snapshot(state)):
        for x in (None, np.zeros(3), np.full(500, np.nan), np.zeros(500)):
            lines = big(snapshot, *size, x=x)
            assert len(lines) == size[1]
            assert all(cell_len(line) == size[0] for line in lines)


def test_it_works_for_magnetometers():
    tiny = replace(LIVE, signal=LIVE.signal * 1e-15, bundle=replace(LIVE.bundle, unit="T"))
    assert "T rms" in "\n".join(big(tiny, limit=4e-14))


def test_what_is_not_there_is_said():
    assert "no signal yet" in "\n".join(big(Snapshot(State.FILLING)))
    assert "no spectrum yet" in "\n".join(big(LIVE, x=np.zeros(3)))
