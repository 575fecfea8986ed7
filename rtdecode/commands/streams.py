"""`rtdecode streams`: what is on the network, and whether a bundle fits it."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.bundle import load_bundle
from rtdecode.contract import Contract
from rtdecode.sources.lsl import find_streams, quiet
from rtdecode.tui.fit import compare
from rtdecode.types import StreamInfo

_HEAD = ("name", "type", "channels", "rate", "unit", "source_id", "host")


def run_streams(*, bundle: Path | None = None, wait_s: float = 2.0, assume_unit: str = "") -> int:
    """Print the streams found within `wait_s` seconds; with a bundle, whether and why not each fits."""
    contract = load_bundle(bundle).spec.stream if bundle else None
    quiet()
    streams = find_streams(wait_s)
    if not streams:
        print("no streams found: is the sender running, in the same network?")
        return 0
    print("\n".join(table([_HEAD, *(_row(stream) for stream in streams)])))
    if contract:
        print()
        for stream in streams:
            print("\n".join(verdict(contract, stream, assume_unit)))
    return 0


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words as aligned lines."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def verdict(contract: Contract, stream: StreamInfo, assume_unit: str = "") -> list[str]:
    """Whether this stream fits: how many channels by name, otherwise every reason why not and what to do."""
    needed = contract.labels + contract.reference
    problems = contract.problems(stream, assume_unit)
    if problems:
        # what to do about a unit stands with its reason, without the start screen's key
        remedies = [r for r in compare(contract, stream, assume_unit).remedies if "--assume-unit" not in r]
        said = (*(f"  - {problem}" for problem in problems), *(f"  → {remedy}" for remedy in remedies))
        return [f"{stream.name}: does not fit", *said]
    unused = len(stream.labels) - len(set(needed))
    return [f"{stream.name}: fits, {len(needed)} of {len(needed)} channels by name, {unused} not needed"]


def _row(stream: StreamInfo) -> tuple[str, ...]:
    units = sorted({unit for unit in stream.units if unit})
    return (
        stream.name,
        stream.stype or "-",
        str(len(stream.labels)),
        f"{stream.sfreq:g} Hz" if stream.sfreq else "irregular",
        "/".join(units) or "not stated",
        stream.source_id or "-",
        stream.hostname or "-",
    )
