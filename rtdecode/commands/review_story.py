"""A session log as the review shows it: its facts at once, all else where it is looked at."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np

from rtdecode.quality import NOISY, USED, Thresholds
from rtdecode.report.channels import look
from rtdecode.report.clock import number
from rtdecode.report.facts import Decided as Fact
from rtdecode.report.facts import RunFacts, Session, gather
from rtdecode.report.truth import Told, find_bundle, tell
from rtdecode.score import heard
from rtdecode.session.reader import SessionLog
from rtdecode.tui.review.data import Decided, Event, Hit, Signal, Story, Stretch, Word
from rtdecode.tui.review.summary import Counted, summary
from rtdecode.tui.review.timeline_rows import TROUBLE

USUAL = 24  # seconds, spread over the session, that tell how large each channel usually is
SAMPLES_MOST = 1 << 22  # of one stretch that is read, over all channels


class OpenLog:
    """A log and its Story. RtdecodeError when it is none."""

    def __init__(self, path: Path, bundle: Path | None = None):
        self.path = path
        self.log = SessionLog(path, hurry=True)
        self.session = gather(self.log)
        # equal times keep their order
        self.decisions = sorted(self.session.decisions, key=lambda d: d.t)
        found, why = find_bundle(self.session, bundle)
        told = tell(self.session, found, why)
        self._ranks = {r.t: r for r in told.ranked}
        self.story = _story(self, told)
        self._typical: dict[int, np.ndarray] = {}
        self._troubles: dict[int, str | None] = {}
        self._picks = {line["stream"]: line.get("picks") for line in self.log.lines("connection")}

    @property
    def pace(self) -> float:
        return self.session.clock.pace if self.session.clock else 1.0

    def recording_second(self, t: float) -> float:
        """Where a session second lies in the log played as a recording."""
        zero = next((run.t for run in self.session.runs if run.t is not None), None)
        return 0.0 if zero is None else max(0.0, self.pace * (t - zero))

    def decision(self, k: int) -> Decided:
        fact = self.decisions[k]
        line = self.log.line(fact.at)
        if line is None or line["kind"] != "decision":
            return Decided(fact.t, fact.run, fact.index, damaged=True)
        ranking = line.get("retrieved") or {}
        hits = tuple(
            Hit(hit["id"], hit["text"], str(hit.get("source", "")), number(hit.get("start")) or 0.0,
                float(hit["score"]), float(hit["prob"]))
            for hit in ranking.get("hits", ())[:10]
        )  # fmt: skip
        stages = line.get("stage_ms")
        text, ranked = line.get("text") or {}, self._ranks.get(fact.t)
        warnings = line.get("warnings")
        return Decided(
            fact.t,
            fact.run,
            fact.index,
            hits,
            float(ranking.get("chance", 0.0)),
            int(ranking.get("candidates", 0)),
            number(ranking.get("window_s")) or 0.0,
            text.get("tentative", ""),
            number(stages.get("total")) if isinstance(stages, dict) else None,
            tuple(w for w in warnings if isinstance(w, str)) if isinstance(warnings, list) else (),
            (ranked.ident, ranked.text) if ranked else ("", ""),
            ranked.rank if ranked else 0,
        )

    # -- samples -------------------------------------------------------------------------------------------

    def _run_at(self, t: float) -> RunFacts | None:
        for run in self.session.runs:
            if run.t is not None and run.t <= t < run.t + run.length_s:
                return run
        return None

    def _rate(self, run: RunFacts) -> float:
        """Samples in a session second."""
        return self.pace * self.log.streams[run.stream].info.sfreq

    def signal(self, t: float, seconds: float) -> Signal | None:
        start, stop = t - seconds / 2, t + seconds / 2
        inside = [r for r in self.session.runs if r.t is not None and r.t < stop and r.t + r.length_s > start]
        run = self._run_at(t) or (inside[0] if inside else None)
        if run is None:
            return None
        info, rate = self.log.streams[run.stream].info, self._rate(run)
        count = round(seconds * rate)
        if not 1 <= count * len(info.labels) <= SAMPLES_MOST:
            return None
        x = np.full((len(info.labels), count), np.nan)
        for part in inside:
            if part.stream != run.stream or part.t is None:
                continue
            first = round((start - part.t) * rate)  # of the part, at the left edge
            low, high = max(first, 0), min(first + count, part.samples)
            if high > low:
                data = self.log.samples(run.stream, part.start + low, part.start + high).data
                x[:, low - first : low - first + len(data)] = data.T
        units = set(info.units)
        return Signal(x, start, seconds, info.labels, next(iter(units)) if len(units) == 1 else "")

    def trouble(self, second: int) -> str | None:
        if second not in self._troubles:
            self._troubles[second] = self._look(second)
        return self._troubles[second]

    def _look(self, second: int) -> str | None:
        run = self._run_at(second)
        if run is None or run.t is None or second + 1 > run.t + run.length_s:
            return None
        judged = self._judged(run, second)
        if judged is None:
            return None
        glyphs, spread = judged
        typical = self._usual(run)
        noisy = (spread > Thresholds().noisy * typical) & (typical > 0)
        glyphs = np.where((glyphs == USED) & noisy, NOISY, glyphs)
        picks = self._picks.get(run.stream)
        if isinstance(picks, list):
            glyphs = glyphs[[c for c in picks if isinstance(c, int) and 0 <= c < len(glyphs)]]
        worst = max((TROUBLE.find(str(glyph)) for glyph in glyphs if glyph != USED), default=0)
        return TROUBLE[max(0, worst)]

    def _judged(self, run: RunFacts, second: float) -> tuple[np.ndarray, np.ndarray] | None:
        sfreq, rate = self.log.streams[run.stream].info.sfreq, self._rate(run)
        at = run.start + round((second - (run.t or 0.0)) * rate)
        if not sfreq >= 2 or sfreq * len(self.log.streams[run.stream].info.labels) > SAMPLES_MOST:
            return None
        block = self.log.samples(run.stream, at, at + round(sfreq)).data
        return look(block, sfreq) if len(block) == round(sfreq) else None

    def _usual(self, run: RunFacts) -> np.ndarray:
        """Median spread of every channel of the stream, from a few seconds all over it."""
        if run.stream not in self._typical:
            runs = [r for r in self.session.runs if r.stream == run.stream]
            own = [r for r in runs if r.t is not None and r.length_s > 1]
            spreads = []
            for part in own[: 2 * USUAL]:
                times = max(1, round(USUAL * part.length_s / sum(r.length_s for r in own)))
                for t in np.linspace(part.t or 0.0, (part.t or 0.0) + part.length_s - 1, times):
                    if (judged := self._judged(part, float(t))) is not None:
                        spreads.append(judged[1])
            with np.errstate(all="ignore"):
                table = np.array(spreads) if spreads else np.zeros((1, 1))
                known = np.where(table > 0, table, np.nan)
                middle = np.array([np.nanmedian(c) if np.isfinite(c).any() else 0.0 for c in known.T])
            self._typical[run.stream] = middle
        return self._typical[run.stream]


def _story(opened: OpenLog, told: Told) -> Story:
    session, log = opened.session, opened.log
    stream = next(iter(log.streams.values()), None)
    about = log.manifest
    decisions = opened.decisions
    events = [_event(e.t, e.level, e.text) for e in session.events]
    gaps = [(r.t - r.gap_s, r.t) for r in session.runs if r.t is not None and r.gap_s]
    events += [
        Event(r.t - r.gap_s, "gap", f"{r.gap_s:.3f} s without samples, then run {r.run}")
        for r in session.runs
        if r.t is not None and r.gap_s
    ]
    missing = [*log.cut]
    if not log.closed:
        missing.append("the log has no end: its writer was stopped, or still writes")
    if lost := log.unrecorded():
        missing.append(f"{lost} samples are not in the log")
    ranks = {r.t: r.rank for r in told.ranked}
    return Story(
        name=opened.path.resolve().name,
        started=about.started[:16].replace("T", " ") + " UTC",
        stream=stream.info.name if stream else "",
        channels=len(stream.info.labels) if stream else 0,
        sfreq=stream.info.sfreq if stream else 0.0,
        bundle=about.bundle.name if about.bundle else "",
        length_s=session.length_s,
        states=tuple(Stretch(s.t, s.stop, s.state) for s in session.states),
        events=tuple(sorted(events, key=lambda e: e.t)),
        gaps=tuple(gaps),
        t=np.array([d.t for d in decisions]),
        prob=np.array([d.hits[0][1] if d.hits else math.nan for d in decisions]),
        second=np.array([d.hits[1][1] if len(d.hits) > 1 else math.nan for d in decisions]),
        chance=np.array([d.chance for d in decisions]),
        rank=np.array([ranks.get(d.t, 0) for d in decisions], int),
        words=tuple(_words(decisions)),
        missing=tuple(missing),
        why=told.why,
        summary=summary(_counted(session, told)),
    )


def _event(t: float, level: str, text: str) -> Event:
    if level == "mark" and (told := heard([(t, text)])):
        return Event(t, "heard", f"{told[0].kind} “{told[0].text}”")
    return Event(t, level if level in ("info", "warn", "error", "mark") else "info", text)


def _words(decisions: list[Fact]) -> list[Word]:
    found: list[Word] = []
    for d in decisions:
        words = [Word(d.t, w.start, w.stop, w.text, w.confidence, w.delay_s) for w in d.words]
        if not words and d.delta:  # text without words of their own
            words = [Word(d.t, d.t, d.t, text, None, None) for text in d.delta.split()]
        if d.ended and words:
            last = words[-1]
            words[-1] = Word(last.at, last.start, last.stop, last.text, last.confidence, last.delay_s, True)
        found += words
    return found


def _counted(session: Session, told: Told) -> Counted:
    ranked = [d for d in session.decisions if d.hits]
    words = [w for d in session.decisions for w in d.words]
    last = session.health[-1] if session.health else {}
    levels = [e.level for e in session.events]
    leaders = [d.hits[0][0] for d in ranked]
    loads = [x for line in session.health if (x := number(line.get("load"))) is not None]
    return Counted(
        length_s=session.length_s,
        decisions=len(session.decisions),
        top1=(told.score.top1, told.score.chance1) if told.score else None,
        top10=(told.score.top10, told.score.chance10) if told.score else None,
        probs=np.array([d.hits[0][1] for d in ranked]),
        chance=ranked[-1].chance if ranked else math.nan,
        changes=sum(a != b for a, b in pairwise(leaders)),
        confidences=np.array([w.confidence for w in words if w.confidence is not None]),
        delays=np.array([w.delay_s for w in words if w.delay_s is not None]),
        words=len(words),
        wer=(told.read.wer, told.read.wer_turned) if told.read else None,
        gaps=[run.gap_s for run in session.runs if run.gap_s],
        lost=number(last.get("lost")),
        skipped=number(last.get("skipped")),
        load=max(loads) if loads else None,
        warnings=levels.count("warn") + levels.count("error"),
        marks=sum(e.level == "mark" and not heard([(e.t, e.text)]) for e in session.events),
    )
