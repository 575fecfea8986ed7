"""What a start screen returns, and what it hands on to the next one."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtdecode.found import FoundStream


@dataclass(frozen=True)
class Live:
    """Decode this stream with this bundle. assume_unit: what the user said of channels that state none."""

    stream: FoundStream
    bundle: Path
    assume_unit: str = ""


@dataclass(frozen=True)
class Replay:
    file: Path
    bundle: Path


@dataclass(frozen=True)
class Review:
    log: Path


Choice = Live | Replay | Review


@dataclass
class Memory:
    """What a start screen hands on to the next one. touched: the user has chosen, so nobody else does."""

    stream: Any = None
    bundle: Any = None
    units: dict[Any, str] = field(default_factory=dict)
    touched: bool = False
