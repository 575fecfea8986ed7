"""What happened so far, as the screen tells it: events, text by lines, how long the first rank has led.

Pure; session seconds are given. Bounded, however long the session.
"""

import dataclasses
from collections import deque

from rtdecode.snapshot import Event, Onset, TextLine
from rtdecode.types import Decision, SpokenWord

EVENTS, LINES, LINE_CHARS = 40, 50, 72
WORDS_S = 5.0  # words keep their times for so long: whoever draws them needs them once
RECENT = 8  # decisions of which `agrees` counts
TEXT_TAIL = 200  # characters of committed text that travel with every picture and line


def trimmed(decision: Decision) -> Decision:
    """The decision with only the tail of its committed text, which otherwise grows for hours."""
    if decision.text is None or len(decision.text.committed) <= TEXT_TAIL:
        return decision
    text = dataclasses.replace(decision.text, committed=decision.text.committed[-TEXT_TAIL:])
    return dataclasses.replace(decision, text=text)


class Story:
    """Collects decisions and events."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=EVENTS)
        self.event_count = 0
        self.text: deque[TextLine] = deque(maxlen=LINES)
        self.tentative = ""
        self.decision: Decision | None = None
        self.decided_s = 0.0
        self._leaders: deque[str] = deque(maxlen=RECENT)
        self._led_since = 0.0
        self._new_line = True

    def event(self, t: float, level: str, text: str) -> Event:
        event = Event(round(t, 3), level, text)
        self.events.append(event)
        self.event_count += 1
        return event

    def amend(self, before: Event, after: Event) -> None:
        """Say the same event in other words, if it is still told."""
        for at, event in enumerate(self.events):
            if event is before:
                self.events[at] = after

    def new_run(self) -> None:
        """What was said stays; what was under way is over."""
        self._leaders.clear()
        self._new_line = True
        self.tentative = ""

    def decided(self, decision: Decision, t: float) -> None:
        self.decision, self.decided_s = trimmed(decision), t
        if decision.retrieved and decision.retrieved.hits:
            leader = decision.retrieved.hits[0].id
            if not self._leaders or self._leaders[-1] != leader:
                self._led_since = t
            self._leaders.append(leader)
        if decision.text:
            self.tentative = decision.text.tentative
            if decision.text.delta:
                self._say(decision.text.delta, t, decision.text.words)
            self._new_line = self._new_line or bool(decision.text.ended)
            for change in decision.text.corrected:
                self.event(t, "info", f"what was read as {change.said!r} is now {change.now!r}")

    def held_s(self, t: float) -> float:
        return t - self._led_since if self._leaders else 0.0

    @property
    def agrees(self) -> int:
        return sum(leader == self._leaders[-1] for leader in self._leaders) if self._leaders else 0

    def _say(self, delta: str, t: float, words: tuple[SpokenWord, ...]) -> None:
        self._forget_times(t)
        t = round(t, 3)
        onsets = tuple(Onset(t, word.start, word.text) for word in words)
        if self._new_line or not self.text or len(self.text[-1].text) + len(delta) > LINE_CHARS:
            self.text.append(TextLine(t, delta, onsets))
        else:
            last = self.text[-1]
            self.text[-1] = TextLine(last.t, last.text + delta, (*last.words, *onsets))
        self._new_line = False

    def _forget_times(self, t: float) -> None:
        """Of the words before the last seconds."""
        for at in range(len(self.text) - 1, -1, -1):
            line = self.text[at]
            if not line.words:
                return
            kept = tuple(word for word in line.words if word.t >= t - WORDS_S)
            if len(kept) < len(line.words):
                self.text[at] = dataclasses.replace(line, words=kept)
