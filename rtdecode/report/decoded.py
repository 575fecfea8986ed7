"""The sections about what was decoded, with what, and how well: facts, ranking, leading candidates."""

from collections import Counter
from itertools import groupby

import numpy as np

from rtdecode.report.facts import Decided
from rtdecode.report.html import clock, facts, figure, folded, paragraph, percent, table
from rtdecode.report.material import Material
from rtdecode.report.plots import Line, Panel, over_time
from rtdecode.report.truth import BEYOND, Told

RUNNING, ENOUGH = 30, 10  # decisions of the running share, and how many it needs at least
LEADERS, STRETCHES = 10, 300
RANKS = ((1, "1"), (5, "5"), (10, "10"), (BEYOND, "later"))
ASKED = {"engine": "engine", "threads": "threads", "policy": "when behind, rank", "bad": "faulty channels",
         "markers": "marker stream"}  # fmt: skip


def what(material: Material) -> str:
    session = material.session
    log, about = session.log, session.log.manifest
    rows = [("started", f"{about.started} (UTC)"), ("length", clock(session.length_s))]
    if about.bundle:
        rows += [("bundle", f"{about.bundle.name}, {about.bundle.sha256[:12]}")]
    else:
        rows += [("bundle", "none: recorded without decoding")]
    if material.bundle:
        spec, bank = material.bundle.spec, material.bundle.bank
        heads = [name for name, head in (("ranking", spec.retrieval), ("text", spec.text)) if head]
        rows += [
            ("gives", " and ".join(heads)),
            ("candidates", str(len(bank.candidates)) if bank else "none"),
            ("a decision every", f"{1e3 * spec.hop_s:g} ms"),
            ("speaks of", f"{1e3 * spec.delay_s:g} ms before its newest sample"),
        ]
        if spec.training.times_real:
            rows.append(("signal", f"simulated listener at {spec.training.times_real:g} x real EEG"))
    warned = sum(bool(decision.warnings) for decision in session.decisions)
    said = f", {warned} of them with a warning" if warned else ""
    rows.append(("decisions", f"{len(session.decisions)}{said}"))
    config = {key: value for key, value in about.config.items() if isinstance(value, str | int | float)}
    rows += [(name, str(config[key])) for key, name in ASKED.items() if config.get(key) not in (None, "")]
    if session.clock and session.clock.pace != 1.0:
        rows.append(("pace", f"a replay: {session.clock.pace:.2f} seconds of stamps in a second"))
    streams = [
        (str(ident), s.info.name, s.info.stype or "–", s.info.hostname or "–", str(len(s.info.labels)),
         f"{s.info.sfreq:g}", ", ".join(sorted(set(filter(None, s.info.units)))) or "none said",
         str(s.samples), clock(s.samples / s.info.sfreq) if s.info.sfreq else "–",
         f"{1e3 * s.offsets[-1][1]:+.3f}" if s.offsets else "–")
        for ident, s in log.streams.items()
    ]  # fmt: skip
    head = (
        "stream",
        "name",
        "type",
        "host",
        "channels",
        "Hz",
        "unit",
        "samples",
        "length",
        "clock offset, ms",
    )
    versions = folded(
        "Versions",
        table("Versions", ("what", "version"), [("rtdecode", about.rtdecode), *about.versions.items()]),
    )
    return facts(rows) + (table("Streams", head, streams) if streams else "") + versions


def ranking(material: Material) -> str:
    ranked = [decision for decision in material.session.decisions if decision.hits]
    if not ranked:
        return ""
    told = material.told
    truth = _truth(told, material.session.length_s) if told.ranked else ""
    why = paragraph(f"The rank of what was heard is not known: {told.why}.") if told.why else ""
    return truth + why + _leaders(ranked, material.session.length_s)


def _truth(told: Told, length_s: float) -> str:
    score = told.score
    assert score is not None
    ranks = np.array([r.rank for r in told.ranked])
    times = [r.t for r in told.ranked]
    kernel = np.ones(min(RUNNING, len(ranks)))
    below = np.convolve(np.ones(len(ranks)), kernel)[: len(ranks)]
    first = np.convolve(ranks == 1, kernel)[: len(ranks)] / below
    ten = np.convolve(ranks < BEYOND, kernel)[: len(ranks)] / below
    enough = below >= min(ENOUGH, len(ranks))
    first, ten, settled = first[enough], ten[enough], np.array(times)[enough].tolist()
    ends = (0.0, length_s)
    panels = [
        Panel("rank of what was heard (a log holds the ten best)",
              [Line("rank", times, ranks.tolist(), dots=True)], ylim=(11.5, 0.5), ticks=RANKS),
        Panel(f"share of the last {RUNNING} decisions",
              [Line("first", settled, first.tolist()), Line("in ten", settled, ten.tolist()),
               Line("chance, first", ends, [score.chance1] * 2, plain=True),
               Line("chance, ten", ends, [score.chance10] * 2, plain=True)], ylim=(-0.02, 1.04), share=True),
    ]  # fmt: skip
    alt = (
        f"Of {score.n} decisions whose truth is known, what was heard was first in {percent(score.top1)} "
        f"(chance {percent(score.chance1)}) and among the ten best in {percent(score.top10)} "
        f"(chance {percent(score.chance10)})."
    )
    rows = [
        ("first", percent(score.top1), percent(score.chance1), str(score.n), str(score.candidates)),
        ("in the ten best", percent(score.top10), percent(score.chance10), str(score.n),
         str(score.candidates)),
    ]  # fmt: skip
    values = table(
        "How often what was heard was found", ("rank", "share", "chance", "decisions", "candidates"), rows
    )
    caption = (
        "What was heard is told by the markers in the log, which carry the time at which they arrived. "
        "Neighbouring decisions share most of their signal: they are not independent trials."
    )
    svg = over_time("rank", "Rank of what was heard over time", alt, panels, length_s)
    return values + figure(svg, caption)


def _leaders(ranked: list[Decided], length_s: float) -> str:
    count = Counter(decision.hits[0][0] for decision in ranked)
    texts = {decision.hits[0][0]: decision.first for decision in ranked}
    chance = ranked[-1].chance
    times = [decision.t for decision in ranked]
    panel = Panel(
        "probability of the first rank",
        [
            Line("first rank", times, [d.hits[0][1] for d in ranked], dots=True),
            Line("second rank", times, [d.hits[1][1] if len(d.hits) > 1 else 0.0 for d in ranked], dots=True),
            Line("chance", times, [d.chance for d in ranked], plain=True),
        ],
        ylim=(-0.02, 1.04),
        share=True,
    )
    middle = float(np.median([d.hits[0][1] for d in ranked]))
    alt = (
        f"The probability of the first rank over {len(ranked)} decisions: median {percent(middle)}, chance "
        f"{percent(chance)}. {len(count)} different candidates led."
    )
    rows = []
    for ident, times_first in count.most_common(LEADERS):
        prob = float(np.mean([d.hits[0][1] for d in ranked if d.hits[0][0] == ident]))
        rows.append((ident, texts[ident], str(times_first), percent(times_first / len(ranked)),
                     percent(chance), percent(prob)))  # fmt: skip
    most = table(
        f"Who was first most often ({len(count)} different candidates)",
        ("candidate", "text", "times", "share", "chance", "mean probability"),
        rows,
        2,
    )
    stretches = []
    for ident, group in groupby(ranked, key=lambda d: d.hits[0][0]):
        own = list(group)
        prob = float(np.mean([d.hits[0][1] for d in own]))
        stretches.append(
            (clock(own[0].t), clock(own[-1].t), ident, own[0].first, str(len(own)), percent(prob))
        )
    shown = stretches[:STRETCHES]
    more = f", the first {STRETCHES} of {len(stretches)}" if len(stretches) > STRETCHES else ""
    one = table(
        f"Leading candidates over time{more}",
        ("from", "to", "candidate", "text", "decisions", "mean probability"),
        shown,
        4,
    )
    svg = over_time("leaders", "Probability of the leading candidates over time", alt, [panel], length_s)
    caption = "The line without points is chance, one over the number of candidates."
    return figure(svg, caption) + most + folded("Every leading candidate over time", one)
