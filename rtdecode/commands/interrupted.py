"""Ctrl-C and SIGTERM as a flag, so that a command can end cleanly wherever they come."""

import signal


class Interrupted:
    """Within `with`, the first SIGINT or SIGTERM sets `seen`; the next raises, even out of a write.

    From then on they are ignored: the end is under way and takes its bounded time, and a hand that keeps
    hitting Ctrl-C must not tear it apart halfway.
    """

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> "Interrupted":
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def _note(self, *_: object) -> None:
        if self.seen:
            for number in self._before:
                self._before[number] = signal.SIG_IGN
                signal.signal(number, signal.SIG_IGN)
            raise KeyboardInterrupt
        self.seen = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
