"""Bad channels of a running stream: seen, said, and kept out of the decoder.

    raw samples -> Repair (no numbers) -> Masked (flat, railed, noisy) -> the engine

A bad channel is used as it is ("keep"), held still ("mask"), or made of the good ones by where they sit
("interpolate"); one without a place, or with too few good ones, is then held still.

All by sample index, so that decoding the same samples again gives the same decisions. Knows no streams.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from rtdecode.contract import ChannelMap
from rtdecode.montage import NEEDED, places, spline_weights
from rtdecode.quality import FLAT, GONE, NOISY, RAILED, WORDS, Hold, Mix, Repair
from rtdecode.snapshot import ChannelState

Policy = Literal["keep", "mask", "interpolate"]
JUDGE_S = 0.25  # between two looks at the channels
NOISY_LOOKS = 4  # in a row before a noisy channel is masked: a blink passes
GOOD_LOOKS = 2  # in a row before a masked channel is used again
GONE_S = 1.0  # for so long after a sample that was no number, the channel's state says so


class Masked:
    """A ChannelMap that replaces masked channels. plain: the newest piece as it would be without.

    where  (C, 3) places of the model's channels, NaN where unknown: masked ones are interpolated; None: held
    made_of  (C,) how many others each channel is made of, 0 unless it is interpolated
    """

    def __init__(self, channels: ChannelMap, where: np.ndarray | None = None):
        self._map, self._where = channels, where
        self.made_of = np.zeros(len(channels.picks), int)
        self.picks, self.reference = channels.picks, channels.reference
        self._rereferenced = len(channels.reference) > 0
        self._model = Hold(len(channels.picks))
        # what is subtracted from every channel must not carry the faults of one
        self._common = Hold(len(channels.reference))
        self._at = {int(c): k for k, c in enumerate(channels.picks)}
        self.plain = np.zeros((0, len(channels.picks)), np.float32)

    @property
    def mask(self) -> np.ndarray:
        return self._model.mask

    def set(self, mask: np.ndarray) -> None:
        """(C,) bool of the model's channels, from the next sample on."""
        if (mask == self.mask).all():
            return
        mix = self._mix(mask)
        self.made_of[:] = 0
        if mix:
            self.made_of[mix.columns] = len(mix.sources)
        self._model.set(mask, mix)
        common = [c in self._at and mask[self._at[c]] for c in self.reference.tolist()]
        self._common.set(np.array(common, bool))

    def _mix(self, mask: np.ndarray) -> Mix | None:
        if self._where is None:
            return None
        placed = np.isfinite(self._where).all(axis=1)
        columns, sources = np.flatnonzero(placed & mask), np.flatnonzero(placed & ~mask)
        if not len(columns) or len(sources) < NEEDED:
            return None
        return Mix(columns, sources, spline_weights(self._where[sources], self._where[columns]))

    def reset(self) -> None:
        self._model.reset()
        self._common.reset()

    def pick(self, data: np.ndarray) -> np.ndarray:
        return self._map.pick(data)

    def apply(self, data: np.ndarray) -> np.ndarray:
        self.plain = self._map.apply(data)
        held = data
        if self._rereferenced:
            common = self._common.push(data[:, self.reference])
            if not self._common.idle:
                held = data.copy()
                held[:, self.reference] = common
        return self._model.push(self.plain if held is data else self._map.apply(held))


class Channels:
    """One stream's channels. noted(level, text) hears of every change.

    stream, model  labels of the stream's channels and of the model's
    window         samples that a decision looks back on
    states         of the model's channels when last looked at
    """

    def __init__(
        self,
        channels: ChannelMap,
        stream: tuple[str, ...],
        model: tuple[str, ...],
        sfreq: float,
        window: int,
        policy: Policy,
        noted: Callable[[str, str], None],
    ):
        self.masked = Masked(channels, places(model) if policy == "interpolate" else None)
        self.states: tuple[ChannelState, ...] = ()
        self._repair = Repair(len(stream), np.append(channels.picks, channels.reference))
        self._stream, self._model = stream, model
        self._every, self._window, self._gone = round(JUDGE_S * sfreq), window, round(GONE_S * sfreq)
        # what each of the model's channels is called in the stream
        self._named = tuple(stream[c] for c in channels.picks)
        self._policy, self._noted = policy, noted
        self._bad = np.zeros(len(model), bool)
        self._noisy = np.zeros(len(model), int)
        self._good = np.zeros(len(model), int)
        self.reset()

    def reset(self) -> None:
        """A new run of the same stream: a channel that was bad still is."""
        self._judged = 0
        self._nan: dict[str, int] = {}  # channel -> samples of the run when it last held no number
        # the same for other faults, which, and what was done about it
        self._faulty: dict[str, tuple[int, str, str]] = {}
        self.masked.reset()
        self._repair.reset()

    def repair(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Finite data (T, C_stream), and where it was not, for `mark`."""
        return self._repair.push(data)

    def mark(self, bad: np.ndarray, sample: int) -> None:
        """Samples up to `sample` of the run were no numbers where `bad` (T, used) says so."""
        names = [self._stream[c] for c in self._repair.used[bad.any(axis=0)]]
        fresh = [name for name in names if name not in self._nan or sample - self._nan[name] >= self._window]
        self._nan.update(dict.fromkeys(names, sample))
        if fresh:
            self._noted("warn", f"not a number in {some(fresh)}: the last good value is used")

    def due(self, sample: int) -> bool:
        """Whether `judge` should be called after `sample` samples of the run. Ask at hops only."""
        return sample - self._judged >= self._every

    def judge(self, states: tuple[ChannelState, ...], sample: int) -> None:
        """Look at the channels' states: what is bad for long enough is masked from the next sample on."""
        self._judged, self.states = sample, self._told(states, sample)
        glyphs = np.array([state.glyph for state in states])
        self._noisy = np.where(glyphs == NOISY, self._noisy + 1, 0)
        # where the last good value stood in for no numbers, the channel is held already
        recent = sample - 2 * self._every
        held = np.array([self._nan.get(label, recent - 1) >= recent for label in self._model])
        bad = (np.isin(glyphs, (FLAT, RAILED)) & ~held) | (self._noisy >= NOISY_LOOKS)
        self._good = np.where(bad | (glyphs == NOISY), 0, self._good + 1)
        before, self._bad = self._bad, bad | (self._bad & (self._good < GOOD_LOOKS))
        made = self.masked.made_of > 0
        if self._policy != "keep":
            self.masked.set(self._bad)
        for k in np.flatnonzero(self._bad).tolist():
            word = WORDS.get(states[k].glyph) or self._faulty.get(self._model[k], (0, "bad", ""))[1]
            self._faulty[self._model[k]] = (sample, word, self._done(k))
        self._say(before, made)

    def _told(self, states: tuple[ChannelState, ...], sample: int) -> tuple[ChannelState, ...]:
        """The states, where repaired samples look good or flat: that they were no numbers. For eyes: what is
        masked goes by what the decoder is given."""
        gone = {name for name, at in self._nan.items() if sample - at < self._gone}
        return tuple(
            replace(state, glyph=GONE) if name in gone else state
            for name, state in zip(self._named, states, strict=True)
        )

    def _done(self, channel: int) -> str:
        """What becomes of this bad channel."""
        if self._policy == "keep":
            return "used as it is"
        others = self.masked.made_of[channel]
        return f"interpolated from {others} neighbours" if others else "masked"

    def _say(self, before: np.ndarray, made: np.ndarray) -> None:
        """before, made: which channels were bad until now, and which of these interpolated."""
        other = before & (made != (self.masked.made_of > 0))
        fresh = self._names(self._bad & (other | ~before))
        for done, faults in self._by_what_was_done(fresh).items():
            self._noted("warn", f"{faults}: {done}{'' if self._policy == 'keep' else ' until good again'}")
        if back := self._names(before & ~self._bad):
            self._noted("info", f"{some(back)}: good again")

    def _by_what_was_done(self, names: list[str]) -> dict[str, str]:
        """What was done -> the faulty channels that it was done about, in words."""
        found: dict[str, list[str]] = {}
        for name in names:
            _, word, done = self._faulty[name]
            found.setdefault(done, []).append(f"{name} {word}")
        return {done: some(faults) for done, faults in found.items()}

    def _names(self, mask: np.ndarray) -> list[str]:
        return [self._model[k] for k in np.flatnonzero(mask)]

    def warnings(self, sample: int) -> tuple[str, ...]:
        """What was wrong within the window of a decision at `sample`."""
        if not (self._nan or self._faulty):
            return ()
        found = []
        held = [name for name, at in self._nan.items() if sample - at < self._window]
        if held:
            found.append(f"not a number in {some(held)} within this window: the last good value was used")
        recent = [name for name, (at, *_) in self._faulty.items() if sample - at < self._window]
        found += [f"{faults}: {done}" for done, faults in self._by_what_was_done(recent).items()]
        return tuple(found)


def some(names: list[str]) -> str:
    """At most four names, and how many more there are."""
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
