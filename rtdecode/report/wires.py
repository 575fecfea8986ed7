"""The section about channels: which were not good, when and how, and how far they spread."""

import numpy as np

from rtdecode.report.channels import GONE, WORDS, ChannelHealth
from rtdecode.report.html import figure, folded, paragraph, percent, table
from rtdecode.report.material import Material
from rtdecode.report.plots import Line, Panel, Row, over_time, timeline

CHANNEL_ROWS = 40


def section_of(material: Material) -> str:
    return "".join(_connection(health, material) for health in material.channels)


def _connection(health: ChannelHealth, material: Material) -> str:
    good = [glyph for glyph in WORDS if glyph != "✓"]
    shares = {glyph: (health.glyphs == glyph).mean(axis=0) for glyph in WORDS}
    worst = np.argsort(shares["✓"], kind="stable")
    bad = [int(c) for c in worst if shares["✓"][c] < 1]
    seconds = f"{len(health.t)} seconds" + (f", one in {health.every}" if health.every > 1 else "")
    name = f"stream {health.stream}"
    said = (
        f"{name}: {len(health.labels)} channels over {seconds}; "
        f"{len(health.labels) - len(bad)} good throughout" + (f", {len(bad)} not." if bad else ".")
    )
    head = ("channel", "read by the decoder", f"median spread{', ' + health.unit if health.unit else ''}",
            "good", *(WORDS[glyph] for glyph in good))  # fmt: skip
    rows = [
        (health.labels[c], "yes" if health.used[c] else "no", f"{health.rms[c]:.3g}", percent(shares["✓"][c]),
         *(percent(shares[glyph][c]) for glyph in good))
        for c in worst
    ]  # fmt: skip
    values = table(f"Share of seconds, {name}, the worst first", head, rows)
    how = (
        "Judged again from the recorded samples: flat is one value, railed a plateau at an extreme, noisy "
        f"ten times the channel's own median, line noise mostly 50 or 60 Hz, {GONE} no number."
    )
    spread = _spread(health, material.session.length_s)
    if not bad:
        return paragraph(said) + spread + folded(f"Every channel of {name}", values + paragraph(how))
    drawn = bad[:CHANNEL_ROWS]
    rows_drawn = [Row(health.labels[c], _bars(health, c)) for c in drawn]
    more = f" The {CHANNEL_ROWS} worst are drawn." if len(bad) > CHANNEL_ROWS else ""
    alt = (
        said
        + " Worst: "
        + "; ".join(f"{health.labels[c]} good in {percent(shares['✓'][c])}" for c in drawn[:8])
        + "."
    )
    ident = f"channels{health.stream}"
    svg = timeline(ident, f"Channel health of {name}", alt, rows_drawn, material.session.length_s)
    return paragraph(said + more) + figure(svg, how) + spread + folded(f"Every channel of {name}", values)


def _spread(health: ChannelHealth, length_s: float) -> str:
    t, unit = health.t.tolist(), f" {health.unit}" if health.unit else ""
    alive = np.where(health.spread > 0, health.spread, np.nan)  # a flat channel has no place on a log axis
    alive[np.isnan(alive).all(axis=1)] = 1e-12
    lines = [
        Line(name, t, pick(alive, axis=1).tolist())
        for name, pick in (("loudest", np.nanmax), ("median", np.nanmedian), ("quietest", np.nanmin))
    ]
    middle = np.nanmedian(alive, axis=1)
    alt = (
        f"Spread of the channels of stream {health.stream}, second by second: the median channel lies "
        f"between {middle.min():.3g} and {middle.max():.3g}{unit}; flat channels are left out."
    )
    panel = Panel(f"spread within a second,{unit}" if unit else "spread within a second", lines, log_y=True)
    title = f"Spread of the channels of stream {health.stream} over time"
    return figure(over_time(f"spread{health.stream}", title, alt, [panel], length_s), alt)


def _bars(health: ChannelHealth, channel: int) -> list[tuple[float, float, str]]:
    """Neighbouring seconds of one kind as one bar; good seconds are left empty."""
    bars: list[tuple[float, float, str]] = []
    for t, glyph in zip(health.t, health.glyphs[:, channel], strict=True):
        kind = WORDS[str(glyph)]
        if kind == "good":
            continue
        if bars and bars[-1][2] == kind and t <= bars[-1][0] + bars[-1][1] + 0.5 * health.width_s:
            bars[-1] = (bars[-1][0], float(t) + health.width_s - bars[-1][0], kind)
        else:
            bars.append((float(t), health.width_s, kind))
    return bars
