"""What was really heard, where the log's markers tell it, and how each decision ranked it.

Markers are the JSON objects of `rtdecode.score`; which candidate they mean stands in the bundle that decoded.
A mark's time is when it arrived, some tens of milliseconds after what it marks.
"""

from dataclasses import dataclass, field
from pathlib import Path

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.errors import BundleError, RtdecodeError
from rtdecode.report.clock import LONGEST_S, SessionClock
from rtdecode.report.facts import Session
from rtdecode.score import Heard, TopK, Truth, cer, heard, top_k, wer
from rtdecode.session.manifest import bundle_hash

BEYOND = 11  # stands for every rank after the ten that a log holds
SETTLES_S = 0.5  # a word may be written this long after it ended


@dataclass(frozen=True)
class Ranked:
    """Session second, rank of what was heard (BEYOND: after the ten that were logged), its id and text."""

    t: float
    rank: int
    ident: str
    text: str


@dataclass(frozen=True)
class Read:
    """What was read beside what was heard. turned: the error against the heard words in reverse order."""

    expected: str
    cer: float
    wer: float
    cer_turned: float
    wer_turned: float


@dataclass(frozen=True)
class Told:
    """why: in words, what is not known and why; empty when everything is."""

    ranked: list[Ranked] = field(default_factory=list)
    score: TopK | None = None
    read: Read | None = None
    why: str = ""


def find_bundle(session: Session, path: Path | None) -> tuple[Bundle | None, str]:
    """The bundle that decoded, and why not. BundleError when `path` is given and holds another."""
    about = session.log.manifest.bundle
    if about is None:
        if path is not None:
            raise BundleError(f"{session.log.path} was recorded without a bundle", hint="leave --bundle out")
        return None, "the log was recorded without a bundle"
    place = path or Path(about.path)
    try:
        found = bundle_hash(place)
        if found == about.sha256:
            return load_bundle(place), ""
    except (OSError, RtdecodeError) as problem:
        if path is not None:
            raise BundleError(f"cannot read the bundle {path}: {problem}") from problem
        return None, f"the bundle {about.name} is no longer at {about.path} (give it with --bundle)"
    if path is not None:
        raise BundleError(
            f"{path} is not the bundle that decoded: it is {found[:12]}, the log names {about.sha256[:12]}"
        )
    return None, f"{about.path} holds another bundle now: {found[:12]}, the log names {about.sha256[:12]}"


def tell(session: Session, bundle: Bundle | None, why: str) -> Told:
    """The truth of a session, as far as its markers and the bundle tell."""
    clock = session.clock or SessionClock(0.0, 0.0, 0.0)
    events = tuple(
        event
        for event in heard((clock.stamp(mark.t), mark.text) for mark in session.marks)
        if isinstance(event.text, str) and isinstance(event.stimulus, str) and 0 <= event.duration < LONGEST_S
    )
    if not events:
        return Told(why="no marker in the log tells what was heard")
    if not clock.steady:
        return Told(why="the stream's stamps do not keep pace with the session, in which the marks arrived")
    read = _read(session, clock, events)
    if bundle is None:
        return Told(read=read, why=f"ranks need the bundle's list of candidates: {why}")
    candidates = bundle.bank.candidates if bundle.bank else ()
    if not candidates:
        return Told(read=read)
    truth = Truth(candidates, events)
    ranked, pairs = [], []
    at = {candidate.id: index for index, candidate in enumerate(candidates)}
    for decision in session.decisions:
        index = truth.candidate(clock.stamp(decision.t) - bundle.spec.delay_s) if decision.hits else None
        if index is None:
            continue
        best = [at.get(ident, -1) for ident, _ in decision.hits]
        rank = best.index(index) + 1 if index in best else BEYOND
        ranked.append(Ranked(decision.t, rank, candidates[index].id, candidates[index].text))
        pairs.append((best, index))
    if not ranked:
        return Told(read=read, why="what the markers tell is not among the bundle's candidates")
    return Told(ranked, top_k(pairs, len(candidates)), read)


def _read(session: Session, clock: SessionClock, events: tuple[Heard, ...]) -> Read | None:
    """None when nothing was read, or the markers hold no words."""
    said = "".join(decision.delta for decision in session.decisions) + session.tentative
    said = " ".join(said.split())
    if not said:
        return None
    first = session.decisions[0]
    # of the first window on: what was heard before could not be read
    sfreq = next((s.info.sfreq for s in session.log.streams.values()), 0.0)
    begin = clock.stamp(first.t) - (first.sample / sfreq if sfreq else 0.0)
    end = clock.stamp(session.decisions[-1].t) - SETTLES_S
    words = [e.text for e in events if e.kind == "word" and e.start >= begin and e.stop <= end]
    if not words:
        return None
    expected, turned = " ".join(words), " ".join(reversed(words))
    return Read(expected, cer(said, expected), wer(said, expected), cer(said, turned), wer(said, turned))
