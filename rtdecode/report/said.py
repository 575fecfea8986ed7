"""The section about the text: words with confidence and delay, corrections, and what was really heard.

There are two kinds of corrections: by the end of a sentence, of a bundle that allows them, and by a language
model beside the session. Neither changes what had been committed.
"""

import numpy as np

from rtdecode.report.facts import Decided, Word
from rtdecode.report.html import clock, folded, paragraph, percent, safe, table
from rtdecode.report.material import Material
from rtdecode.report.rescored import Rescored
from rtdecode.report.truth import Read

LEVELS = (0.5, 0.8, 0.95)  # confidences at which the shade changes
SHOWN, LISTED, LINE_WORDS = 4000, 1500, 14


def text(material: Material) -> str:
    session = material.session
    decisions = [d for d in session.decisions if d.delta or d.words or d.corrected]
    opinions = _opinions(session.rescored, session.tally)
    if not decisions:
        return opinions
    words = [word for decision in decisions for word in decision.words]
    parts = [_read(material.told.read) if material.told.read else "", _summary(words, decisions)]
    if words:
        parts.append(
            paragraph(
                "Each word carries its confidence in percent where it is below 95, and confidence and delay "
                "when pointed at; the table below holds all of them. The lower the confidence, the stronger "
                "the shade and the line below the word."
            )
        )
        parts.append(_lines(decisions))
        rows = [
            (clock(w.start), clock(w.stop), w.text, _share(w.confidence), _seconds(w.delay_s))
            for w in words[:LISTED]
        ]
        more = f", the first {LISTED} of {len(words)}" if len(words) > LISTED else ""
        head = ("from", "to", "word", "confidence", "delay, s")
        parts.append(folded(f"Every word{more}", table(f"Words{more}", head, rows, 2)))
    else:
        said = "".join(decision.delta for decision in decisions)
        parts.append(f'<div class="read"><p>{safe(said, 20000)}</p></div>')
    changed = [(clock(d.t), said, now) for d in decisions for said, now in d.corrected][:LISTED]
    if changed:
        parts.append(
            table("Corrected at the end of a sentence", ("at", "was read as", "is now"), changed, 1, (1, 2))
        )
    return "".join([*parts, opinions])


def _opinions(found: list[Rescored], tally: str) -> str:
    """What a language model would have read otherwise, sentence by sentence."""
    rows = [
        (clock(o.t), _sentence(o), o.said, o.now, _share(o.confidence), _late(o), o.model or "–")
        for o in found[:LISTED]
    ]
    more = f", the first {LISTED} of {len(found)}" if len(found) > LISTED else ""
    head = ("at", "sentence", "was read as", "the model reads", "share", "after, ms", "model")
    made = table(f"Corrected by a language model{more}", head, rows, 2, (2, 3, 6)) if rows else ""
    if not made and not tally:
        return ""
    sum_ = f"{tally[:1].upper()}{tally[1:]}. " if tally else ""
    beside = "A language model's readings stand beside the text, which is as it was committed."
    return paragraph(sum_ + beside) + made


def _sentence(one: Rescored) -> str:
    return f"{one.utterance or '?'} of run {one.run or '?'}"


def _late(one: Rescored) -> str:
    return "–" if one.ms is None else f"{one.ms:.0f}{', late' if one.late else ''}"


def _read(read: Read) -> str:
    rows = [
        ("characters (CER)", percent(read.cer), percent(read.cer_turned), str(len(read.expected))),
        ("words (WER)", percent(read.wer), percent(read.wer_turned), str(len(read.expected.split()))),
    ]
    head = ("errors in", "rate", "with the heard words in reverse order", "heard")
    heard = folded("What was heard", f'<div class="read"><p>{safe(read.expected, 20000)}</p></div>')
    return table("Text beside what was heard", head, rows) + heard


def _summary(words: list[Word], decisions: list[Decided]) -> str:
    sure = [w.confidence for w in words if w.confidence is not None]
    delays = [w.delay_s for w in words if w.delay_s is not None]
    ends = sum(bool(decision.ended) for decision in decisions)
    said = (
        f"{len(words)} words, {ends} sentences that ended." if words else "Text without words of their own."
    )
    if sure:
        said += f" Confidence: median {percent(float(np.median(sure)))}, least {percent(min(sure))}."
    if delays:
        p50, p90 = np.percentile(delays, [50, 90])
        said += (
            f" From first shown to committed: p50 {p50:.2f} s, p90 {p90:.2f} s, longest {max(delays):.2f} s."
        )
    return paragraph(said)


def _lines(decisions: list[Decided]) -> str:
    """Lines of a sentence each, or of LINE_WORDS words; a new run begins a new line."""
    lines: list[list[Word]] = [[]]
    run, shown = decisions[0].run, 0
    for decision in decisions:
        if decision.run != run:
            run = decision.run
            lines.append([])
        for word in decision.words:
            if len(lines[-1]) >= LINE_WORDS:
                lines.append([])
            lines[-1].append(word)
            shown += 1
        if decision.ended:
            lines.append([])
        if shown >= SHOWN:
            break
    html = "".join(map(_line, filter(None, lines)))
    note = paragraph(f"The text goes on; the first {shown} words are shown.") if shown >= SHOWN else ""
    return f'<div class="read">{html}</div>{note}'


def _line(line: list[Word]) -> str:
    return f'<p><span class="at">{safe(clock(line[0].start))}</span>{" ".join(map(_word, line))}</p>'


def _word(word: Word) -> str:
    if word.confidence is None:
        return f'<span class="w">{safe(word.text, 80)}</span>'
    level = sum(word.confidence >= limit for limit in LEVELS)
    delay = "" if word.delay_s is None else f", delay {word.delay_s:.2f} s"
    number = f"<small>{100 * word.confidence:.0f}</small>" if level < len(LEVELS) else ""
    title = f"confidence {100 * word.confidence:.0f} %{delay}"
    return f'<span class="w c{level}" title="{safe(title)}">{safe(word.text, 80)}{number}</span>'


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
