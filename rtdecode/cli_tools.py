"""What there is to say to the commands around a session: what is there, what fits, what it costs."""

import argparse
from pathlib import Path

from rtdecode.cli_unit import add_assume_unit
from rtdecode.options import count, positive

Commands = argparse._SubParsersAction


def add_streams(commands: Commands) -> None:
    streams = commands.add_parser("streams", help="what is on the network, and whether a bundle fits it")
    streams.add_argument("--bundle", type=Path, help="compare every stream with this bundle")
    streams.add_argument("--wait", type=positive, default=2.0, metavar="S", help="seconds to listen (2)")
    add_assume_unit(streams)
    streams.set_defaults(run=_streams)


def _streams(options: argparse.Namespace) -> int:
    from rtdecode.commands.streams import run_streams

    return run_streams(bundle=options.bundle, wait_s=options.wait, assume_unit=options.assume_unit)


def add_doctor(commands: Commands) -> None:
    doctor = commands.add_parser(
        "doctor", help="is this machine ready? versions, LSL, engines, what is missing"
    )
    doctor.add_argument(
        "--seconds", type=positive, default=2.0, help="length of the loopback test (default 2)"
    )
    doctor.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from rtdecode.commands.doctor import run_doctor

    return run_doctor(seconds=options.seconds, as_json=options.json)


def add_bench(commands: Commands) -> None:
    bench = commands.add_parser("bench", help="latency and throughput here, beside the alternatives")
    bench.add_argument("--quick", action="store_true", help="a short look")
    bench.add_argument("--grid", metavar="CxHZ,…", help="e.g. 64x1000,306x1000")
    bench.add_argument("--seconds", type=positive, help="per cell")
    bench.add_argument("--rounds", type=count, help="interleaved rounds")
    bench.add_argument("--bundle", type=Path, help="measure with this bundle")
    bench.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    bench.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from rtdecode.commands.bench import run_bench

    return run_bench(
        quick=options.quick,
        grid=options.grid,
        seconds=options.seconds,
        rounds=options.rounds,
        bundle=options.bundle,
        as_json=options.json,
    )


def add_engines(commands: Commands) -> None:
    engines = commands.add_parser("engines", help="what can run a bundle here: parity, cost, what is missing")
    engines.add_argument("bundle", type=Path)
    engines.add_argument("--only", metavar="A,B", default="", help="these engines (default: all)")
    engines.add_argument("--mode", help="stream, window or incremental (default: as exported)")
    engines.add_argument("--hop", type=count, metavar="N", help="model samples a hop (default: the bundle's)")
    engines.add_argument("--precision", default="fp32", help="fp32 (default), bf16 or int8")
    engines.add_argument("--threads", type=count, default=1, help="threads of the engine (default 1)")
    engines.add_argument("--seconds", type=positive, default=3.0, help="paced hops of each (default 3)")
    engines.add_argument(
        "--agree",
        type=Path,
        metavar="RECORDING",
        help="compare rankings, or text, on it with those of float32",
    )
    engines.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    engines.set_defaults(run=_engines)


def _engines(options: argparse.Namespace) -> int:
    from rtdecode.commands.engines import run_engines

    return run_engines(
        options.bundle,
        only=tuple(name for name in options.only.split(",") if name),
        mode=options.mode,
        hop=options.hop,
        precision=options.precision,
        threads=options.threads,
        seconds=options.seconds,
        agree=options.agree,
        as_json=options.json,
    )


def add_bridge(commands: Commands) -> None:
    bridge = commands.add_parser("bridge", help="another system's stream as an LSL stream")
    bridge.add_argument("source", choices=("fieldtrip",), help="fieldtrip: a FieldTrip buffer")
    bridge.add_argument("--to-lsl", required=True, metavar="NAME", help="name of the LSL stream")
    bridge.add_argument("--unit", default="", help="unit of the samples, e.g. fT, or MEG=fT,EEG=uV")
    bridge.add_argument("--host", default="127.0.0.1", help="where the buffer is (default this machine)")
    bridge.add_argument("--port", type=int, default=1972, help="its port (default 1972)")
    bridge.add_argument("--type", metavar="TYPE", help="type of the LSL stream")
    bridge.add_argument("--labels", default="", help="channel names, when the buffer has none: Fz,Cz,…")
    bridge.set_defaults(run=_bridge)


def _bridge(options: argparse.Namespace) -> int:
    from rtdecode.commands.bridge import run_bridge

    return run_bridge(
        to_lsl=options.to_lsl,
        unit=options.unit,
        host=options.host,
        port=options.port,
        stype=options.type,
        labels=options.labels,
    )


def add_calibrate(commands: Commands) -> None:
    calibrate = commands.add_parser(
        "calibrate",
        help="the decoder of a new listener, from minutes of known stimulus (needs torch)",
        description="Fits a new listener to a trained run. `rtdecode check` looks at a sitting first.",
    )
    calibrate.add_argument("recording", type=Path, help="a file or a session log of the listener")
    calibrate.add_argument("--events", type=Path, metavar="TSV", help="what was heard in it, and when")
    calibrate.add_argument("--run", dest="trained", type=Path, required=True, help="what was trained")
    calibrate.add_argument("--data", type=Path, required=True, help="the study whose sounds were heard")
    calibrate.add_argument("--subject", required=True, help="the new listener's id")
    calibrate.add_argument("--minutes", type=positive, help="how much of it to use (default 5)")
    calibrate.add_argument("--out", type=Path, required=True, help="the new run")
    calibrate.add_argument("--bundle", type=Path, help="also make the listener's bundle there")
    calibrate.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from rtdecode.commands.calibrate import run_calibrate

    return run_calibrate(
        recording=options.recording,
        run=options.trained,
        data=options.data,
        subject=options.subject,
        out=options.out,
        events=options.events,
        minutes=options.minutes,
        bundle=options.bundle,
    )


def add_demo(commands: Commands) -> None:
    demo = commands.add_parser("demo", help="replay the shipped recording and decode it live")
    demo.add_argument(
        "--recordings", type=Path, default=Path("recordings"), help="folder of demo.xdf and demo/"
    )
    demo.add_argument("--headless", action="store_true", help="a summary (the default without a terminal)")
    demo.add_argument("--duration", type=positive, default=20.0, metavar="S", help="headless: seconds (20)")
    demo.add_argument("--since", type=float, metavar="EPOCH", help=argparse.SUPPRESS)
    demo.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    from rtdecode.commands.demo import run_demo

    return run_demo(
        options.recordings, headless=options.headless, duration_s=options.duration, since=options.since
    )
