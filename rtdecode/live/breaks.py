"""What is said when a stream falls silent, ends and comes back. Pure words: (level, text) of an event.

Of a live stream these are faults. A recording that is played is silent while it is paused and ends where it
jumps: whoever pressed the key should not be alarmed.
"""

Said = tuple[str, str]


class Breaks:
    """played: the stream is a recording, and whoever looks at it moves in it."""

    def __init__(self, played: bool):
        self.played = played

    def resumed(self, silent_s: float) -> Said:
        """Samples come again, of the same run."""
        if self.played:
            return "info", f"playing again after {silent_s:.1f} s"
        return "warn", f"samples again after {silent_s:.1f} s of silence"

    def lost(self, why: str) -> Said:
        if self.played:
            return "info", "another place in the recording"
        return "error", f"stream lost: {why}; looking for it again"

    def back(self, silent_s: float, run: int, note: str) -> Said:
        """The stream was opened anew. note: what is different, beginning with a comma, or nothing."""
        if self.played:
            return "info", f"playing from there after {silent_s:.1f} s{note}: run {run} begins"
        return "warn", f"the stream is back after {silent_s:.1f} s{note}: run {run} begins"
