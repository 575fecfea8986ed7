"""A log on the review screen: what was planted in it stands at its second; the command goes where it says."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.cli import main
from rtdecode.commands import review_screen
from rtdecode.commands.review_screen import Looking, facts_of, run_review_screen
from rtdecode.commands.review_story import OpenLog
from rtdecode.errors import ConfigError, RecordingError
from rtdecode.report.facts import gather
from rtdecode.report.truth import find_bundle, tell
from rtdecode.session.reader import SessionLog
from rtdecode.tui.review.app import ReviewApp
from rtdecode.tui.review.data import BEYOND
from rtdecode.tui.review.pair import PairApp
from rtdecode.tui.review.sessions import SessionsApp
from tests.bundles import make_bundle
from tests.session_logs import (
    FIRST,
    FLAT,
    GAP_AT,
    GAP_S,
    GONE,
    HOSTILE,
    RAILED,
    SFREQ,
    rank_of,
    write_session,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("review") / "tiny")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    return write_session(tmp_path_factory.mktemp("review") / "log", bundle)


@pytest.fixture(scope="module")
def opened(log: Path) -> OpenLog:
    return OpenLog(log)


def test_what_was_planted_stands_at_its_second(opened: OpenLog) -> None:
    story = opened.story
    assert story.length_s == pytest.approx(32.5, abs=0.1)
    ((start, stop),) = story.gaps
    assert start == pytest.approx(GAP_AT, abs=0.05) and stop == pytest.approx(GAP_AT + GAP_S, abs=0.05)
    assert story.state_at(5.0) == "live" and story.state_at(18.0) == "stale"
    assert [e.level for e in story.events if 1.9 < e.t < 2.1] == ["heard", "mark"]
    assert story.place(3.0, 1) == pytest.approx(GAP_AT, abs=0.05)
    assert (story.prob[10], story.second[10]) == (0.4, 0.2)
    assert [word.text for word in story.words[:2]] == ["w0", "w1"] and story.words[9].ends
    assert ("gaps", "1, 1.5 s", 1.0) in story.summary and ("marks", "1", 1.0) in story.summary


def test_ranks_are_those_of_the_report(opened: OpenLog, log: Path) -> None:
    """Read in a hurry, and from all of every line."""
    session = gather(SessionLog(log))
    told = tell(session, *find_bundle(session, None))
    expected = {r.t: r.rank for r in told.ranked}
    known = 0
    for k, fact in enumerate(opened.decisions):
        assert opened.story.rank[k] == expected.get(fact.t, 0)
        if fact.t in expected:
            known += 1
            assert opened.story.rank[k] == rank_of(fact.index)
            shown = opened.decision(k)
            assert shown.rank == rank_of(fact.index)
            place = next((i for i, hit in enumerate(shown.hits, 1) if hit.ident == shown.heard[0]), BEYOND)
            assert place == shown.rank
    assert known > 30
    assert opened.decision(5).warnings == (HOSTILE,) and opened.decision(5).total_ms == 3.0


def test_channels_are_judged_second_by_second(opened: OpenLog) -> None:
    flat, gone, railed = ((int(start), int(stop)) for _, start, stop in (FLAT, GONE, RAILED))
    assert opened.trouble(flat[0] + 1) in ("▁", "▲")  # clipped to two values: a rail on both sides
    assert all(opened.trouble(s) == "▲" for s in range(railed[0], railed[1] - 1))
    assert opened.trouble(gone[0] + 1) == "×"
    assert opened.trouble(14) == " " and opened.trouble(29) == " "
    assert opened.trouble(17) is None and opened.trouble(10**6) is None


def test_samples_are_read_around_the_cursor(opened: OpenLog) -> None:
    data = np.concatenate([chunk.data for chunk in opened.log.chunks()])
    signal = opened.signal(11.0, 2.0)
    assert signal is not None and signal.labels[0] == "Fz" and signal.unit == "microvolts"
    at = round((10.0 - FIRST) * SFREQ)
    shift = min(range(-6, 7), key=lambda d: np.nansum(abs(signal.x.T - data[at + d : at + d + 256])))
    np.testing.assert_array_equal(signal.x.T, data[at + shift : at + shift + 256])
    over = opened.signal(GAP_AT + 0.75, 4.0)
    assert over is not None
    missing = np.isnan(over.x[0]).sum() / SFREQ
    assert missing == pytest.approx(GAP_S, abs=0.05), "the gap stays empty between the runs"
    assert opened.signal(500.0, 2.0) is None
    assert opened.recording_second(FIRST + 7.0) == pytest.approx(7.0, abs=0.05)
    assert opened.recording_second(-4.0) == 0.0


def test_a_log_without_anything_can_be_looked_at(tmp_path: Path, log: Path) -> None:
    empty = tmp_path / "log"
    shutil.copytree(log, empty)
    (empty / "events.jsonl").write_bytes(b"")
    opened = OpenLog(empty)
    assert opened.story.decision_at(5.0) is None and opened.story.missing
    (empty / "samples.xdf").write_bytes(b"XDF:")
    opened = OpenLog(empty)
    assert opened.signal(1.0, 2.0) is None and opened.trouble(1) is None
    assert opened.story.stream == "" and opened.recording_second(3.0) == 0.0


# -- the command -------------------------------------------------------------------------------------------


class Screens:
    """Stands for the terminal: notes which screens are opened and answers for the user."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: object):
        self.seen: list[object] = []
        self.answers = list(answers)
        for app in (ReviewApp, PairApp, SessionsApp):
            monkeypatch.setattr(app, "run", self._run(app))

    def _run(self, kind: type):
        def run(app: object) -> object:
            assert isinstance(app, kind)
            self.seen.append(app)
            return self.answers.pop(0) if self.answers else None

        return run


def test_a_folder_is_listed_newest_first_with_its_damaged_logs(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "deep/two", "open"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_session(tmp_path / name, bundle, closed=name != "open")
    about = json.loads((tmp_path / "one" / "session.json").read_text())
    about["started"] = "2099-01-01T10:00:00.000+00:00"
    (tmp_path / "one" / "session.json").write_text(json.dumps(about))
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "session.json").write_text('{"schema": 99}')
    shutil.copytree(tmp_path / "one", tmp_path / "lost")
    (tmp_path / "lost" / "samples.xdf").unlink()
    looking = Looking(tmp_path)
    looking.wait()
    found = looking.latest()
    assert found[0].path.name in ("one", "lost") and found[-1].path.name == "newer"
    by_name = {item.path.name: item for item in found}
    assert "schema 99" in by_name["newer"].problem and "no samples.xdf" in by_name["lost"].problem
    one = by_name["one"]
    assert one.read and not one.problem and one.decisions > 100 and one.gaps == 1 and one.marks == 1
    assert one.lost == 192 and one.ended == "live" and one.closed and not by_name["open"].closed
    assert one.length_s == pytest.approx(30.0, abs=2.6) and one.bundle == bundle.spec.name
    broken = tmp_path / "one" / "events.jsonl"
    broken.write_bytes(broken.read_bytes()[:-100])
    assert "cut off" in facts_of(tmp_path / "one").problem
    screens = Screens(monkeypatch, (tmp_path / "open",), None, None)
    assert run_review_screen([tmp_path]) == 0
    assert [type(app) for app in screens.seen] == [SessionsApp, ReviewApp, SessionsApp]


def test_one_log_two_logs_and_what_is_none(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screens = Screens(monkeypatch)
    assert run_review_screen([log, log]) == 0 and isinstance(screens.seen[0], PairApp)
    with pytest.raises(ConfigError, match="3 sessions"):
        run_review_screen([log] * 3)
    for nothing in (tmp_path, tmp_path / "never"):
        with pytest.raises(RecordingError, match="not a session log"):
            run_review_screen([nothing])


def test_enter_decodes_from_the_cursor_and_comes_back_to_it(
    log: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rtdecode.commands import replay_screen

    asked: list[tuple[object, ...]] = []

    def replay(file: Path, path: Path, **options: object) -> int:
        asked.append((file, path, options["headless"], options["at_s"]))
        if len(asked) == 2:
            raise RecordingError("no stream came")
        return 0

    monkeypatch.setattr(replay_screen, "run_replay_decoded", replay)
    screens = Screens(monkeypatch, 10.0, 12.0, None)
    assert run_review_screen([log]) == 0
    assert [a[:3] for a in asked] == [(log, bundle.path, False)] * 2
    assert asked[0][3] == pytest.approx(9.0, abs=0.05)
    assert f"rtdecode replay {log} --bundle {bundle.path} --at " in capsys.readouterr().err
    _, second, third = screens.seen
    assert (second.cursor, second.said) == (10.0, ())  # type: ignore[attr-defined]
    assert third.cursor == 12.0 and "no stream came" in third.said[0][0]  # type: ignore[attr-defined]


def test_deeds_write_beside_the_log(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "log"
    shutil.copytree(log, copy)
    deeds = review_screen._Deeds(copy, None)
    written = {kind: deeds.export(kind) for kind in ("csv", "textgrid", "bids")}
    assert {path.name for path in written.values()} == {"log.csv", "log.TextGrid", "log_events.tsv"}
    assert all(path.parent == tmp_path and path.stat().st_size > 1000 for path in written.values())


def test_without_a_terminal_it_is_words_as_ever(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    screens = Screens(monkeypatch)
    assert main(["review", str(log)]) == 0
    plain = capsys.readouterr().out
    assert "decisions: " in plain and not screens.seen
    assert main(["review", str(log), str(log)]) == 2
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["review", str(log), "--text"]) == 0
    assert capsys.readouterr().out == plain and not screens.seen
    assert main(["review", str(log), "--decisions"]) == 0 and not screens.seen
    assert main(["review", str(log)]) == 0
    assert [type(app) for app in screens.seen] == [ReviewApp]
