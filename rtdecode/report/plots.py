"""Plots as inline SVG whose colours are the page's, so that they follow light and dark.

matplotlib draws with placeholder colours, which are then replaced by CSS variables. What differs by colour
differs by marker, dash or hatch as well. Knows nothing of what the values mean.
"""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtdecode.errors import MissingExtra
from rtdecode.report.html import clean, safe

# Placeholders of no other use, and the variables of the page that take their place.
INK, FAINT = "#010203", "#040506"
SERIES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005", "#0a0006")
_VARIABLES = {INK: "--ink", FAINT: "--faint", **{c: f"--s{n}" for n, c in enumerate(SERIES, start=1)}}
_HATCHES, _DASHES, _MARKERS = ("", "///", "...", "xxx", "\\\\\\", "+++"), ("-", "--", "-.", ":"), "os^DvP"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9, "text.color": INK,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "grid.color": FAINT, "axes.grid": True,
    "axes.axisbelow": True, "legend.frameon": False, "figure.facecolor": "none", "axes.facecolor": "none",
    "hatch.linewidth": 0.6, "axes.formatter.useoffset": False, "axes.titlesize": 9,
    "axes.titlelocation": "left",
}  # fmt: skip
MOST = 1500  # points of a line: a longer one is thinned, keeping the largest of each stretch
WIDE, COLUMNS = 9.0, 4


@dataclass(frozen=True)
class Line:
    """x, y (P,).  plain: a reference (chance, a limit);  dots: points without a line."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    plain: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines over the same x. ylim: (from, to), from above to below if from is larger."""

    title: str
    lines: Sequence[Line]
    ylim: tuple[float, float] | None = None
    share: bool = False
    log_y: bool = False
    ticks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Row:
    """One row of a timeline: bars (start, length, kind), ticks at moments."""

    name: str
    bars: Sequence[tuple[float, float, str]] = ()
    ticks: Sequence[float] = ()


def over_time(ident: str, title: str, alt: str, panels: Sequence[Panel], length_s: float) -> str:
    """Panels above each other over session seconds. alt: what a reader who cannot see it needs."""

    def draw(figure: Any) -> None:
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            for number, line in enumerate(panel.lines):
                _draw_line(axis, line, number)
            axis.set_title(panel.title)
            if panel.log_y:
                axis.set_yscale("log")
                axis.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
            if panel.ylim:
                axis.set_ylim(*panel.ylim)
            if panel.ticks:
                axis.set_yticks(*zip(*panel.ticks, strict=True))
            if panel.share:
                axis.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
            if len(panel.lines) > 1:
                axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        axes[-1].set(xlim=(0, max(length_s, 1e-3)), xlabel="seconds of the session")

    return _svg(ident, title, alt, (WIDE, 0.5 + 1.7 * len(panels)), draw)


def _draw_line(axis: Any, line: Line, number: int) -> None:
    x, y = thin(line.x, line.y)
    if line.plain:
        axis.plot(x, y, color=INK, linestyle=_DASHES[1 + number % 3], linewidth=1, label=line.name)
        return
    color, mark = SERIES[number % len(SERIES)], _MARKERS[number % len(_MARKERS)]
    if line.dots:
        axis.plot(x, y, color=color, marker=mark, linestyle="none", markersize=3, label=line.name)
        return
    every = max(1, len(x) // 12)
    axis.plot(
        x, y, color=color, linestyle=_DASHES[number % 4], label=line.name, linewidth=1.3,
        marker=mark, markersize=4, markevery=every,
    )  # fmt: skip


def thin(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """At most MOST points: of each equal stretch the one with the largest y."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    if len(xs) <= MOST:
        return xs, ys
    parts = np.array_split(np.arange(len(xs)), MOST)
    keep = np.array([part[int(np.argmax(ys[part]))] for part in parts])
    return xs[keep], ys[keep]


def timeline(ident: str, title: str, alt: str, rows: Sequence[Row], length_s: float) -> str:
    """Rows over session seconds; each kind of bar has its own colour, hatch and entry in the legend."""
    kinds = list(dict.fromkeys(kind for row in rows for _, _, kind in row.bars))

    def draw(figure: Any) -> None:
        from matplotlib.patches import Patch

        axis = figure.subplots()
        looks: dict[str, dict[str, Any]] = {
            kind: {
                "facecolor": SERIES[number % len(SERIES)] if number else FAINT,
                "hatch": _HATCHES[number % len(_HATCHES)],
                "edgecolor": INK,
                "linewidth": 0.5,
            }
            for number, kind in enumerate(kinds)
        }
        least = length_s / 700  # narrower than a point nobody sees
        for y, row in enumerate(rows):
            for kind in kinds:
                bars = [(start, max(size, least)) for start, size, own in row.bars if own == kind]
                if bars:
                    axis.broken_barh(bars, (y - 0.38, 0.76), **looks[kind])
            if row.ticks:
                ticks, _ = thin(row.ticks, [0.0] * len(row.ticks))
                axis.vlines(ticks, y - 0.38, y + 0.38, color=INK, linewidth=0.9)
        axis.set(xlim=(0, max(length_s, 1e-3)), ylim=(len(rows) - 0.5, -0.5), xlabel="seconds of the session")
        axis.set_yticks(range(len(rows)), [clean(row.name, 24) for row in rows])
        axis.grid(axis="y", visible=False)
        if kinds:
            handles = [Patch(label=clean(kind, 24), **looks[kind]) for kind in kinds]
            axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5))

    return _svg(ident, title, alt, (WIDE, max(1.8, 0.8 + 0.26 * len(rows))), draw)


def histograms(ident: str, title: str, alt: str, groups: Sequence[tuple[str, np.ndarray]]) -> str:
    """Milliseconds of each group (N,) in logarithmic bins, with lines at p50 and p99."""

    def draw(figure: Any) -> None:
        columns = min(COLUMNS, len(groups))
        lines = -(-len(groups) // columns)
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axis in axes[len(groups) :]:
            axis.set_visible(False)
        for number, (axis, (name, ms)) in enumerate(zip(axes, groups, strict=False)):
            shown = np.maximum(ms, 1e-3)
            low, high = np.log10(shown.min()), np.log10(shown.max())
            edges = np.logspace(low - 0.05, high + 0.05, 31)
            axis.hist(shown, bins=edges, color=SERIES[number % len(SERIES)])
            p50, p99 = np.percentile(shown, [50, 99])
            axis.axvline(p50, color=INK, linewidth=1, label="p50")
            axis.axvline(p99, color=INK, linewidth=1, linestyle="--", label="p99")
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
            axis.minorticks_off()
            ticks = {float(f"{v:.1g}") for v in (shown.min(), p50, shown.max())}
            axis.set_xticks(sorted(ticks)[:: max(1, len(ticks) - 1)])
            axis.set(title=name, xlabel="ms")
        axes[0].set_ylabel("decisions")
        axes[0].legend(loc="upper right")

    return _svg(ident, title, alt, (WIDE, 2.0 * -(-len(groups) // COLUMNS) + 0.2), draw)


def _svg(ident: str, title: str, alt: str, size: tuple[float, float], draw: Callable[[Any], None]) -> str:
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise MissingExtra("matplotlib", "report") from missing
    # a script that no font here has is drawn by the browser's
    with warnings.catch_warnings(), rc_context({**_STYLE, "svg.hashsalt": ident}):
        warnings.simplefilter("ignore")
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), ident, title, alt)


def _inline(svg: str, ident: str, title: str, alt: str) -> str:
    """An SVG file's text as an element of the page: ids of its own, names for those who cannot see it."""
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # only ids that something refers to are needed; the same ones would come again in every plot
    referred = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{ident}-{m[1]}"' if m[1] in referred else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{ident}-", body)
    for color, variable in _VARIABLES.items():
        body = body.replace(color, f"var({variable})")
    box = re.search(r'viewBox="[^"]+"', body)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{box[0] if box else ""} role="img" aria-labelledby="{ident}-title {ident}-desc">'
        f'<title id="{ident}-title">{safe(title)}</title><desc id="{ident}-desc">{safe(alt, 1000)}</desc>'
    )
    return head + body[body.index(">") + 1 :].strip()
