"""What a core is started with. Crosses the process boundary, so it is plain and light to import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CoreConfig:
    """Which bundle decodes which stream, and how.

    stream, stype  name and type of the stream; None: any
    wait_s         seconds to find the stream at first, then StreamError; None waits for ever
    assume_unit    unit of channels that state none
    """

    bundle: str
    stream: str | None = None
    stype: str | None = None
    engine: str = "onnx"
    threads: int = 1
    wait_s: float | None = 5.0
    assume_unit: str = ""
