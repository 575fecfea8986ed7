"""The bundle card: what a decoder was trained on, on whom, how well it did beside chance, how it is run.

`facts` is the whole card as plain words, for any output; what the bundle does not state is "not stated",
never guessed. Knows neither widgets nor streams.
"""

from dataclasses import dataclass

from rtdecode.found import FoundBundle, said_size, shown
from rtdecode.tui.lines import EMPTY, Line, clean, frame, inner, pad, unit_name, wrap

ABSENT = "not stated"
LABEL = 14


@dataclass(frozen=True)
class Section:
    """rows: (what, in words, role); table: its first row is the heading."""

    title: str
    rows: tuple[tuple[str, str, str], ...]
    table: tuple[tuple[str, ...], ...] = ()


def facts(found: FoundBundle) -> tuple[Section, ...]:
    """Everything the bundle says of itself. A bundle whose manifest cannot be read has one section."""
    spec = found.spec
    if found.problem:
        verified = ("verified", f"✕ no: {found.problem}", "bad")
    elif not found.checked:
        verified = ("verified", "◔ not yet: its files are being compared with their SHA-256", "accent")
    else:
        count = len(spec.files) if spec else 0
        verified = ("verified", f"✓ yes: {count} of {count} files match their SHA-256 in bundle.json", "good")
    bundle = Section(
        "Bundle",
        (
            _row("name", found.name),
            _row("folder", f"{shown(found.path)}, {said_size(found.size_bytes)}"),
            _row("identity", found.identity and f"SHA-256 {found.identity[:16]}…"),
            verified,
        ),
    )
    if spec is None:
        return (bundle,)
    return (bundle, _training(found), _scores(found), _stream(found), _timing(found), *_decodes(found))


def _row(what: str, text: str) -> tuple[str, str, str]:
    return (what, text, "text") if text else (what, ABSENT, "dim")


def _training(found: FoundBundle) -> Section:
    assert found.spec is not None
    training = found.spec.training
    times = training.times_real
    if times is None:
        signal = ("signal", "recorded: nothing here says simulated", "text")
    else:
        said = f"simulated, {times:g} x the response in real EEG" if times else "simulated"
        signal = ("signal", said, "warn")
    return Section(
        "Trained on",
        (
            _row("study", training.study),
            _row("on whom", training.subject),
            _row("how long", f"{training.hours:g} h" if training.hours > 0 else ""),
            signal,
            _row("in words", training.note),
            _row("licence", training.licence),
        ),
    )


def _scores(found: FoundBundle) -> Section:
    assert found.spec is not None
    scores = found.spec.training.scores
    if not scores:
        return Section("Held-out scores", (_row("scores", ""),))
    head: tuple[str, ...] = ("", "held out", "chance", "control", "ridge", "ideal", "n")
    table = [head]
    for s in scores:
        numbers = (
            f"{v:.3f}" if v is not None else "–" for v in (s.value, s.chance, s.control, s.ridge, s.ideal)
        )
        table.append((s.name, *numbers, str(s.n) if s.n else "–"))
    note = (
        "control: an untrained or shuffled model; – is not stated; of error rates (CER, WER) less is better"
    )
    return Section("Held-out scores", (("", note, "dim"),), tuple(table))


def _stream(found: FoundBundle) -> Section:
    assert found.spec is not None
    stream, chain = found.spec.stream, found.spec.preprocess
    if not stream.reference:
        reference = "as recorded"
    elif set(stream.reference) == set(stream.labels):
        reference = f"mean of all {len(stream.labels)} channels"
    else:
        reference = f"mean of {' '.join(stream.reference)}"
    if chain.lowpass_hz:
        band = f"{chain.highpass_hz:g}–{chain.lowpass_hz:g} Hz, causal Butterworth of order {chain.order}"
    else:
        band = "no filter"
    scale = f"follows the signal in {chain.adapt_s:g} s" if chain.adapt_s else "fixed at training"
    return Section(
        "Wants of a stream",
        (
            _row("channels", f"{len(stream.labels)}, by name: {' '.join(stream.labels)}"),
            _row("unit", unit_name(stream.unit)),
            _row("rate", f"{stream.sfreq:g} Hz"),
            _row("reference", reference),
            _row("filter", band),
            _row("model's rate", f"{chain.sfreq:g} Hz"),
            _row("scaling", f"per channel, {scale}; cut at ± {chain.clamp:g} scales"),
        ),
    )


def _timing(found: FoundBundle) -> Section:
    from rtdecode.engines.plan import why_not_incremental

    spec = found.spec
    assert spec is not None
    model = spec.model
    own = "stream: causal steps, states carried" if model.mode == "step" else "window: whole windows"
    modes = [own]
    if why_not_incremental(spec, model.hop, model.baseline) is None:
        modes.append("incremental: only what is new in a window is computed")
    frames = spec.retrieval.frames / spec.frame_rate if spec.retrieval else model.size / spec.preprocess.sfreq
    delay = found.filter_delay_s
    return Section(
        "Runs",
        (
            _row("network", clean(str(model.config.get("name", "")))),
            _row("engine modes", "; ".join(modes)),
            _row("hop", f"{1e3 * spec.hop_s:g} ms between two decisions"),
            _row("window", f"{frames:g} s"),
            _row("delay", f"speaks of {1e3 * spec.delay_s:g} ms ago, by the network's look-ahead"),
            _row("", f"its filters add {1e3 * delay:.0f} ms" if delay is not None else ""),
            _row("untrained too", "yes, as a control" if "control.onnx" in spec.files else "no"),
        ),
    )


def _decodes(found: FoundBundle) -> tuple[Section, ...]:
    spec = found.spec
    assert spec is not None
    retrieval, text = spec.retrieval, spec.text
    sections = []
    if retrieval:
        count = found.candidates
        said = (
            f"{count}, from {len(found.sources)} sources; chance of the first place 1/{count}"
            if count
            else ""
        )
        where = {"search": "any time of the bank is tried", "onset": "whole stimuli from the first sample on"}
        sections.append(
            Section("Retrieves", (_row("candidates", said), _row("alignment", where[retrieval.align])))
        )
    if text:
        search = f"beam search, {text.search.beam} wide" if text.search else "greedy"
        if found.ngrams:
            counts = " + ".join(f"{n} of {k}" for k, n in enumerate(found.ngrams, 1))
            model = f"{text.lm}, an n-gram model: {counts} words"
        else:
            model = text.lm or "none"
        words = f"{found.words} words" if found.words is not None else text.lexicon or "none"
        sections.append(
            Section(
                "Writes text",
                (
                    _row("language", ""),  # no bundle says so yet, and symbols are no proof
                    _row("symbols", f"{len(text.symbols)}: {' '.join(s for s in text.symbols if s.strip())}"),
                    _row("search", search),
                    _row("LM", model),
                    _row("lexicon", words),
                    _row("ends itself", "by rule, at pauses" if text.endpoint else "never"),
                ),
            )
        )
    return tuple(sections)


def lines(found: FoundBundle, width: int) -> list[Line]:
    """The card without a frame, as many lines as it takes."""
    out: list[Line] = []
    for section in facts(found):
        out += [*([EMPTY] if out else []), ((section.title, "title"),)]
        out += _table(section.table, width)
        for what, text, role in section.rows:
            room = max(12, width - LABEL - 2)
            pieces = wrap(clean(text), room) if what or not section.table else wrap(clean(text), width - 2)
            indent = LABEL if what or not section.table else 0
            for k, piece in enumerate(pieces):
                label = pad(what if not k else "", indent)
                out.append((("  ", "text"), (label, "dim"), (piece, role)))
    return out


def _table(table: tuple[tuple[str, ...], ...], width: int) -> list[Line]:
    """As many columns as fit; the first, the score and its chance always do."""
    if not table:
        return []
    first = max(len(clean(row[0])) for row in table)
    columns = max(3, min(7, 1 + (width - 2 - first) // 10))
    out: list[Line] = []
    for k, row in enumerate(table):
        spans: list[tuple[str, str]] = [("  ", "text"), (clean(row[0]).ljust(first), "text")]
        for column, cell in enumerate(row[1:columns], 1):
            spans.append((f"{cell:>10}", "dim" if not k or column > 1 else "strong"))
        out.append(tuple(spans))
    return out


def render(
    found: FoundBundle,
    width: int,
    height: int,
    first: int = 0,
    keys: tuple[str, str] = ("b or Esc closes", "↑ ↓"),
) -> list[Line]:
    """The framed card from its line `first` on, exactly `height` lines. keys: what closes it, what moves"""
    columns, rows = inner(width, height)
    every = lines(found, columns)
    first = max(0, min(first, len(every) - rows))
    more = (
        f"{first + 1}–{min(len(every), first + rows)} of {len(every)}  {keys[1]}" if len(every) > rows else ""
    )
    title: Line = (("Bundle card", "title"), (f"  {clean(found.name)}", "dim"))
    foot: Line = ((keys[0], "dim"),)
    return frame(every[first : first + rows], width, height, title, ((more, "dim"),) if more else EMPTY, foot)
