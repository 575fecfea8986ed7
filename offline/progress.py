"""How a command shows that it moves: a bar on a terminal, one line an epoch elsewhere. Draws on stderr only.

For command lines; libraries take a callback and never import this.
"""

import sys
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from offline.loop.metrics import Progress, scores


class TrainingBar:
    """A progress callback for `offline.loop.fit`, and the context in which it draws."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream = stream or sys.stderr
        self._bar: Bar | None = None
        if stream.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[said]}"),
                console=Console(file=stream),
                transient=True,
            )
            self._task = self._bar.add_task("training", total=1, said="")

    def __call__(self, progress: Progress) -> None:
        if self._bar is None:
            if progress.valid is not None:
                print(progress, file=self._stream, flush=True)
            return
        self._bar.update(
            self._task,
            total=progress.updates,
            completed=progress.step,
            said=" · ".join(
                [
                    f"loss {progress.parts['loss']:.3f}",
                    f"{progress.segments_per_s:.3g} segments/s",
                    f"{progress.waiting:.0%} waiting",
                    *([] if progress.valid is None else scores(progress.valid)),
                ]
            ),
        )
        if progress.valid is not None:
            self._bar.console.print(str(progress), highlight=False, markup=False)

    def __enter__(self) -> "TrainingBar":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
