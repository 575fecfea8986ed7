"""`rtdecode report`: a session log as one HTML file; `rtdecode review --export`: as a table."""

from pathlib import Path

from rtdecode.errors import ConfigError


def run_report(log: Path, *, out: Path | None = None, bundle: Path | None = None) -> int:
    """Write the page and print its path. RtdecodeError for a log that is none, or empty.

    out     the file; None: the log's name with .html, beside it
    bundle  the bundle that decoded, when it is no longer where it was
    """
    from rtdecode.report.material import collect
    from rtdecode.report.page import page
    from rtdecode.report.write import write_whole

    target = out or log.resolve().with_name(log.resolve().name + ".html")
    write_whole(target, page(collect(log, bundle)))
    print(target)
    return 0


def run_export(log: Path, *, kind: str | None, out: Path | None) -> int:
    """Write one table of a log and print its path. kind: csv, textgrid or bids."""
    from rtdecode.report.export import ENDINGS, export

    if kind is None:
        raise ConfigError("--out without --export: nothing to write", hint=f"--export {' | '.join(ENDINGS)}")
    target = out or log.resolve().with_name(log.resolve().name + ENDINGS[kind])
    export(log, kind, target)
    print(target)
    return 0
