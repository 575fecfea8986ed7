"""The decoder as engines run it: folded, time-major, every convolution one matrix product over gathered rows.

`StreamNet`, `WindowNet` and `IncrementalNet` hold the same weights and differ only in what they keep: states,
nothing, or the activations of the window before. Each is one static graph without data-dependent control
flow, so exporters and compilers take it whole. Knows nothing of files, sessions or training.
"""

from models.inference.incremental import IncrementalNet
from models.inference.stages import Plan, StagePlan, plan
from models.inference.stream import StreamNet
from models.inference.window import WindowNet

__all__ = ["IncrementalNet", "Plan", "StagePlan", "StreamNet", "WindowNet", "plan"]
