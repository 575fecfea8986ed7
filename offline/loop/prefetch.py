"""Batches made ahead by one thread, each with the state that follows it.

The checkpoint after update n holds the sampler as it was after batch n, however far ahead the thread is: a
resumed run sees the same batches. Knows nothing of what a batch is, except that its tensors go to the device.
"""

import dataclasses
import queue
import threading
import time
from typing import Any

import torch
from torch import Tensor

from offline.loop.task import Task


class Prefetch:
    """Batches for updates first .. stop - 1; a context manager, because it owns a thread.

    depth      batches made ahead; 0 = made in `next`, without a thread
    waited_s   how long `next` has waited for data so far
    """

    def __init__(self, task: Task, first: int, stop: int, depth: int, device: torch.device):
        self._task, self._step, self._stop, self._device = task, first, stop, device
        self.waited_s = 0.0
        self._ready: queue.SimpleQueue[tuple[Any, Any] | BaseException] = queue.SimpleQueue()
        self._room = threading.Semaphore(depth)
        self._closed = False
        self._thread = (
            threading.Thread(target=self._work, name="prefetch", daemon=True)
            if depth and first < stop
            else None
        )

    def __enter__(self) -> "Prefetch":
        if self._thread:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        if self._thread:
            self._room.release()
            self._thread.join()

    def next(self) -> tuple[Any, dict[str, Any]]:
        """The next batch, on the device, and the task's state after it. Raises what `task.batch` raised."""
        began = time.perf_counter()
        if self._thread:
            item = self._ready.get()
            self._room.release()
            if isinstance(item, BaseException):
                raise item
        else:
            item = self._make()
        self.waited_s += time.perf_counter() - began
        return item

    def _make(self) -> tuple[Any, dict[str, Any]]:
        batch = to_device(self._task.batch(self._step), self._device)
        self._step += 1
        return batch, self._task.state()

    def _work(self) -> None:
        while self._step < self._stop:
            self._room.acquire()
            if self._closed:
                return
            try:
                self._ready.put(self._make())
            except BaseException as problem:
                self._ready.put(problem)
                return


def to_device(batch: Any, device: torch.device) -> Any:
    """A dataclass with its tensors, and those of dataclasses inside, on `device`."""
    if device.type == "cpu" or not dataclasses.is_dataclass(batch) or isinstance(batch, type):
        return batch
    moved = {}
    for field in dataclasses.fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor):
            moved[field.name] = value.to(device, non_blocking=True)
        elif dataclasses.is_dataclass(value):
            moved[field.name] = to_device(value, device)
    return dataclasses.replace(batch, **moved)
