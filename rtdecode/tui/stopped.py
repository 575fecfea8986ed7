"""A screen that was stopped from outside (`kill -STOP`, a debugger) and goes on.

Textual takes every SIGCONT for the return from its own suspension and starts its terminal threads a second
time; the first ones are never ended, and a screen that is left then hangs about (seen with 8.2.8).
"""

import signal
from typing import Any

from textual.app import App


def continue_as_before(app: App[Any]) -> None:
    """From now on SIGCONT only redraws `app`, unless Textual had put the terminal back before the stop."""
    resume = signal.getsignal(signal.SIGCONT)
    driver = getattr(resume, "__self__", None)
    if driver is None or not callable(resume):  # no terminal: a test, or a browser's page
        return

    def go_on(number: int, frame: object) -> None:
        if getattr(driver, "_must_signal_resume", True):
            resume(number, None)
        else:
            app.refresh(layout=True)

    signal.signal(signal.SIGCONT, go_on)
