"""A stretch of signal through the real decoder: the same rooms as live, fed with what was gathered.

Decisions depend on samples and stamps only, never on when they are pushed, so that what is answered here is
what `rtdecode live` would have answered.
"""

import time
from pathlib import Path

from rtdecode.bundle import Bundle
from rtdecode.checks.heard import Teller
from rtdecode.checks.result import Outcome, skipped
from rtdecode.checks.story import Answer, known_story
from rtdecode.checks.stretch import Stretch
from rtdecode.contract import ChannelMap
from rtdecode.engines import Session, open_session
from rtdecode.live.decoding import Decoding, decision_window_s
from rtdecode.live.redecode import Collector
from rtdecode.score import Truth
from rtdecode.types import Decision, StreamInfo

UNTRAINED = "control.onnx"


def decisions(
    bundle: Bundle, session: Session, channels: ChannelMap, info: StreamInfo, stretch: Stretch
) -> list[Decision]:
    """Every decision of a fresh decoder for these samples."""
    collects = Collector()
    decoding = Decoding(bundle, session, channels, info, collects, time.perf_counter, bad="keep")
    decoding.push(stretch.data, stretch.stamps)
    return collects.decisions


def answers(found: list[Decision], truth: Truth, delay_s: float) -> list[Answer]:
    """Decisions that ranked, beside what was heard when they speak of."""
    return [
        Answer(d.t, tuple(hit.candidate for hit in d.retrieved.hits), truth.candidate(d.t - delay_s))
        for d in found
        if d.retrieved
    ]


def story(
    bundle: Bundle,
    channels: ChannelMap,
    info: StreamInfo,
    stretch: Stretch,
    teller: Teller,
    engine: str = "onnx",
    threads: int = 1,
) -> Outcome:
    """The step of the known story. RtdecodeError where nobody knows what was heard, or nothing can decode."""
    spec = bundle.spec
    if bundle.bank is None or spec.retrieval is None:
        return skipped("story", "The bundle ranks no segments: there is nothing to be ranked first.")
    truth = Truth(bundle.bank.candidates, teller.tell(stretch, info))
    session = open_session(bundle, engine, threads)
    found = answers(decisions(bundle, session, channels, info, stretch), truth, spec.delay_s)
    untrained: list[Answer] = []
    if (Path(bundle.path) / UNTRAINED).is_file():
        from rtdecode.engines.onnx import OnnxSession

        control = OnnxSession(bundle.path / UNTRAINED, spec)
        untrained = answers(decisions(bundle, control, channels, info, stretch), truth, spec.delay_s)
    return known_story(found, len(bundle.bank.candidates), decision_window_s(bundle), teller.name, untrained)
