"""The reference engine: the torch module itself, from the bundle's weights. Needs the extra [offline]."""

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines import Frames
from rtdecode.errors import BundleError, MissingExtra


class TorchSession:
    """Runs `models.build_stream(config)` with the weights of weights.safetensors, in float32 on the CPU."""

    def __init__(self, bundle: Bundle, threads: int = 1):
        try:
            import torch
            from safetensors.torch import load_file
        except ImportError as problem:
            raise MissingExtra("torch (engine torch)", "offline") from problem
        import models

        torch.set_num_threads(threads)
        self._torch, self._streams = torch, bundle.spec.model.mode == "step"
        try:
            self._net = models.build_stream(bundle.spec.model.config).eval()
            self._net.load_state_dict(load_file(bundle.path / "weights.safetensors"))
        except (ValueError, TypeError, KeyError, RuntimeError) as problem:
            raise BundleError(
                f"bundle {bundle.path}: the torch model cannot be rebuilt: {problem}"
            ) from problem
        self.reset()

    def reset(self) -> None:
        self._state = self._net.initial_state(1)

    def rehearse(self, x: np.ndarray) -> None:
        state = self._state
        self.run(x)
        self._state = state  # a step returns a new one

    def run(self, x: np.ndarray) -> Frames:
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(np.ascontiguousarray(x))[None]
            if self._streams:
                heads, self._state = self._net.step(batch, self._state)
            else:
                heads = self._net(batch)
        return Frames(
            *(heads[head][0].numpy() if head in heads else None for head in ("estimate", "log_probs"))
        )
