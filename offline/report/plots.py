"""The report's plots as inline SVG whose colours are the page's: they follow light and dark.

matplotlib draws with placeholder colours, which are then replaced by CSS variables; lines differ by marker
and dash as well as by colour. Knows nothing of what the values mean.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from rtdecode.errors import MissingExtra

# Placeholders of no other use, and the variables of the page that take their place.
INK, FAINT = "#010203", "#040506"
SERIES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005", "#0a0006")
_VARIABLES = {INK: "--ink", FAINT: "--faint", **{c: f"--s{n}" for n, c in enumerate(SERIES, start=1)}}
_MARKERS, _DASHES = ("o", "s", "^", "D", "v", "P"), ("-", "--", "-.", ":")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 10, "text.color": INK,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "grid.color": FAINT, "axes.grid": True,
    "axes.axisbelow": True, "legend.frameon": False, "figure.facecolor": "none", "axes.facecolor": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """x, y (P,); low and high, where known, (P,). plain: a reference (chance, a limit), without markers."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    plain: bool = False


def line_plot(
    ident: str,
    title: str,
    alt: str,
    panels: Sequence[tuple[str, Sequence[Line]]],
    x_label: str,
    *,
    log_x: bool,
) -> str:
    """Lines over x, panels side by side, y from 0 to 100 %. alt: what a reader who cannot see it needs."""
    names = list(dict.fromkeys(line.name for _, lines in panels for line in lines))

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (heading, lines) in zip(axes, panels, strict=True):
            for line in lines:
                _draw_line(axis, line, names.index(line.name))
            axis.set(xlabel=x_label, ylim=(0, 1.02), title=heading)
            if log_x:
                axis.set_xscale("log")
                ticks = sorted({float(x) for line in lines for x in line.x})
                axis.set_xticks(ticks if len(ticks) < 8 else ticks[:: -(-len(ticks) // 6)])
                axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
                axis.xaxis.set_minor_locator(_nothing())
            axis.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
        handles = {}
        for axis in axes:
            handles.update(dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True)))
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=min(4, len(handles))
        )

    return _svg(ident, title, alt, (max(5.5, 3.4 * len(panels)), 3.6), draw)


def _draw_line(axis: Any, line: Line, number: int) -> None:
    if line.plain:
        axis.plot(line.x, line.y, color=INK, linestyle=_DASHES[1 + number % 3], linewidth=1, label=line.name)
        return
    color = SERIES[number % len(SERIES)]
    marker = _MARKERS[number % len(_MARKERS)]
    axis.plot(line.x, line.y, color=color, marker=marker, linestyle=_DASHES[number % 4], label=line.name)
    if line.low is not None and line.high is not None:
        axis.fill_between(line.x, line.low, line.high, color=color, alpha=0.2, linewidth=0)


def strip_plot(ident: str, title: str, alt: str, groups: Sequence[tuple[str, Sequence[float], float]]) -> str:
    """One dot a subject, a bar at their mean, a dash at chance: groups of (name, values, chance)."""

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        for row, (_, values, chance) in enumerate(groups):
            spread = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1)
            order = np.random.default_rng(0).permutation(len(values))
            color = SERIES[row % len(SERIES)]
            axis.plot(values, row + spread[order], "o", color=color, alpha=0.8, markersize=5)
            axis.plot([np.mean(values)] * 2, [row - 0.32, row + 0.32], color=INK, linewidth=2)
            axis.plot([chance] * 2, [row - 0.32, row + 0.32], color=INK, linestyle=":", linewidth=1.5)
        axis.set(xlim=(0, 1), ylim=(len(groups) - 0.5, -0.5), xlabel="top-10")
        axis.set_yticks(range(len(groups)), [name for name, _, _ in groups])
        axis.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
        axis.grid(axis="y", visible=False)

    return _svg(ident, title, alt, (7, 1.2 + 0.7 * len(groups)), draw)


def histogram(ident: str, title: str, alt: str, counts: Sequence[int]) -> str:
    """Share of trials in equal bins of relative rank, best first, with a line where ignorance would be."""

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        width = 1 / len(counts)
        share = np.asarray(counts) / max(1, sum(counts))
        axis.bar((np.arange(len(counts)) + 0.5) * width, share, width=0.9 * width, color=SERIES[0])
        axis.axhline(width, color=INK, linestyle=":", linewidth=1.5)
        axis.set(xlim=(0, 1), xlabel="relative rank of what was heard (0 best)", ylabel="share of trials")
        axis.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
        axis.grid(axis="x", visible=False)

    return _svg(ident, title, alt, (6, 2.6), draw)


def _nothing() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _svg(ident: str, title: str, alt: str, size: tuple[float, float], draw: Any) -> str:
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise MissingExtra("matplotlib", "offline") from missing
    with rc_context({**_STYLE, "svg.hashsalt": ident}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), ident, title, alt)


def _inline(svg: str, ident: str, title: str, alt: str) -> str:
    """An SVG file's text as an element of the page: ids of its own, names for those who cannot see it."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # only ids that something refers to are needed; the same ones would come again in every plot
    referred = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{ident}-{m[1]}"' if m[1] in referred else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{ident}-", body)
    for color, variable in _VARIABLES.items():
        body = body.replace(color, f"var({variable})")
    box = re.search(r'viewBox="[^"]+"', body)
    start = body.index(">") + 1
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{box[0] if box else ""} role="img" aria-labelledby="{ident}-title {ident}-desc">'
        f'<title id="{ident}-title">{escape(title)}</title><desc id="{ident}-desc">{escape(alt)}</desc>'
    )
    return head + body[start:].strip()
