"""The sections of a report that show something growing: curves, the learning curve, calibrations."""

from collections.abc import Sequence
from html import escape

from offline.contrastive.curves import Curve
from offline.report.content import Content, LearningRow
from offline.report.html import figure, percent, section, span, table
from offline.report.plots import Line, line_plot


def curves(content: Content) -> str:
    by_title: dict[str, list[Curve]] = {}
    for curve in content.curves:
        by_title.setdefault(curve.title, []).append(curve)
    parts = []
    for number, (title, curves) in enumerate(by_title.items()):
        drawn = [_curve_line(curve) for curve in curves]
        chance = {p.x: p.chance for curve in curves for p in curve.points}
        xs = sorted(chance)
        drawn.append(Line("chance", xs, [chance[x] for x in xs], plain=True))
        said = "; ".join(
            f"{curve.name or 'model'}: " + ", ".join(f"{percent(p.value)} at {p.x:g}" for p in curve.points)
            for curve in curves
        )
        rows = [
            (curve.name or "model", f"{p.x:g}", percent(p.value), percent(p.chance),
             "–" if p.interval is None else span(p.interval.low, p.interval.high), str(p.n))
            for curve in curves for p in curve.points
        ]  # fmt: skip
        x_label = curves[0].x_label
        values = table(title, ("curve", x_label, "value", "chance", "interval", "trials"), rows, 2)
        log_x = any(curve.log_x for curve in curves)
        svg = line_plot(f"curve{number}", title, said, [("", drawn)], x_label, log_x=log_x)
        parts.append(f"<h3>{escape(title)}</h3>" + figure(svg, f"{title}; bands are 95 % intervals.", values))
    return section("Curves", *parts) if parts else ""


def _curve_line(curve: Curve) -> Line:
    points = curve.points
    spans = [p.interval for p in points if p.interval is not None]
    known = len(spans) == len(points)
    return Line(
        curve.name or "model",
        [p.x for p in points],
        [p.value for p in points],
        [s.low for s in spans] if known else None,
        [s.high for s in spans] if known else None,
    )


def learning(content: Content) -> str:
    if not content.learning:
        return ""
    gains = sorted({row.gain for row in content.learning})
    panels = []
    for gain in gains:
        rows = sorted((r for r in content.learning if r.gain == gain), key=lambda r: r.minutes)
        panels.append((f"signal {gain:g} x", _learning_lines(rows)))
    cells = [
        (r.study, r.model, f"{r.gain:g} x", f"{r.minutes:g}",
         "–" if r.subjects is None else f"{r.subjects:g}",
         percent(r.top10), span(r.low, r.high), percent(r.chance), percent(r.shuffled), percent(r.ridge),
         percent(r.ideal))
        for r in content.learning
    ]  # fmt: skip
    head = ("study", "model", "signal", "minutes a subject", "subjects", "top-10", "interval", "chance",
            "shuffled", "ridge", "ideal observer")  # fmt: skip
    said = "; ".join(
        f"{r.model}, {r.gain:g} x, {r.minutes:g} min: {percent(r.top10)}" for r in content.learning
    )
    svg = line_plot("learning", "Learning curve", said, panels, "training minutes a subject", log_x=True)
    caption = "Top-10 over the amount of training data, one panel a signal level (times real EEG)."
    return section("Learning curve", figure(svg, caption), table("Every run", head, cells, 4))


def _learning_lines(rows: Sequence[LearningRow]) -> list[Line]:
    out = []
    for model in dict.fromkeys(r.model for r in rows):
        own = [r for r in rows if r.model == model]
        lows, highs = [r.low for r in own if r.low is not None], [r.high for r in own if r.high is not None]
        known = len(lows) == len(highs) == len(own)
        band = (lows, highs) if known else (None, None)
        out.append(Line(model, [r.minutes for r in own], [r.top10 for r in own], *band))
    for name, plain in (("ridge", False), ("shuffled", True), ("ideal", True), ("chance", True)):
        found = {r.minutes: value for r in rows if (value := getattr(r, name)) is not None}
        if found and name not in {line.name for line in out}:
            out.append(Line(name, list(found), list(found.values()), plain=plain))
    return out


def calibrations(content: Content) -> str:
    rows = [
        (c.subject, f"{c.minutes:g}", f"top-{c.k}", percent(c.before), percent(c.after), percent(c.ridge),
         percent(c.chance), f"{100 * c.gain:+.1f} points",
         "–" if c.low is None or c.high is None else f"{100 * c.low:+.1f} to {100 * c.high:+.1f}", str(c.n))
        for c in content.calibrations
    ]  # fmt: skip
    head = ("new subject", "minutes", "score", "not calibrated", "calibrated", "ridge, same minutes",
            "chance", "gain", "interval", "windows")  # fmt: skip
    return section("Calibration", table("Gain on the new subject's test", head, rows)) if rows else ""
