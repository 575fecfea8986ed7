"""The sections that follow the session over time: states, latency, load and counters, events."""

from typing import Any

import numpy as np

from rtdecode.report.clock import number
from rtdecode.report.html import clock, count, figure, folded, paragraph, percent, table
from rtdecode.report.material import Material
from rtdecode.report.plots import Line, Panel, Row, histograms, over_time, timeline

STAGES = ("preprocess", "infer", "heads", "total")
SCREEN = "screen"  # told by the screen, of the decisions that it drew
LOGGED = ("wait", "publish", "age")  # told by health only: quantiles of the last 30 s
COUNTERS = {
    "late": "hops that took longer than a hop", "skipped": "hops that were not ranked",
    "lost": "samples missing by their stamps", "gaps": "gaps", "restarts": "times the stream came back",
    "backward": "samples stamped before their predecessor", "clock_steps": "steps of the sender's clock",
}  # fmt: skip
EVENTS = 500
SEEN = (
    "screen: from publishing until the decision had been handed to the terminal, as its screen told. It is "
    "no part of the total. A screen draws a few decisions a second, and of several decoders the shown one's."
)
USUAL = {"connecting": "connecting", "filling": "filling", "live": "live", "stale": "stale", "lost": "lost",
         "failed": "failed"}  # fmt: skip


def timeline_of(material: Material) -> str:
    session, length = material.session, material.session.length_s
    if not length:
        return ""
    warned = [e.t for e in session.events if e.level in ("warn", "error")]
    rows = [
        Row("state", [(s.t, s.stop - s.t, USUAL.get(s.state, "other")) for s in session.states]),
        Row("runs", [(r.t, r.length_s, "run") for r in session.runs if r.t is not None]),
        Row("gaps", [(r.t - r.gap_s, r.gap_s, "gap") for r in session.runs if r.t is not None and r.gap_s]),
        Row("marks", ticks=[mark.t for mark in session.marks]),
        Row("warnings", ticks=warned),
    ]
    gaps = [run.gap_s for run in session.runs if run.gap_s]
    spent: dict[str, float] = {}
    for stretch in session.states:
        spent[stretch.state] = spent.get(stretch.state, 0.0) + stretch.stop - stretch.t
    alt = (
        f"{clock(length)} in {count(len(session.runs), 'run')} with {count(len(gaps), 'gap')}, "
        f"{count(len(session.marks), 'mark')}, {len(warned)} warnings and errors. Time by state: "
        + (", ".join(f"{state} {clock(seconds)}" for state, seconds in spent.items()) or "not logged")
        + "."
    )
    runs = [
        (str(r.run), str(r.stream), "–" if r.t is None else clock(r.t), clock(r.length_s), str(r.samples),
         str(r.decisions), "–" if r.gap_s is None else f"{r.gap_s:.3f}", r.why or "–")
        for r in session.runs
    ]  # fmt: skip
    head = ("run", "stream", "from", "length", "samples", "decisions", "gap before, s", "why it began")
    states = [(clock(s.t), clock(s.stop), s.state) for s in session.states]
    svg = timeline("times", "Timeline of the session", alt, rows, length)
    return (
        figure(svg, alt)
        + (table("Runs", head, runs, 1, (7,)) if runs else "")
        + (folded("Every state", table("States", ("from", "to", "state"), states, 2)) if states else "")
    )


def latency(material: Material) -> str:
    decisions = material.session.decisions
    found = [
        (stage, np.array([d.stage_ms[stage] for d in decisions if stage in d.stage_ms])) for stage in STAGES
    ]
    drawn = material.session.drawn
    groups = [(stage, ms) for stage, ms in (*found, (SCREEN, np.array(drawn))) if len(ms)]
    if not groups:
        return ""
    rows = []
    for stage, ms in groups:
        p50, p90, p99 = np.percentile(ms, [50, 90, 99])
        rows.append((stage, str(len(ms)), *(f"{v:.2f}" for v in (p50, p90, p99, ms.max()))))
    said = "; ".join(f"{row[0]}: p50 {row[2]} ms, p99 {row[4]} ms, longest {row[5]} ms" for row in rows)
    values = table("Milliseconds per stage", ("stage", "decisions", "p50", "p90", "p99", "max"), rows)
    svg = histograms("latency-plot", "Latency per stage", said + ".", groups)
    caption = "Every decision of the log; logarithmic milliseconds. The line is p50, the dashed line p99."
    seen = paragraph(SEEN) if drawn else ""
    return figure(svg, caption) + values + seen + _total_over_time(material)


def _total_over_time(material: Material) -> str:
    decisions = [d for d in material.session.decisions if "total" in d.stage_ms]
    if len(decisions) < 2:
        return ""
    length = material.session.length_s
    times, total = [d.t for d in decisions], [max(d.stage_ms["total"], 1e-3) for d in decisions]
    lines = [Line("total", times, total, dots=True)]
    hop = material.bundle.spec.hop_s * 1e3 if material.bundle else None
    if hop:
        lines.append(Line("one hop", (0.0, length), (hop, hop), plain=True))
    over = (
        "" if hop is None else f" {sum(t > hop for t in total)} of them took longer than a hop of {hop:g} ms."
    )
    alt = f"Total of {len(total)} decisions over the session, at most {max(total):.2f} ms.{over}"
    panel = Panel("total, ms", lines, log_y=True)
    return figure(over_time("total", "Latency over time", alt, [panel], length), alt)


def keeping_up(material: Material) -> str:
    lines = material.session.health
    if not lines:
        return ""
    last = lines[-1]
    rows = [
        (name, f"{value:g}", words)
        for name, words in COUNTERS.items()
        if (value := number(last.get(name))) is not None
    ]
    parts = [
        paragraph(f"As of the last line about it, at {clock(last['t'])}."),
        table("Counters", ("counter", "at the end", "what"), rows, 1, (2,)),
    ]
    load, rate = _series(lines, "load"), _series(lines, "rate_hz")
    nominal = number(last.get("nominal_hz")) or 0.0
    length = material.session.length_s
    if load[0] and rate[0]:
        panels = [
            Panel("load, share of a hop", [Line("load", *load)], ylim=(0, max(1.02, *load[1])), share=True),
            Panel("samples per second", [
                Line("arriving", *rate), Line("nominal", (0.0, length), (nominal, nominal), plain=True),
            ]),
        ]  # fmt: skip
        counted = [Line(name, *_series(lines, name)) for name in ("late", "skipped", "gaps", "restarts")]
        if largest := max((max(line.y) for line in counted if line.y), default=0.0):
            panels.append(Panel("counters", counted, ylim=(-0.05 * largest, 1.05 * largest)))
        alt = (
            f"Load at most {percent(max(load[1]))} of a hop; effective rate from {min(rate[1]):.1f} to "
            f"{max(rate[1]):.1f} Hz, nominal {nominal:g} Hz."
        )
        parts.append(
            figure(over_time("health", "Load, rate and counters over time", alt, panels, length), alt)
        )
    told = [(name, *_quantiles(lines, name)) for name in LOGGED]
    known = [row for row in told if any(cell != "–" for cell in row[1:])]
    head = ("what", "median of p50, ms", "largest p99, ms", "max, ms")
    if known:
        parts.append(table("Told by health lines (each over 30 s)", head, known))
        parts.append(
            paragraph(
                "wait: for earlier hops of the same chunk. publish: handing a line over. age: from the "
                "newest sample's own stamp to publishing, where the clocks could be compared."
            )
        )
    return "".join(parts)


def _series(lines: list[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    pairs = [(line["t"], value) for line in lines if (value := number(line.get(key))) is not None]
    return [t for t, _ in pairs], [value for _, value in pairs]


def _quantiles(lines: list[dict[str, Any]], name: str) -> tuple[str, str, str]:
    found: list[dict[str, Any]] = []
    for line in lines:
        stages = line.get("stages")
        value = line.get(name) if name == "age" else stages.get(name) if isinstance(stages, dict) else None
        if isinstance(value, dict):
            found.append(value)
    out = []
    for key, pick in (("p50", np.median), ("p99", np.max), ("max", np.max)):
        values = [v for one in found if (v := number(one.get(key))) is not None]
        out.append(f"{float(pick(values)):.2f}" if values else "–")
    return out[0], out[1], out[2]


def events(material: Material) -> str:
    found = material.session.events
    if not found:
        return ""
    serious = [event for event in found if event.level in ("warn", "error")]
    parts = []
    for title, chosen in (("Warnings and errors", serious), ("Every event", found)):
        more = f", the first {EVENTS} of {len(chosen)}" if len(chosen) > EVENTS else ""
        rows = [(f"{event.t:.3f} s", event.level, event.text) for event in chosen[:EVENTS]]
        made = table(f"{title}{more}", ("at", "level", "what happened"), rows, 1, (2,))
        if chosen is found:
            parts.append(folded(f"{title}{more}", made))
        else:
            parts.append(made if rows else paragraph("No warning and no error."))
    return "".join(parts)
