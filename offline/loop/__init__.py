"""One training loop for every recipe: the recipe is a `Task`, the choices are a `LoopConfig`, `fit` runs it.

The loop knows optimisers, processes, checkpoints and metrics; it does not know what is learned from what.
"""

from offline.loop.config import LoopConfig
from offline.loop.distributed import ALONE, World
from offline.loop.fit import fit
from offline.loop.metrics import Progress
from offline.loop.task import Batch, Task

__all__ = ["ALONE", "Batch", "LoopConfig", "Progress", "Task", "World", "fit"]
