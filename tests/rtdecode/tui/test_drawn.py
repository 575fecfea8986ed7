"""The times until decisions are drawn reach whoever writes the session down, and nobody is waited for."""

from rtdecode.live.control import LIMIT, TIMES, Drawn, encode
from rtdecode.tui.drawn import AT_ONCE, KEPT, TELL_S, DrawTimes
from rtdecode.tui.several import SeveralApp, Shown
from tests.rtdecode.tui.bench import SESSION, Bench, started
from tests.rtdecode.tui.test_several import Core


class Taker:
    """A session that may take what it is told, and does nothing else."""

    recording, into = False, ""

    def __init__(self, takes=True):
        self.told, self.takes = [], takes

    def drawn(self, ms):
        if self.takes:
            self.told.append(list(ms))
        return self.takes

    def tick(self):
        pass


def rounded(taker):
    return [round(ms) for told in taker.told for ms in told]


def decided(at, late_s=0.25):
    """A picture with a decision, and the moment `late_s` after that was published."""
    snapshot = SESSION.at(at, published=at)
    return snapshot, snapshot.published - (snapshot.elapsed_s - snapshot.decided_s) + late_s


def test_told_every_few_seconds_and_not_twice():
    times, taker = DrawTimes(), Taker()
    assert times.due(100.0)
    times.add(80.0, 100.0)
    times.tell(taker, 100.0)
    assert taker.told == [[80.0]]
    assert not times.due(100.0 + 0.9 * TELL_S)
    times.add(-0.1, 101.0)  # clocks that are read in two places
    times.tell(taker, 106.0)
    times.tell(taker, 107.0)
    assert taker.told == [[80.0], [0.0]]


def test_what_is_not_taken_waits_and_comes_in_messages_that_fit():
    times, taker = DrawTimes(), Taker(takes=False)
    for _ in range(KEPT + 10):
        times.add(1e6 / 7, 100.0)
    times.tell(taker, 100.0)
    times.tell(None, 105.0)
    assert taker.told == []
    taker.takes = True
    times.tell(taker, 110.0)
    assert sum(map(len, taker.told)) == KEPT
    assert AT_ONCE <= TIMES and max(map(len, taker.told)) == AT_ONCE
    assert all(len(encode(Drawn(tuple(ms)))) < LIMIT for ms in taker.told)


async def test_the_screen_tells_what_it_measures_and_the_rest_when_it_ends():
    bench = Bench()
    bench.app.control = taker = Taker()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        taker.told.clear()
        for at in (763.0, 764.0):
            await bench.show(pilot, *decided(at))
        bench.app.draw_ms.tell(taker, 764.0)
        assert rounded(taker) == [250, 250]
        taker.told.clear()
        await bench.show(pilot, *decided(765.0, late_s=0.5))
        assert taker.told == []  # too soon
        await bench.show(pilot, *decided(770.0))
        assert [round(ms) for ms in taker.told[0]] == [500, 250]
        await bench.show(pilot, *decided(771.0, late_s=0.125))
        taker.told.clear()
    assert [[round(ms) for ms in told] for told in taker.told] == [[125]]


async def test_a_decision_that_waited_for_a_frozen_screen_is_not_counted():
    bench = Bench()
    bench.app.control = taker = Taker()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        taker.told.clear()
        await bench.show(pilot, *decided(763.0))
        await pilot.press("space")
        assert bench.app.frozen
        await bench.show(pilot, *decided(764.0, late_s=60.0))
        await pilot.press("space")
        await bench.show(pilot, *decided(825.0, late_s=0.5))
    assert rounded(taker) == [250, 500]


async def test_where_one_only_looks_nobody_is_told():
    bench = Bench()
    async with bench.app.run_test(size=(120, 36)) as pilot:
        await started(pilot, bench)
        await bench.show(pilot, *decided(763.0))
        assert bench.app.draw_ms.last > 0


async def test_of_several_each_is_told_its_own():
    takers, now = [Taker(), Taker()], [0.0]
    cores = [Core(SESSION.at(758.0)), Core(SESSION.at(758.0))]
    shown = [Shown(f"EEG-{k}", cores[k], takers[k]) for k in (0, 1)]
    app = SeveralApp(shown, clock=lambda: now[0])
    async with app.run_test(size=(120, 36)) as pilot:

        async def show(at, late_s):
            cores[app.chosen].snapshot, now[0] = decided(at, late_s)
            app.update(True)
            await pilot.pause()

        app.update(True)
        await show(763.0, 0.25)
        await show(764.0, 0.5)
        await pilot.press("n")  # at once: the first may never be shown again
        assert rounded(takers[0]) == [250, 500]
        await show(765.0, 0.75)
        await show(766.0, 1.0)
        cores[0].snapshot, now[0] = decided(800.0, 30.0)
        await pilot.press("n")  # back to what was decided in the meantime
        await show(831.0, 0.125)
    assert rounded(takers[1]) == [750, 1000]
    assert rounded(takers[0]) == [250, 500, 125]
