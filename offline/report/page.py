"""The document of a report: its head and its sections. No script, nothing from outside.

A section is a function from `Content` to HTML, empty where there is nothing to show. Knows nothing of files.
"""

from html import escape

import numpy as np

from offline import published
from offline.report.content import Content, lines
from offline.report.html import figure, percent, section, span, table
from offline.report.plots import histogram, strip_plot
from offline.report.progress import calibrations, curves, learning
from offline.report.style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
HOW = (
    "Top-k: share of trials whose segment is among the k best of all different segments of the test. Ties "
    "count with the share of their orders that hit. Words: softmax over segments, probabilities of the "
    "segments of one word added. Chance is k of the number of candidates; the frequency chance is the "
    "best that one fixed list can do. Neighbouring windows share most of their sound: intervals (95 %) "
    "resample whole stretches of 10 s of the stimulus with everybody who heard them, or whole subjects; "
    "with fewer than about ten of either they are too narrow. The subset without overlap keeps only "
    "candidates that share no sound."
)


def page(content: Content) -> str:
    """The whole document."""
    sections = (
        _warnings(content), _summary(content), _blind(content), _subjects(content), _ranks(content),
        curves(content), learning(content), calibrations(content), _published(content), _not_run(content),
    )  # fmt: skip
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in content.facts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # nothing may be loaded from anywhere
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(content.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(content.title)}</h1>\n{f'<dl>{facts}</dl>' if facts else ''}\n"
        + "\n".join(section for section in sections if section)
        + f"\n<section><h2>How to read this</h2><p>{escape(HOW)}</p></section>\n</main>\n</body>\n</html>\n"
    )


def _warnings(content: Content) -> str:
    if not content.warnings:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in content.warnings)
    heading = "<h2>Do not believe these scores yet</h2>"
    return f'<section role="alert" class="alarm">{heading}<ul>{items}</ul></section>'


def _summary(content: Content) -> str:
    if not content.evaluated:
        return ""
    head = ("study", "model", "level", "top", "value", "chance", "frequency chance", "interval, stretches",
            "interval, subjects", "control", "ridge", "ideal observer", "trials", "candidates")  # fmt: skip
    rows = [
        (
            str(f["study"]), str(f["model"]), str(f["level"]), str(f["k"]), percent(f["value"]),
            percent(f["chance"]), percent(f["frequency_chance"]), span(f["low"], f["high"]),
            span(f["low_subjects"], f["high_subjects"]), percent(f["control"]), percent(f["ridge"]),
            percent(f["ideal"]), str(f["n"]), str(f["candidates"]),
        )
        for f in lines(content)
        if f["level"] not in ("subject", "signal-blind")
    ]  # fmt: skip
    notes = "".join(f"<p>{escape(one.name)}: {escape(one.note)}</p>" for one in content.evaluated if one.note)
    medians = "; ".join(f"{one.name} {one.summary.median_rank:.3f}" for one in content.evaluated)
    rank = (
        f"<p>Median relative rank of what was heard (0 best, 0.5 without knowledge): {escape(medians)}.</p>"
    )
    return section("Summary", table("Accuracy on the test", head, rows, names=4), rank, notes)


def _blind(content: Content) -> str:
    rows = [
        (one.name, b.name, f"top-{b.k} {percent(b.value)}", span(b.interval.low, b.interval.high),
         percent(b.chance), f"{b.rank:.3f} ({b.rank_interval.low:.3f} to {b.rank_interval.high:.3f})",
         "at chance" if b.within else "NOT AT CHANCE")
        for one in content.evaluated for b in one.blind
    ]  # fmt: skip
    head = ("result", "baseline", "value", "interval", "chance", "mean relative rank (chance 0.5)", "verdict")
    return (
        section("Signal-blind baselines", table("Predictors without the brain", head, rows, 2))
        if rows
        else ""
    )


def _subjects(content: Content) -> str:
    groups = [
        (one.name, list(one.summary.per_subject.values()), one.summary.segments[-1].chance)
        for one in content.evaluated
        if one.summary.per_subject
    ]
    if not groups:
        return ""
    said = "; ".join(
        f"{name}: {len(v)} subjects from {percent(min(v))} to {percent(max(v))}, mean {percent(np.mean(v))}, "
        f"chance {percent(c)}"
        for name, v, c in groups
    )
    rows = [
        (one.name, s, percent(v)) for one in content.evaluated for s, v in one.summary.per_subject.items()
    ]
    values = table("Top-10 of every subject", ("result", "subject", "top-10"), rows, 2)
    svg = strip_plot("subjects", "Top-10 of every subject", said, groups)
    caption = "One dot a subject, the bar is their mean, the dotted line is chance."
    return section("Subjects", figure(svg, caption, values))


def _ranks(content: Content) -> str:
    parts = []
    for number, one in enumerate(content.evaluated):
        total = max(1, sum(one.rank_counts))
        said = (
            f"{one.name}: {percent(one.rank_counts[0] / total)} of trials in the best twentieth, where "
            f"ignorance has 5.0 %; median relative rank {one.summary.median_rank:.3f}"
        )
        svg = histogram(f"ranks{number}", f"Ranks, {one.name}", said, one.rank_counts)
        parts.append(figure(svg, f"{one.name}. The dotted line is a model that knows nothing."))
    return section("Ranks of what was heard", *parts) if parts else ""


def _published(content: Content) -> str:
    ours = {
        one.study: f"{percent(one.summary.top(10).value)} ({one.model})"
        for one in content.evaluated
        if any(found.k == 10 for found in one.summary.segments)
    }
    studies = list(published.STUDIES)
    models = dict.fromkeys(row.model for row in published.TABLE)
    cells = {(row.model, row.study): row for row in published.TABLE}
    rows = [
        (model, *(f"{cells[model, s].value:g} ± {cells[model, s].sd:g} %" for s in studies))
        for model in models
    ]
    rows.append(("ours, in this report", *(ours.get(study, "not run") for study in studies)))
    head = ("model", *(published.STUDIES[study] for study in studies))
    sizes = [
        (published.STUDIES[s.study], str(s.channels), str(s.subjects), f"{s.hours:g}", str(s.train_segments),
         str(s.test_segments), str(s.test_words))
        for s in published.SIZES
    ]  # fmt: skip
    size_head = ("study", "channels", "subjects", "hours", "training segments", "test segments", "test words")
    return section(
        "Published results",
        table("Top-10 segment accuracy", head, rows),
        f"<p>Source of the published rows: {escape(published.TABLE_2)}.</p>",
        table("Sizes in the published evaluation", size_head, sizes),
        f"<p>Source: {escape(published.SIZES_SOURCE)}.</p>",
    )


def _not_run(content: Content) -> str:
    rows = [(item.what, item.why) for item in content.not_run]
    seen = {one.study for one in content.evaluated} | {item.what for item in content.not_run}
    rows += [(name, "no result was given to this report") for name in published.STUDIES if name not in seen]
    return section("What was not run", table("Missing here", ("what", "why"), rows)) if rows else ""
