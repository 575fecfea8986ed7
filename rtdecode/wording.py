"""Numbers, times and outside text as people read them, on the screen and in what is printed."""

import math

UNITS = {"uv": "µV", "microvolt": "µV", "microvolts": "µV", "mv": "mV", "millivolt": "mV", "millivolts": "mV"}
UNITS |= {"v": "V", "volt": "V", "volts": "V", "ft": "fT", "pt": "pT", "t": "T"}


def clean(text: str) -> str:
    """Outside text made safe for a terminal: control, escape and direction characters become "�"."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def clock(seconds: float, digits: int = 0) -> str:
    """Session time: mm:ss, with an hour in front where there is one. Cut, not rounded, as clocks are."""
    steps = 10**digits
    whole, part = divmod(int(max(0.0, seconds) * steps + 1e-6), steps)
    text = f"{whole // 60 % 60:02d}:{whole % 60:02d}"
    text = f"{whole // 3600}:{text}" if whole >= 3600 else text
    return f"{text}.{part:0{digits}d}" if digits else text


def share(value: float) -> str:
    """A probability as ".62"; 1 as "1.0"; what rounds to nothing, but is not, as "<.01"."""
    if not math.isfinite(value):
        return "  ?"
    if 0 < value < 0.005:
        return "<.01"
    return "1.0" if value >= 0.995 else f"{value:.2f}"[1:]


def figure(value: float, digits: int = 3) -> str:
    """A number with about `digits` significant digits, never in a form longer than it must be."""
    if not math.isfinite(value):
        return "?"
    size = abs(value)
    if size and (size < 10**-2 or size >= 10**6):
        return f"{value:.1e}"
    whole = len(str(int(size)))
    return f"{value:.{max(0, min(digits - whole, 2))}f}"


def counted(n: int, noun: str) -> str:
    """ "1 decision", "2 decisions"."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def unit_name(unit: str) -> str:
    """The unit as people write it: "uV" and "microvolts" are "µV"."""
    return UNITS.get(unit.strip().lower().replace("µ", "u").replace("μ", "u"), clean(unit))
