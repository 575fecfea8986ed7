"""What the core asks for before a hop is complete, and how it waits for it.

Why it matters: a piece of 0 samples would spin, one beyond the hop would delay its decision, a rehearsal that
takes longer than the samples it waits for costs what it should save, and watching for a stream that never
comes when expected would burn a processor.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.live.approach import (
    EARLY_S,
    FORGIVEN,
    IN_VAIN,
    LATE_S,
    NAP_S,
    PULL_S,
    RETRY,
    TAIL_S,
    WATCH_SHARE,
    Approach,
)

RATES = [64.0, 250.0, 500.0, 1000.0, 2048.0, 30000.0]


class Room:
    """A stream that sends `burst` samples at a time, `late_s` after their times, and a decoder with hops of
    `hop` samples; both by one clock that only moves while somebody waits or works."""

    def __init__(
        self, sfreq: float, hop: int, burst: int = 1, late_s: float = 0.0, rehearsal_s: float = 1e-4
    ):
        self.sfreq, self.hop, self.burst, self.late_s = sfreq, hop, burst, late_s
        self.rehearsal_s, self.now, self.taken = rehearsal_s, 0.0, 0
        self.asked: list[int] = []
        self.naps: list[float] = []
        self.rehearsed: list[float] = []  # when
        self.decides = True  # whether there is anything to rehearse
        self.watched: list[tuple[float, float]] = []  # from when to when
        self.decided_at: list[float] = []
        self.due: list[float] = []  # when each hop was complete

    # --- the clock

    def timer(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    # --- the source

    def there(self, sample: int) -> float:
        """When sample number `sample`, from 1, can be read."""
        return -(-sample // self.burst) * self.burst / self.sfreq + self.late_s

    def waiting(self) -> int:
        found = 0
        while self.there(self.taken + found + 1) <= self.now + 1e-12:
            found += 1
        return found

    def pull(self, min_samples: int, timeout_s: float) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(min_samples)
        self.now = max(self.now, min(self.there(self.taken + min_samples), self.now + timeout_s))
        found = self.waiting()
        self.taken += found
        return np.zeros((found, 1)), np.zeros(found)

    def watch(self, samples: int, until: float) -> bool:
        begin, there = self.now, self.there(self.taken + samples)
        self.now = max(self.now, min(there, until))
        self.watched.append((begin, self.now))
        return there <= until

    # --- the decoder

    def samples_to_next_hop(self) -> int:
        return self.hop - self.taken % self.hop

    def rehearse(self) -> bool:
        if self.decides:
            self.rehearsed.append(self.now)
            self.now += self.rehearsal_s
        return self.decides

    def run(self, approach: Approach, hops: int) -> None:
        while self.taken < hops * self.hop:
            before = self.taken // self.hop
            approach.pull(self, self.samples_to_next_hop(), self.rehearse)
            if self.taken // self.hop > before:
                self.due.append(self.there(self.taken // self.hop * self.hop))
                self.decided_at.append(approach.came)


def approach_of(room: Room) -> Approach:
    return Approach(room.sfreq, room.hop / room.sfreq, room.timer, room.sleep)


@given(hop=st.integers(1, 5000), sfreq=st.sampled_from(RATES))
def test_pieces_make_up_the_hop_and_the_last_is_small(hop: int, sfreq: float) -> None:
    approach, needed, pieces = Approach(sfreq, hop / sfreq), hop, list[int]()
    while needed:
        piece = approach.to_wait_for(needed)
        assert 1 <= piece <= needed
        pieces.append(piece)
        needed -= piece
    assert len(pieces) <= 2
    assert pieces[-1] <= max(1, round(TAIL_S * sfreq))


@given(
    hop_s=st.floats(0.002, 0.5),
    sfreq=st.sampled_from(RATES),
    burst=st.integers(1, 50),
    late_s=st.floats(0.0, 0.005),
    rehearsal_s=st.floats(1e-5, 0.003),
)
def test_no_decision_waits_for_what_should_speed_it_up(
    hop_s: float, sfreq: float, burst: int, late_s: float, rehearsal_s: float
) -> None:
    room = Room(sfreq, max(1, round(hop_s * sfreq)), burst, late_s, rehearsal_s)
    room.run(approach_of(room), 12)
    # one rehearsal may be longer than was thought before the first of them; what it made late tells less of
    # when the next samples come, for a few hops
    assert sum(at > due + 1e-9 for at, due in zip(room.decided_at, room.due, strict=True)) <= 1 + FORGIVEN
    assert all(nap > 0 for nap in room.naps)


def test_the_last_samples_of_every_hop_are_rehearsed_and_watched_for() -> None:
    room = Room(1000.0, 20)
    room.run(approach_of(room), 50)
    assert room.asked == [18, 2] * 50
    assert len(room.rehearsed) == len(room.watched) == 50
    assert room.decided_at == pytest.approx(room.due)
    assert all(EARLY_S - 1e-9 < stop - begin < EARLY_S + NAP_S for begin, stop in room.watched)
    assert room.watched[-1][1] - room.watched[-1][0] == pytest.approx(EARLY_S, rel=0.01)
    assert all(nap < TAIL_S for nap in room.naps)


def test_nothing_is_rehearsed_before_the_first_decision() -> None:
    room = Room(1000.0, 20)
    room.decides = False
    room.run(approach_of(room), 3)
    assert not room.rehearsed and not room.watched


def test_a_rehearsal_that_takes_too_long_is_not_repeated_for_ever() -> None:
    room = Room(1000.0, 20, rehearsal_s=0.005)
    room.run(approach_of(room), 100)
    assert 1 <= len(room.rehearsed) <= 5
    late = [at - due for at, due in zip(room.decided_at, room.due, strict=True)]
    assert late[10:] == pytest.approx([0.0] * 90, abs=1e-9)


class HeldUp(Room):
    """Whose tenth rehearsal the system holds up for 5 ms."""

    def rehearse(self) -> bool:
        self.rehearsal_s = 0.005 if len(self.rehearsed) == 9 else 1e-4
        return super().rehearse()


def test_a_rehearsal_that_was_held_up_once_tells_nothing_of_the_next() -> None:
    room = HeldUp(1000.0, 20)
    room.run(approach_of(room), 50)
    assert len(room.rehearsed) >= 49


def test_a_rehearsal_that_took_too_long_is_tried_again() -> None:
    room = Room(1000.0, 20, rehearsal_s=0.005)
    approach = approach_of(room)
    room.run(approach, 10)
    room.rehearsal_s, before = 1e-4, len(room.rehearsed)
    room.run(approach, 10 + 4 * RETRY)
    assert len(room.rehearsed) - before > RETRY


@pytest.mark.parametrize(("sfreq", "hop"), [(1000.0, 10), (30000.0, 300), (250.0, 2)])
def test_at_short_hops_nothing_is_watched_for(sfreq: float, hop: int) -> None:
    assert hop / sfreq < (EARLY_S + LATE_S) / WATCH_SHARE
    room = Room(sfreq, hop)
    room.run(approach_of(room), 20)
    assert not room.watched


@pytest.mark.parametrize("sfreq", [64.0, 128.0, 250.0, 500.0, 2048.0, 30000.0])
def test_slow_and_fast_streams_are_watched_for(sfreq: float) -> None:
    room = Room(sfreq, round(0.1 * sfreq))
    room.run(approach_of(room), 5)
    assert len(room.watched) == len(room.rehearsed) == 5


def test_a_stream_that_comes_in_bursts_is_asked_as_ever() -> None:
    room = Room(1000.0, 20, burst=20)
    room.run(approach_of(room), 50)
    assert not room.watched and not room.rehearsed
    assert room.decided_at == pytest.approx(room.due)


def test_who_watches_in_vain_soon_leaves_it() -> None:
    room = Room(1000.0, 20, burst=6)  # the last two samples come with others, 4 ms late
    room.run(approach_of(room), 3000)
    vain = [stop - begin for begin, stop in room.watched]
    assert len(vain) < 100
    assert sum(vain) < 0.001 * room.now
    assert IN_VAIN >= 8


class Uneven(Room):
    """The samples before the last two of a hop are 1.5 ms late: the last ones come sooner than expected."""

    def there(self, sample: int) -> float:
        late = 0.0015 if sample % self.hop == self.hop - 2 else 0.0
        before = (sample - 1) / self.sfreq + 0.0015 if sample % self.hop == self.hop - 1 else 0.0
        return max(sample / self.sfreq + late, before)


def test_a_stream_that_comes_sooner_than_it_should_is_not_slept_through() -> None:
    room = Uneven(1000.0, 20)
    room.run(approach_of(room), 3000)
    late = [at > due + 1e-9 for at, due in zip(room.decided_at, room.due, strict=True)]
    assert 1 <= sum(late) <= 2 * IN_VAIN


class Late(Room):
    """All but the last two samples of a hop are 0.3 ms late: later than the watching begins."""

    def there(self, sample: int) -> float:
        return sample / self.sfreq + (3e-4 if sample % self.hop == self.hop - 2 else 0.0)


def test_samples_that_are_late_do_not_make_the_next_ones_late() -> None:
    room = Late(1000.0, 20)
    room.run(approach_of(room), 50)
    assert EARLY_S < 3e-4
    late = [at > due + 1e-9 for at, due in zip(room.decided_at, room.due, strict=True)]
    assert sum(late) <= 1 + FORGIVEN
    assert len(room.watched) >= 45


class Replayed(Room):
    """Twenty times as fast as it says."""

    def there(self, sample: int) -> float:
        return super().there(sample) / 20


def test_a_recording_replayed_at_speed_is_waited_for_as_usual() -> None:
    room = Replayed(250.0, 10)
    room.run(approach_of(room), 100)
    assert not room.naps and not room.rehearsed
    assert room.decided_at == pytest.approx(room.due)


def test_a_stream_of_seconds_between_samples_is_waited_for_as_usual() -> None:
    room = Room(2.0, 4)
    room.run(approach_of(room), 5)
    assert not room.naps and not room.rehearsed


def test_a_stream_that_became_regular_is_watched_for_again() -> None:
    room = Room(1000.0, 20, burst=6)
    approach = approach_of(room)
    room.run(approach, 200)
    room.burst, before = 1, len(room.watched)
    room.run(approach, 200 + 2 * 2 ** (IN_VAIN - FORGIVEN))
    assert len(room.watched) - before > 2 ** (IN_VAIN - FORGIVEN) // 2


def test_silence_ends_a_pull_in_time() -> None:
    room = Room(1000.0, 20, late_s=10.0)
    approach = approach_of(room)
    _, stamps = approach.pull(room, 20, room.rehearse)
    assert not len(stamps)
    assert approach.came == pytest.approx(PULL_S)
    assert approach.waited


def test_samples_that_lay_there_were_not_waited_for() -> None:
    room = Room(1000.0, 20)
    approach = approach_of(room)
    room.now = 1.0
    approach.pull(room, room.samples_to_next_hop(), room.rehearse)
    assert not approach.waited
    approach.pull(room, room.samples_to_next_hop(), room.rehearse)
    assert approach.waited
