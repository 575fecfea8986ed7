"""Ctrl-C and SIGTERM as a flag, so that a command can end cleanly wherever they come."""

import signal


class Interrupted:
    """Within `with`, the first SIGINT or SIGTERM sets `seen`; the next raises, even out of a write."""

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> "Interrupted":
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def _note(self, *_: object) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
