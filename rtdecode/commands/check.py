"""`rtdecode check`: is this sitting fit to decode? Guided on the screen, or headless, line by line."""

import multiprocessing.resource_tracker
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rtdecode.bundle import load_bundle
from rtdecode.checks.decode import story
from rtdecode.checks.heard import Replayed, Table, Teller
from rtdecode.checks.result import PLANS, Outcome, exit_code, summary, text_lines
from rtdecode.checks.sitting import Sitting
from rtdecode.checks.stream import LiveFeed, Marked, loop
from rtdecode.checks.write import prepare, report, write
from rtdecode.commands.interrupted import Interrupted
from rtdecode.errors import ConfigError, RtdecodeError
from rtdecode.sources.lsl import Wanted, quiet
from rtdecode.tui.encoding import need_utf8

TICK_S = 0.05
LOOP_S = 2.0


def run_check(
    *,
    bundle: Path,
    stream: str | None = None,
    stype: str | None = None,
    wait_s: float = 5.0,
    assume_unit: str = "",
    markers: str = "",
    known: Path | None = None,
    headless: bool = False,
    out: Path | None = None,
    skip: tuple[str, ...] = (),
    seconds_scale: float = 1.0,
    story_s: float | None = None,
    engine: str = "onnx",
    threads: int = 1,
) -> int:
    """Check a stream against a bundle. 0: no step failed; 1: one did; 2, or RtdecodeError: not all could run.

    markers, known  who says what is heard: a marker stream, or a recording or table;  skip: keys of steps
    seconds_scale   how much longer or shorter each step but the story is;  story_s: seconds of the story
    """
    if markers and known:
        raise ConfigError("--markers and --story both say what is heard", hint="give one of them")
    if not headless and not sys.stdout.isatty():
        raise RtdecodeError("stdout is not a terminal", hint="--headless checks line by line")
    if not headless:
        need_utf8()
    loaded = load_bundle(bundle)
    teller: Teller | None = teller_of(known) if known else None
    if out is not None:
        prepare(out)
    quiet()
    # a screen takes stderr away, without which the processes of the loop could not be started later
    multiprocessing.resource_tracker.ensure_running()
    marked = Marked(markers) if markers else None
    spec = loaded.spec
    try:
        feed = LiveFeed(Wanted(stream, stype), spec.stream, assume_unit, wait_s)
        try:
            sitting = Sitting(
                loaded,
                feed,
                teller=marked or teller,
                tell=lambda who, channels, info, stretch: story(
                    loaded, channels, info, stretch, who, engine, threads
                ),
                loop=lambda: loop(len(spec.stream.labels), spec.stream.sfreq, LOOP_S),
                seconds=seconds(seconds_scale, story_s),
                skip={key: "Left out by --skip." for key in skip},
                assume_unit=assume_unit,
            )
            outcomes = go_through(sitting) if headless else on_screen(sitting)
            sitting.close()
            info = feed.info
        finally:
            feed.close()
    finally:
        if marked:
            marked.close()
    data, text = report(loaded, info, outcomes)
    if not headless:
        print(text, end="")
    if out is not None:
        written = write(out, data, text)
        _say(f"written to {written[0]} and {written[1].name}")
    return exit_code(outcomes)


def teller_of(path: Path) -> Teller:
    """A recording with its own truth, or a table of events. RecordingError where it is neither."""
    if path.suffix.lower() in (".tsv", ".txt"):
        return Table(path)
    from rtdecode.recordings import read

    return Replayed(path, read(path))


def seconds(scale: float, story_s: float | None) -> dict[str, float]:
    """Seconds of every step."""
    found = {plan.key: plan.seconds * (1.0 if plan.key == "story" else scale) for plan in PLANS}
    return found if story_s is None else {**found, "story": story_s}


def on_screen(sitting: Sitting) -> Mapping[str, Outcome]:
    from rtdecode.tui.checking import CheckApp

    CheckApp(sitting).run()
    return sitting.outcomes


def go_through(
    sitting: Sitting, wait: Callable[[float], None] = time.sleep, say: Callable[[str], None] | None = None
) -> Mapping[str, Outcome]:
    """Every step in its turn, without asking; results on stdout as they come, words for people on stderr."""
    say = say or _say
    with Interrupted() as interrupted:
        for number, plan in enumerate(sitting.plans, 1):
            if plan.key not in sitting.outcomes:
                say(f"{number} {plan.title}, {plan.seconds:g} s: {plan.ask}")
                _run(sitting, lambda: interrupted.seen, wait, say)
            if interrupted.seen:
                say(f"stopped: {summary(sitting.outcomes)}")
                return sitting.outcomes
            print("\n".join(text_lines(number, plan, sitting.outcomes[plan.key])), flush=True)
    print(summary(sitting.outcomes), flush=True)
    return sitting.outcomes


def _run(
    sitting: Sitting, stopping: Callable[[], bool], wait: Callable[[float], None], say: Callable[[str], None]
) -> None:
    at = sitting.at
    sitting.start()
    prompted = 0
    while sitting.phase in ("running", "working") and sitting.at == at and not stopping():
        wait(TICK_S)
        sitting.tick()
        if sitting.prompts > prompted:
            prompted = sitting.prompts
            say("  BLINK")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
