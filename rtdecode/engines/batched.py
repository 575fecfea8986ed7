"""One network for several streams: a run serves every stream that has a hop ready, each with its own state.

The batch has a fixed number of seats, so that one CUDA graph serves whoever comes and goes. A seat without
new samples in a run is computed from silence and thrown away: its state stays as it was. No arithmetic
crosses from one seat to another, so a stream that stalls, leaves or sends NaN changes no bit of the others.

Runs with device "cpu", which is how it is tested where there is no GPU; there eight streams cost 0.8 of eight
sessions of onnx. Needs the extra [offline]; who gathers the hops of several streams is not its business.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engines import check_golden, setup_of
from rtdecode.engines.cuda import WARM, gpu_name, require_gpu
from rtdecode.engines.graph import HEADS
from rtdecode.engines.modules import parts_of, require_torch
from rtdecode.engines.session import Base, EngineInfo, Frames, Setup, checked_state
from rtdecode.errors import ConfigError


def open_batched(bundle: Bundle, seats: int, *, setup: Setup | None = None, device: str = "cpu") -> "Batch":
    """A batch whose first seat's output was compared with the golden one; BundleError if it differs.

    setup   mode stream or window, in fp32; None: the bundle's own
    device  "cpu" or "cuda"; ConfigError in one sentence where it cannot be used
    """
    setup = setup or setup_of(bundle)
    torch = require_torch("batched") if device == "cpu" else require_gpu("batched")
    if seats < 1:
        raise ConfigError(f"a batch of {seats} seats serves nobody", hint="one for each stream")
    if setup.precision != "fp32":
        raise ConfigError(f"engine batched has no {setup.precision}", hint="valid: fp32")
    if setup.mode == "incremental":
        raise ConfigError("engine batched computes windows whole", hint="use mode window")
    torch.set_num_threads(setup.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    batch = Batch(bundle, seats, setup, device)
    seat = batch.join()
    batch.parity = check_golden(seat, bundle, "batched")
    seat.leave()
    return batch


class Batch:
    """`seats` sessions of one network that run together."""

    def __init__(self, bundle: Bundle, seats: int, setup: Setup, device: str):
        import torch

        self._torch, self._gpu = torch, device != "cpu"
        (part,) = parts_of(bundle, setup, "batched")
        self._network = part.module.to(device)
        self.parity: float | None = None
        self.info = EngineInfo(
            "batched",
            setup.mode,
            setup.hop,
            "fp32",
            setup.threads,
            gpu_name(torch) if self._gpu else "cpu",
            {"torch": torch.__version__},
        )
        streams = setup.mode == "stream"
        self.size = setup.hop if streams else bundle.spec.model.size
        self.channels = len(bundle.spec.stream.labels)
        self._free = list(range(seats))
        self._heads = [name for name in part.outputs if name in HEADS]
        self._x = torch.zeros(seats, self.size, self.channels, device=device)
        self._took = torch.zeros(seats, dtype=torch.bool, device=device)  # who has new samples in this run
        self._states = part.module.initial_state(seats) if streams else []
        self._host_in = torch.zeros(self._x.shape, pin_memory=self._gpu)
        self._host_took = torch.zeros(self._took.shape, dtype=torch.bool, pin_memory=self._gpu)
        self._stream = torch.cuda.Stream() if self._gpu else None
        self._graph: Any = None
        with torch.inference_mode(), self._on_stream():
            for _ in range(WARM if self._gpu else 1):
                found = self._network(self._x, *self._states)
            self._shapes = [tuple(found[i].shape[1:]) for i in range(len(self._heads))]
            width = sum(int(np.prod(shape)) for shape in self._shapes)
            self._flat = torch.zeros(seats, width, device=device)
            self._host_out = torch.zeros(self._flat.shape, pin_memory=self._gpu)
            if self._stream is not None:
                self._stream.synchronize()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, stream=self._stream):
                    self._step()
                self._graph = graph

    @property
    def heads(self) -> dict[str, tuple[int, ...]]:
        """Shape of each head of one seat, in the order of `Frames`."""
        shapes = dict(zip(self._heads, self._shapes, strict=True))
        return {name: shapes[name] for name in HEADS if name in shapes}

    @property
    def reply_bytes(self) -> int:
        """What one seat's frames take."""
        return 4 * int(self._flat.shape[1])

    def join(self) -> "Seat":
        """A session with a state of its own. ConfigError when all seats are taken."""
        if not self._free:
            raise ConfigError(
                f"all {len(self._x)} seats of the batch are taken", hint="open it with one for each stream"
            )
        return Seat(self, self._free.pop(0))

    def run(self, ready: Mapping[int, np.ndarray]) -> dict[int, Frames]:
        """x (size, C) float32 by seat number -> frames by seat number; the other seats stay as they were."""
        torch = self._torch
        self._host_took.zero_()
        for number, x in ready.items():
            if x.shape != (self.size, self.channels):
                raise ValueError(f"x should be {(self.size, self.channels)}, seat {number} has {x.shape}")
            self._host_in[number].copy_(torch.from_numpy(np.ascontiguousarray(x, np.float32)))
            self._host_took[number] = True
        with torch.inference_mode(), self._on_stream():
            self._x.copy_(self._host_in, non_blocking=True)
            self._took.copy_(self._host_took, non_blocking=True)
            if self._graph is not None:
                self._graph.replay()
            else:
                self._step()
            self._host_out.copy_(self._flat, non_blocking=True)
        self._wait()
        values = self._host_out.numpy()
        return {number: self._frames(values[number].copy()) for number in ready}

    def _step(self) -> None:
        """What is captured: the network for all seats, states only where samples came."""
        torch = self._torch
        found = self._network(self._x, *self._states)
        count = len(self._heads)
        torch.cat([values.flatten(1) for values in found[:count]], dim=1, out=self._flat)
        # All before any is overwritten: a next state may be a view of the last.
        mine = self._took[:, None, None]
        following = [
            torch.where(mine, values, state)
            for state, values in zip(self._states, found[count:], strict=True)
        ]
        for state, values in zip(self._states, following, strict=True):
            state.copy_(values)

    def _frames(self, values: np.ndarray) -> Frames:
        at, heads = 0, {}
        for name, shape in zip(self._heads, self._shapes, strict=True):
            count = int(np.prod(shape))
            heads[name], at = values[at : at + count].reshape(shape), at + count
        return Frames(*(heads.get(name) for name in HEADS))

    def state(self, number: int) -> dict[str, np.ndarray]:
        return {f"state_{i}": np.array(s[number].cpu().numpy())[None] for i, s in enumerate(self._states)}

    def load_state(self, number: int, state: Mapping[str, np.ndarray]) -> None:
        with self._torch.inference_mode(), self._on_stream():
            for i, kept in enumerate(self._states):
                kept[number].copy_(self._torch.from_numpy(state[f"state_{i}"][0]))
        self._wait()

    def reset(self, number: int) -> None:
        with self._torch.inference_mode(), self._on_stream():
            for kept in self._states:
                kept[number].zero_()
            self._host_in[number].zero_()  # what a stream that left had sent is computed no more
        self._wait()

    def free(self, number: int) -> None:
        """Forget who sat there; the seat may be taken again."""
        self.reset(number)
        self._free.append(number)

    def _on_stream(self) -> Any:
        return self._torch.cuda.stream(self._stream)  # a stream of None changes nothing

    def _wait(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()


class Seat(Base):
    """One stream's session in a batch. `run` serves it alone; `Batch.run` serves all that are ready."""

    def __init__(self, batch: Batch, number: int):
        super().__init__(batch.info, batch.size, batch.channels)
        self.batch, self.number, self.parity = batch, number, batch.parity

    def run(self, x: np.ndarray) -> Frames:
        return self.batch.run({self.number: x})[self.number]

    def rehearse(self, x: np.ndarray) -> None:
        kept = self.state()
        self.run(x)
        self.load_state(kept)

    def reset(self) -> None:
        self.batch.reset(self.number)

    def state(self) -> dict[str, np.ndarray]:
        return self.batch.state(self.number)

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.batch.load_state(self.number, checked_state(state, self.state()))

    def leave(self) -> None:
        """Give the seat back; it may not be used again."""
        self.batch.free(self.number)
