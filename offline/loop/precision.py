"""Number formats and reproducibility of one training run, and their undoing.

Mixed precision is torch's autocast, with loss scaling for fp16. Knows nothing of models; used by `fit` around
everything it runs.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from torch import Tensor

from offline.loop.config import LoopConfig
from rtdecode.errors import ConfigError, TrainingError

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@contextmanager
def numerics(loop: LoopConfig, device: torch.device) -> Iterator[None]:
    """Threads and determinism as configured, inside the block only.

    ConfigError for fp16 without a GPU; TrainingError when an operation of the model has no deterministic
    form, or the GPU no memory.
    """
    if loop.precision == "fp16" and device.type == "cpu":
        raise ConfigError("precision fp16 needs a GPU, and this run is on the CPU", hint="use bf16 or fp32")
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    search, repeatable = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    if loop.threads:
        torch.set_num_threads(loop.threads)
    if loop.deterministic:
        # Read by cuBLAS with its first handle: the caller's own choice stands.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(loop.deterministic)
    # Nothing here reads memory it did not write; filling all of it would be most of the mode's price.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = loop.deterministic
    torch.backends.cudnn.benchmark = not loop.deterministic
    try:
        yield
    except torch.OutOfMemoryError as problem:
        raise TrainingError("the GPU has no memory left", hint="use a smaller batch, or bf16") from problem
    except RuntimeError as problem:
        if "deterministic implementation" not in str(problem):
            raise
        raise TrainingError(
            str(problem).split(",")[0], hint="train with deterministic = false, or on the CPU"
        ) from problem
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = search, repeatable


def autocast(loop: LoopConfig, device: torch.device) -> AbstractContextManager[object]:
    """The precision of the forward pass."""
    dtype = _DTYPES.get(loop.precision)
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def full(like: Tensor) -> AbstractContextManager[object]:
    """A block in 32 bits inside autocast, for inner products over a hundred thousand numbers; its inputs
    still want `.float()`.
    """
    return torch.autocast(like.device.type, enabled=False)


def scaler(loop: LoopConfig, device: torch.device) -> torch.amp.GradScaler:
    """Loss scaling: at work for fp16, a pass-through otherwise."""
    return torch.amp.GradScaler(device.type, enabled=loop.precision == "fp16")


def seed_update(seed: int, step: int, rank: int) -> None:
    """Everything torch draws in update `step` follows from these three numbers alone.

    So dropout needs no state in a checkpoint, and a run resumes exactly on any number of processes.
    """
    mixed = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0]
    torch.manual_seed(int(mixed))
