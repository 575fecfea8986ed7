"""Windows of bins as vectors: how many there are, how they are flattened, and the same in steps.

A patch is `window` bins, one every `stride` bins, without padding: a sentence shorter than one window has no
patch. Knows no network.
"""

from collections.abc import Callable

import torch
from torch import Tensor

LAYOUTS = ("time", "channel")


def frame_count(n_bins: int, window: int, stride: int) -> int:
    """Patches that exist in n_bins bins."""
    return 0 if n_bins < window else (n_bins - window) // stride + 1


def frame_counts(n_bins: Tensor, window: int, stride: int) -> Tensor:
    """`frame_count` of every element, as int64."""
    return (torch.div(n_bins.long() - window, stride, rounding_mode="floor") + 1).clamp(min=0)


# Input lengths that published trainers gave to the CTC loss, from (n_bins, window, stride), never below 0.
# The first leaves out the last patch that exists; ours is `frame_count`.
PUBLISHED_LENGTHS: dict[str, Callable[[int, int, int], int]] = {
    "one fewer": lambda n_bins, window, stride: max(int((n_bins - window) / stride), 0),
    "all": lambda n_bins, window, stride: max(int((n_bins - window) / stride + 1), 0),
}


def patches(x: Tensor, window: int, stride: int, layout: str) -> Tensor:
    """(B, T, C) -> (B, N, window * C).

    layout  "time": index = bin * C + channel;  "channel": index = channel * window + bin
    """
    if x.shape[1] < window:
        return x.new_zeros(x.shape[0], 0, window * x.shape[2])
    cut = x.unfold(1, window, stride)  # (B, N, C, window)
    return (cut if layout == "channel" else cut.transpose(2, 3)).flatten(2)


class PatchStream:
    """Patches of a stream that moves by multiples of the stride.

    In a stream the patch that begins with bin 0 comes `lag` frames after the first frame: a frame is handed
    out with every `stride` bins, and those before the first complete patch hold bins from before the start.

    late  bins by which the values that arrive lie behind the stream (a smoother's look-ahead)
    block lag is a multiple of this many frames
    """

    def __init__(self, window: int, stride: int, layout: str, late: int = 0, block: int = 1):
        if not 1 <= stride <= window:
            raise ValueError(f"patches need 1 <= stride <= window, got stride {stride} and window {window}")
        if layout not in LAYOUTS:
            raise ValueError(f"patch layout must be one of {list(LAYOUTS)}, got {layout!r}")
        self.window, self.stride, self.layout = window, stride, layout
        hop = stride * block
        behind = window + late - stride
        self.lag = -(-behind // hop) * block
        # bins that lie between the newest value there is and the end of the patch handed out
        self.slack = self.lag * stride - behind
        self.memory = window + self.slack - stride

    def step(self, y: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, size, C), state (B, memory, C) -> (B, size // stride, window * C) and the next state."""
        whole = torch.cat([state, y], dim=1)
        frames = y.shape[1] // self.stride
        cut = [whole[:, i * self.stride : i * self.stride + self.window] for i in range(frames)]
        cut = [piece.transpose(1, 2) if self.layout == "channel" else piece for piece in cut]
        return torch.stack([piece.flatten(1) for piece in cut], dim=1), whole[:, -self.memory :]
