"""`rtdecode bridge fieldtrip`: a FieldTrip buffer becomes a live LSL stream."""

import contextlib
import sys

import pylsl

from rtdecode.bridge import Bridge, parse_units, stable_id
from rtdecode.commands.interrupted import Interrupted
from rtdecode.errors import ConfigError
from rtdecode.sources.fieldtrip import FieldTripSource
from rtdecode.sources.lsl import quiet

HOST, PORT = "127.0.0.1", 1972


def run_bridge(
    *,
    to_lsl: str,
    unit: str,
    host: str = HOST,
    port: int = PORT,
    stype: str | None = None,
    labels: str = "",
) -> int:
    """Send the buffer at host:port as the LSL stream `to_lsl` until a signal ends it.

    unit    "fT", or by beginning of the channel's name "MEG=fT,EEG=uV": the buffer does not tell
    stype   of the stream; MEG for units of field, EEG for volts unless given
    labels  "Fz,Cz,…" for a buffer that does not name its channels

    Returns 0; RtdecodeError when there is no buffer, or none that can be read, at the start.
    """
    units = parse_units(unit)
    if not 0 < port < 65536:
        raise ConfigError(f"--port is {port}", hint="1 to 65535; FieldTrip buffers are at 1972")
    if not to_lsl.strip():
        raise ConfigError("--to-lsl is empty", hint="the name of the LSL stream, for example --to-lsl MEG")
    given = tuple(name.strip() for name in labels.split(",")) if labels else ()
    quiet()
    with Interrupted() as interrupted:

        def stopping() -> bool:
            return interrupted.seen

        def opened() -> FieldTripSource:
            return FieldTripSource(
                host,
                port,
                units.of,
                stype=stype or units.stype,
                labels=given,
                clock=pylsl.local_clock,
                stopping=stopping,
            )

        bridge = Bridge(opened, to_lsl, stable_id(host, port, to_lsl), _say)
        bridge.run(stopping)
    _say(f"{bridge.sent} samples sent, {bridge.lost} lost, {bridge.events} events")
    return 0


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads stderr: go on
        print(f"rtdecode: {text}", file=sys.stderr, flush=True)
