"""Filters are designed here, in numpy alone: scipy.signal takes longer to import than a decoder to start.

Causal band-passes as second-order sections, windowed low-passes, their minimum-phase forms. Coefficients
agree with scipy.signal's to rounding, section by section, so that what was trained with one runs with the
other. Knows coefficients, not samples: recursion.py runs them, preprocess.py uses both.

Sections are rows (b0, b1, b2, 1, a1, a2), as scipy's `sos`.
"""

import numpy as np


def butterworth_band_pass(order: int, low_hz: float, high_hz: float, sfreq: float) -> np.ndarray:
    """Digital Butterworth band-pass: (order, 6) sections; ValueError where the band does not fit the rate.

    The poles of the analogue low-pass lie evenly on the left half of the unit circle (Butterworth 1930). Each
    becomes two by s -> (s² + w0²) / (B s), and the bilinear transform takes them to the unit disc, the band's
    edges bent beforehand so that they end up where they were asked for (Oppenheim & Schafer, Discrete-Time
    Signal Processing, 3rd ed., section 7.2 and appendix B). All zeros lie at 0 Hz and at half the rate.
    """
    if order < 1 or not 0 < low_hz < high_hz < sfreq / 2:
        raise ValueError(f"need order >= 1 and 0 < {low_hz} < {high_hz} < {sfreq / 2} Hz, got order {order}")
    low, high = np.tan(np.pi * np.array([low_hz, high_hz]) / sfreq)
    width, middle = high - low, np.sqrt(low * high)
    pairs: list[tuple[complex, complex]] = []
    gain = 1.0
    for k in range(-order + 1, order, 2):
        pole = -np.exp(0.5j * np.pi * k / order) if k else -1.0 + 0j
        half = 0.5 * width * pole
        root = np.sqrt(half * half - middle * middle + 0j)
        if k < 0:  # its conjugate comes with it
            for s in (half + root, half - root):
                pairs.append((_bilinear(s), _bilinear(s).conjugate()))
                gain *= width / abs(1 - s) ** 2
        elif k == 0:
            s, other = half + root, half - root  # conjugates, or both real where the band is wide
            pairs.append((_bilinear(s), _bilinear(other)))
            gain *= width / ((1 - s) * (1 - other)).real
    return _sections(pairs, order, gain)


def _bilinear(s: complex) -> complex:
    return complex((1 + s) / (1 - s))


def _sections(pairs: list[tuple[complex, complex]], zeros: int, gain: float) -> np.ndarray:
    """Pole pairs with the zeros nearest to them, the sharpest resonance last: it amplifies least of all
    that the others have not damped yet (Jackson, Bell System Technical Journal 49, 1970). `zeros`: at 1, and
    as many at -1.
    """
    left = {1.0: zeros, -1.0: zeros}
    rows = []
    ordered = [sorted(pair, key=_distance_to_circle) for pair in pairs]
    for sharpest, other in sorted(ordered, key=lambda pair: _distance_to_circle(pair[0])):
        ends: list[float] = []
        for _ in range(2):
            near = 1.0 if sharpest.real > 0 else -1.0
            end = near if left[near] else -near
            left[end] -= 1
            ends.append(end)
        numerator = [1.0, -sum(ends), ends[0] * ends[1]]
        rows.append([*numerator, 1.0, -(sharpest + other).real, (sharpest * other).real])
    sos = np.array(rows[::-1])
    sos[0, :3] *= gain
    return sos


def _distance_to_circle(pole: complex) -> float:
    return abs(1.0 - abs(pole))


def settled(sos: np.ndarray) -> np.ndarray:
    """(sections, 2) state of the transposed direct form II after an input of 1 that lasted for ever.

    With a constant input and output (its gain at 0 Hz, B(1) / A(1)) the two delays obey
    z1 = y - b0 x and z2 = b2 x - a2 y; each section is fed what the one before it gives.
    """
    state = np.empty((len(sos), 2))
    x = 1.0
    for i, (b0, b1, b2, _, a1, a2) in enumerate(sos):
        y = x * (b0 + b1 + b2) / (1.0 + a1 + a2)
        state[i] = y - b0 * x, b2 * x - a2 * y
        x = y
    return state


def group_delay_s(sos: np.ndarray, at_hz: float, sfreq: float) -> float:
    """Seconds by which the envelope of a narrow band around `at_hz` comes later.

    Minus the slope of the phase: for a polynomial P in 1/z the real part of sum(k p_k z^-k) / P, of the
    numerators less of the denominators (Oppenheim & Schafer, section 5.1.2).
    """
    k = np.arange(3)
    turn = np.exp(-2j * np.pi * at_hz / sfreq * k)
    ratio = (sos.reshape(-1, 2, 3) @ (k * turn)) / (sos.reshape(-1, 2, 3) @ turn)
    return float((ratio[:, 0] - ratio[:, 1]).real.sum() / sfreq)


def low_pass_fir(taps: int, cutoff: float, beta: float) -> np.ndarray:
    """(taps,) linear-phase low-pass: a sinc under a Kaiser window, gain 1 at 0 Hz.

    cutoff  as a share of half the rate;  beta  the window's, more is steeper in depth and wider (Kaiser 1974)
    """
    at = np.arange(taps) - 0.5 * (taps - 1)
    h = cutoff * np.sinc(cutoff * at) * np.kaiser(taps, beta)
    return h / h.sum()


def minimum_phase(h: np.ndarray) -> np.ndarray:
    """The filter of the same length and (nearly) the same magnitudes whose energy comes first.

    Homomorphic: the cepstrum of log |H| with its later half folded onto the first is that of the
    minimum-phase filter (Oppenheim & Schafer, section 13.5.2). The transform is 200 times longer than the
    filter, so that the cepstrum's tail hardly wraps; its middle value belongs to both halves and is dropped.
    h: (N >= 3,), symmetric.
    """
    n = 2 ** int(np.ceil(np.log2(2 * (len(h) - 1) / 0.01)))
    magnitude = np.abs(np.fft.rfft(h, n))
    magnitude += 1e-7 * magnitude[magnitude > 0].min()  # no logarithm of 0
    cepstrum = np.fft.irfft(np.log(magnitude), n)
    cepstrum[1 : n // 2] *= 2.0
    cepstrum[n // 2 :] = 0.0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), n)[: len(h)].copy()
