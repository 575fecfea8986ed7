"""A stream that is not there: what is looked for, how often and when next, from the search to the screen."""

import threading
from dataclasses import replace

import pytest

from rtdecode.live.connector import Connector
from rtdecode.remote.address import Address
from rtdecode.remote.viewer import Viewer
from rtdecode.snapshot import Retry, Snapshot, State, decode, encode
from rtdecode.sources.lsl import Search, Wanted
from rtdecode.tui import header
from rtdecode.tui.lines import plain
from tests.rtdecode.tui.bench import SESSION, Bench, started

LIVE = SESSION.at(759.4)
RETRY = Retry("named 'EEG'", 12, 1.4)
LOST = replace(LIVE, state=State.LOST, state_s=12.0, retry=RETRY)


def said(snapshot, width=120, silent_s=0.0):
    return plain(header.render(snapshot, width, 1, silent_s)[0])


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def searched(clock, seconds):
    """A search that ended after so many seconds in vain, and what it said of itself meanwhile."""
    gate, during = threading.Event(), []

    def resolve(_):
        gate.wait(10)
        during.append((search.tried, search.next_s))
        clock.now += seconds
        search.stop()
        return []

    search = Search(resolve, clock=clock)
    gate.set()
    search._thread.join(10)
    return search, during


@pytest.mark.parametrize(("seconds", "next_s"), [(1.0, 0.0), (10.0, 0.0), (20.0, 1.0), (500.0, 2.0)])
def test_a_search_tells_when_it_looks_again(seconds, next_s):
    clock = Clock()
    search, during = searched(clock, seconds)
    assert during == [(0, 0.0)]
    assert (search.tried, search.next_s) == (1, pytest.approx(next_s))
    clock.now += 0.5
    assert search.next_s == pytest.approx(max(0.0, next_s - 0.5))
    clock.now += 60
    assert search.next_s == 0.0


def test_the_connector_says_so_only_while_it_looks():
    search, _ = searched(Clock(), 30.0)
    connector = Connector(Wanted("EEG"), None, "", None, search)
    assert connector.retry == Retry("named 'EEG'", 1, 2.0)
    connector.rest()
    assert connector.retry is None


@pytest.mark.parametrize("retry", [None, RETRY])
def test_it_travels(retry):
    assert decode(encode(replace(LOST, retry=retry))).retry == retry


@pytest.mark.parametrize(
    ("next_s", "silent_s", "words"),
    [
        (0.0, 0.0, "looking now"),
        (1.4, 0.0, "retrying in 2 s"),
        (1.4, 0.5, "retrying in 1 s"),
        (0.3, 0.5, "looking now"),
    ],
)
def test_the_header_counts_down(next_s, silent_s, words):
    shown = replace(LOST, retry=replace(RETRY, next_s=next_s))
    for width in (120, 80, 60):
        assert f"✕ LOST  12 s  {words}" in said(shown, width, silent_s)


def test_who_knows_nothing_of_a_search_says_nothing():
    for state in State:
        for retry in (None, RETRY):
            line = said(replace(LIVE, state=state, retry=retry))
            assert ("retrying" in line) is (state is State.LOST and retry is not None)
            assert "looking" not in line
    assert "retrying" not in said(LOST, silent_s=9.0)  # who does not answer may not be looking either


@pytest.mark.parametrize(
    ("tried", "detail", "words"),
    [
        (0, "", "looking for a stream named 'EEG'"),
        (1, "", "looked once · looking for a stream named 'EEG'"),
        (12, "there is no stream named 'EEG'", "looked 12 times · there is no stream named 'EEG'"),
    ],
)
def test_the_panel_says_what_was_tried(tried, detail, words):
    assert header.reason(replace(LOST, retry=replace(RETRY, tried=tried), detail=detail)) == words


def test_while_connecting_the_header_says_what_is_looked_for():
    line = said(Snapshot(State.CONNECTING, state_s=3.2, retry=RETRY, found=("mock",)))
    assert "○ CONNECTING  stream named 'EEG'…  3 s  found 1: mock" in line
    long = Snapshot(State.CONNECTING, state_s=3.2, retry=replace(RETRY, wanted=f"named '{'x' * 80}'"))
    assert "xxx…  3 s" in said(long)


def test_a_viewer_without_its_session_knows_of_no_search():
    viewer = Viewer(Address("127.0.0.1", 1))
    viewer._snapshot = LOST
    away = viewer.latest()
    assert away.state is State.LOST and away.retry is None


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20)])
async def test_a_lost_stream_on_the_screen(size):
    bench = Bench()
    async with bench.app.run_test(size=size) as pilot:
        await started(pilot, bench)
        nasty = replace(LOST, retry=replace(RETRY, wanted="named '[/b]'"), detail="")
        await bench.show(pilot, nasty)
        assert "✕ LOST  12 s  retrying in 2 s" in bench.said("header")
        assert "looked 12 times · looking for a stream named '[/b]'" in bench.said("signals")
        await bench.show(pilot, replace(nasty, retry=replace(RETRY, next_s=0.0)))
        assert "looking now" in bench.said("header")
        await bench.show(pilot, SESSION.at(760.0))
        assert "looking" not in bench.all()
