"""An exported program becomes a TensorRT engine, in a process of its own: no GPU is needed to build one.

    python -I tensorrt_build.py PROGRAM.pt2 [--engine FILE]
    python -I tensorrt_build.py                                the versions of what would build

Prints one JSON object: operators in all, how many TensorRT takes, how many engines they make, and what was
built in how many seconds. Imports torch and torch-tensorrt alone, so the Python that runs it needs nothing of
this package. Knows no bundle.

Without a GPU, what torch-tensorrt asks of one at import is answered by `stand_in`. Converting and building
work then; running does not. TensorRT-RTX finishes its engines on the machine that runs them, so one built
here is whole.
"""

import argparse
import contextlib
import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CAPABILITY = (9, 0)  # said of a GPU that is not there
PACKAGES = ("torch", "torch-tensorrt-rtx", "tensorrt-rtx", "torch-tensorrt", "tensorrt")


def stand_in() -> None:
    """Answer for a GPU that is not there."""
    import torch

    if not hasattr(torch._C, "_CudaDeviceProperties"):  # named in annotations only
        torch._C._CudaDeviceProperties = type("Properties", (), {})  # type: ignore
    torch.cuda.get_device_capability = lambda device=None: CAPABILITY
    torch.cuda.current_device = lambda: 0
    # What TensorRT lacks would be moved to the GPU, to be reported: it is reported from where it is.
    torch.nn.Module.to = lambda self, *args, **kwargs: self  # type: ignore[method-assign]


class Unread:
    """In place of a runtime without a GPU, which reads no engine: hands back the bytes that were built."""

    def __init__(self, logger: Any):
        self._engine = b""

    def deserialize_cuda_engine(self, engine: Any) -> "Unread":
        self._engine = bytes(engine)
        return self

    def serialize(self) -> bytes:
        return self._engine


def load() -> Any:
    """The module torch_tensorrt; ImportError says in one line what it lacks."""
    import torch

    alone = not torch.cuda.is_available()
    if alone:
        stand_in()
    try:
        with silent():
            import torch_tensorrt  # type: ignore[import-not-found,unused-ignore]
    except Exception as problem:  # a missing library comes as a plain Exception
        lines = str(problem).splitlines() or [type(problem).__name__]
        raise ImportError(f"torch-tensorrt does not load: {lines[0]}") from problem
    if alone:
        sys.modules["tensorrt"].Runtime = Unread  # type: ignore[attr-defined]
        torch_tensorrt.Device.to = lambda self, *args, **kwargs: torch.device("cuda", 0)
    return torch_tensorrt


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Nothing reaches stdout or stderr, not even from compiled code: stdout is for the report."""
    logging.disable(logging.WARNING)
    kept = os.dup(1), os.dup(2)
    with open(os.devnull, "w") as nowhere:
        try:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            sys.stdout.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            for handle in kept:
                os.close(handle)
            logging.disable(logging.NOTSET)


def settings() -> dict[str, Any]:
    """How every program is converted: everything into engines, float32 as it stands."""
    return {
        "min_block_size": 1,
        "disable_tf32": True,
        "offload_module_to_cpu": True,  # the other way asks the GPU for its free memory
    }


def dry_run(program: Any, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """What converting would take, without doing it: `operators`, `supported`, `engines`, `unsupported`."""
    torch_tensorrt = load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        with silent():
            torch_tensorrt.dynamo.compile(program, arg_inputs=inputs, dryrun=str(report), **settings())
        return parsed(report.read_text("utf-8"))


def parsed(report: str) -> dict[str, Any]:
    """torch-tensorrt's report in words -> its numbers. ValueError for a report of another form."""
    found = re.search(r"consists of (\d+) Total Operators, of which (\d+) operators are supported", report)
    if found is None:
        raise ValueError("torch-tensorrt's report has another form than the one known here")
    missing = re.search(r"currently unsupported.*?:\n(.*?)\n\n", report, re.DOTALL)
    return {
        "operators": int(found[1]),
        "supported": int(found[2]),
        "engines": len(re.findall(r"TRT Engine #\d+", report)),
        "unsupported": [line.strip() for line in missing[1].splitlines()] if missing else [],
    }


def build(program: Any, inputs: tuple[Any, ...]) -> bytes:
    """The serialized engine."""
    torch_tensorrt = load()
    with silent():
        return bytes(
            torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
                program, arg_inputs=inputs, **settings()
            )
        )


def versions() -> dict[str, str]:
    """Of every package that has a part in an engine and is installed."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("program", nargs="?", type=Path, help="written by torch.export.save")
    parser.add_argument("--engine", type=Path, help="build it there")
    options = parser.parse_args(arguments)
    if options.program is None:
        print(json.dumps({"versions": versions()}))
        return 0
    import torch

    program = torch.export.load(options.program)
    inputs = program.example_inputs[0]
    began = time.perf_counter()
    said = dry_run(program, inputs)
    said |= {"dry_run_s": round(time.perf_counter() - began, 2), "versions": versions()}
    if options.engine:
        began, used = time.perf_counter(), time.process_time()
        engine = build(program, inputs)
        said |= {"build_s": round(time.perf_counter() - began, 2), "bytes": len(engine)}
        said["build_cpu_s"] = round(time.process_time() - used, 2)
        beside = options.engine.with_name(options.engine.name + ".part")
        beside.write_bytes(engine)
        beside.replace(options.engine)
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
