"""What a core is started with. Crosses the process boundary, so it is plain and light to import."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CoreConfig:
    """Which bundle decodes which stream, and how.

    stream, stype  name and type of the stream; None: any
    wait_s         seconds to find the stream at first, then StreamError; None waits for ever
    assume_unit    unit of channels that state none, or one that nobody knows
    feed           name of the ring to the recorder; empty: nothing is recorded
    outlets        prefix of the LSL streams with the results; empty: none are opened
    source_id, where   which stream, besides: its source_id, a predicate (sources/predicate.py)
    bad            what becomes of flat, railed and noisy channels: "keep" and say so, "mask" (held still), or
                   "interpolate" (made of the good ones)
    policy         when behind: "latest" ranks only the newest hop, "every" ranks all, however late
    markers        name of a marker stream to show and log; empty: none
    realtime       whether the core asks for real-time priority and locked memory (priority.py), and rehearses
                   the network before every hop, for 3 to 4 % of a core at 20 ms hops
    processor      which one the core keeps to (processor.py): a number, "any", or "auto" until one is found
    batch          the shared batch that runs the network (live/batch.py); empty: the core does
    precision      of the network; less than fp32 must have been found to agree (engines/precision.py)
    rescore        a causal language model (folder or cached id) asked about sentences that ended; "": none
    rescore_deadline_s  how long it may take;  allow_corrections: it may correct though the bundle forbids
    played         the stream is a recording, silent or closed only because somebody moves in it (breaks.py)
    """

    bundle: str
    stream: str | None = None
    stype: str | None = None
    engine: str = "onnx"
    threads: int = 1
    wait_s: float | None = 5.0
    assume_unit: str = ""
    feed: str = ""
    outlets: str = ""
    source_id: str | None = None
    where: str | None = None
    bad: Literal["keep", "mask", "interpolate"] = "keep"
    policy: Literal["latest", "every"] = "latest"
    markers: str = ""
    realtime: bool = False
    processor: str = "any"
    batch: str = ""
    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    rescore: str = ""
    rescore_deadline_s: float = 1.0
    allow_corrections: bool = False
    played: bool = False
