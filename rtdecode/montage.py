"""Where electrodes sit, by label, and what a field between them is: spherical splines. numpy alone.

Places are directions from the centre of the head: x to the right, y to the front, z up. Knows no streams, no
samples and no models: quality.py replaces bad channels by the weights that are made here.
"""

from functools import cache

import numpy as np

from rtdecode.errors import ConfigError

NEEDED = 4  # good channels with a place, that one is interpolated from
UNPLACED = 1 / 8  # share of the channels that may be without a place
ALIASES = {"t3": "t7", "t4": "t8", "t5": "p7", "t6": "p8", "o9": "i1", "o10": "i2"}
REGULARISATION, STIFFNESS, TERMS = 1e-5, 4, 50  # as MNE's Raw.interpolate_bads

# The 10-10 positions on the unit sphere: measured on the Colin 27 head (Oostenveld & Praamstra 2001, as in
# MNE's standard_1005), as seen from the centre of the sphere that fits them best. Not A1 and A2: a cap that
# numbers its electrodes has other places of these names.
PLACES = """
Fp1  -0.288  0.956 -0.048   Fpz  -0.007  1.000  0.002   Fp2   0.275  0.960 -0.049   AF9  -0.474  0.766 -0.435
AF7  -0.546  0.834 -0.085   AF5  -0.459  0.885  0.078   AF3  -0.338  0.913  0.227   AF1  -0.185  0.925  0.333
AFz  -0.006  0.934  0.358   AF2   0.182  0.926  0.332   AF4   0.338  0.912  0.231   AF6   0.451  0.889  0.078
AF8   0.536  0.840 -0.086   AF10  0.472  0.765 -0.439   F9   -0.685  0.561 -0.464   F7   -0.766  0.635 -0.102
F5   -0.697  0.688  0.201   F3   -0.527  0.718  0.455   F1   -0.282  0.732  0.621   Fz   -0.005  0.739  0.674
F2    0.286  0.738  0.612   F4    0.525  0.729  0.440   F6    0.698  0.690  0.190   F8    0.760  0.641 -0.106
F10   0.684  0.562 -0.466   FT9  -0.828  0.302 -0.473   FT7  -0.931  0.349 -0.105   FC5  -0.872  0.392  0.294
FC3  -0.660  0.423  0.621   FC1  -0.354  0.431  0.830   FCz  -0.005  0.436  0.900   FC2   0.348  0.440  0.828
FC4   0.659  0.431  0.617   FC6   0.868  0.402  0.291   FT8   0.925  0.364 -0.108   FT10  0.823  0.305 -0.480
T9   -0.882  0.006 -0.471   T7   -0.996  0.005 -0.087   C5   -0.933  0.031  0.358   C3   -0.706  0.052  0.707
C1   -0.374  0.065  0.925   Cz   -0.004  0.071  0.997   C2    0.377  0.070  0.924   C4    0.710  0.060  0.702
C6    0.935  0.042  0.352   T8    0.996  0.017 -0.090   T10   0.877  0.001 -0.480   TP9  -0.852 -0.296 -0.432
TP7  -0.944 -0.326 -0.057   CP5  -0.875 -0.327  0.357   CP3  -0.656 -0.311  0.688   CP1  -0.347 -0.294  0.890
CPz  -0.004 -0.291  0.957   CP2   0.359 -0.293  0.886   CP4   0.665 -0.305  0.682   CP6   0.880 -0.316  0.353
TP8   0.944 -0.324 -0.058   TP10  0.847 -0.303 -0.436   P9   -0.729 -0.566 -0.386   P7   -0.789 -0.614 -0.006
P5   -0.713 -0.626  0.317   P3   -0.535 -0.619  0.575   P1   -0.282 -0.612  0.739   Pz   -0.005 -0.608  0.794
P2    0.293 -0.604  0.741   P4    0.541 -0.612  0.577   P6    0.710 -0.629  0.318   P8    0.787 -0.617 -0.007
P10   0.722 -0.573 -0.389   PO9  -0.534 -0.782 -0.322   PO7  -0.566 -0.823  0.048   PO5  -0.496 -0.835  0.237
PO3  -0.373 -0.842  0.390   PO1  -0.198 -0.852  0.484   POz  -0.006 -0.853  0.522   PO2   0.191 -0.854  0.484
PO4   0.362 -0.849  0.385   PO6   0.494 -0.836  0.238   PO8   0.559 -0.828  0.047   PO10  0.523 -0.788 -0.325
O1   -0.299 -0.948  0.106   Oz   -0.007 -0.986  0.166   O2    0.288 -0.952  0.107   Iz   -0.008 -0.979 -0.203
M1   -0.770 -0.253 -0.586   M2    0.763 -0.256 -0.594   I1   -0.288 -0.922 -0.257   I2    0.274 -0.926 -0.259
"""


@cache
def _known() -> dict[str, tuple[float, float, float]]:
    words = iter(PLACES.split())
    known = {name.lower(): (float(x), float(y), float(z)) for name, x, y, z in zip(*[words] * 4, strict=True)}
    return known | {alias: known[name] for alias, name in ALIASES.items()}


def places(labels: tuple[str, ...]) -> np.ndarray:
    """(C, 3) unit vectors, NaN where a label has no place. Letters' case, blanks and dots around it do not
    matter."""
    nowhere = (np.nan, np.nan, np.nan)
    found = np.array([_known().get(label.strip(" .").lower(), nowhere) for label in labels]).reshape(-1, 3)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def check_places(labels: tuple[str, ...], bundle: str) -> None:
    """ConfigError when bad ones of these channels could not be interpolated, for want of places."""
    unplaced = [label for label, place in zip(labels, places(labels), strict=True) if np.isnan(place[0])]
    placed = len(labels) - len(unplaced)
    hint = "`--bad mask` holds bad channels still"
    if len(unplaced) > UNPLACED * len(labels):
        more = f" and {len(unplaced) - 4} more" if len(unplaced) > 4 else ""
        raise ConfigError(
            f"--bad interpolate: {len(unplaced)} of the {len(labels)} channels of {bundle} have no place in "
            f"the 10-10 system: {', '.join(unplaced[:4])}{more}",
            hint=hint,
        )
    if placed <= NEEDED:
        raise ConfigError(
            f"--bad interpolate: {bundle} has {placed} channels with a place in the 10-10 system, one bad "
            f"and {NEEDED} good ones are needed",
            hint=hint,
        )


def spline_weights(good: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """What makes the values at bad (M, 3) out of those at good (N, 3): (M, N), unit vectors in.

    Each row adds up to 1, but for six decimals, so that neither a common reference nor a re-reference changes
    what comes out.
    Spherical splines (Perrin et al. 1989, Electroencephalography and Clinical Neurophysiology 72: 184-187,
    equations 1 to 3), with MNE's regularisation, stiffness and number of terms.
    """
    count = len(good)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = _spline(good @ good.T) + REGULARISATION * np.eye(count)
    system[count, count] = 0.0
    wanted = np.ones((count + 1, len(bad)))
    wanted[:count] = _spline(good @ bad.T)
    weights = np.linalg.solve(system, wanted)[:count].T  # the system is symmetric
    # so far and no further, processors agree: a log decodes to the same bytes elsewhere
    return np.ascontiguousarray(weights.round(6))


def _spline(cosine: np.ndarray) -> np.ndarray:
    """Perrin's g of the angle between two places."""
    n = np.arange(1, TERMS + 1)
    terms = (2 * n + 1) / (4 * np.pi * (n * (n + 1.0)) ** STIFFNESS)
    value: np.ndarray = np.polynomial.legendre.legval(cosine, np.concatenate([[0.0], terms]))
    return value
