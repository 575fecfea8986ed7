"""What the start screen says beside its lists: its state, what is not there, and what to do about that."""

from rtdecode.finding import PLACES, places
from rtdecode.found import Disk, Findings, FoundBundle, FoundStream, shown
from rtdecode.tui.lines import Line, clean, spread, wrap


def header(found: Findings, width: int, height: int = 1) -> list[Line]:
    """Where we are, what was found, and whether it is still being looked for."""
    counts: list[str] = []
    if found.streams is not None:
        counts.append(_count(len(found.streams), "stream"))
    if found.disk is not None:
        counts.append(_count(len(found.disk.bundles), "bundle"))
    left: Line = ((" rtdecode", "strong"), ("  ○ START", "accent"), (f"  {' · '.join(counts)}", "text"))
    if found.trouble:
        right: Line = (("✕ NO NETWORK ", "bad"),)
    elif found.streams is None or found.disk is None:
        what = "streams" if found.streams is None else "bundles"
        right = ((f"◔ LOOKING for {what} ", "accent"),)
    else:
        right = (("● ", "good"), ("LOOKING all the time ", "dim"))
    return [spread(left, right, width)]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _said(texts: tuple[str, ...], width: int) -> list[Line]:
    lines: list[Line] = []
    for k, text in enumerate(texts):
        lines += [((piece, "text" if not k else "dim"),) for piece in wrap(clean(text), max(10, width))]
    return lines


def no_streams(found: Findings, width: int) -> list[Line]:
    if found.trouble:
        return _said((found.trouble, "`rtdecode doctor` looks closer"), width)
    if found.streams is None:
        return _said(("looking on the network …",), width)
    return _said(
        (
            "no streams found",
            "Is the amplifier's LSL software running, in the same network? A stream appears here by itself.",
            "Without an amplifier: replay a recording, below.",
        ),
        width,
    )


def no_bundles(found: Findings, width: int) -> list[Line]:
    if found.disk is None:
        return _said(("looking in the folders …",), width)
    return _said(
        (
            "no bundles found",
            f"Looked in {', '.join(shown(place) for place in places())}. "
            f"{PLACES} names more folders; `offline export` writes bundles.",
            "`rtdecode demo`, in the project's folder, shows what decoding looks like.",
        ),
        width,
    )


def no_recordings(disk: Disk | None) -> list[Line]:
    if disk is None:
        return [(("still looking in the folders …", "dim"),)]
    return [
        (("no recordings under ./recordings or ./", "text"),),
        (("FIF, EDF, BDF, BrainVision, CTF, KIT, XDF, .mat; elsewhere:", "dim"),),
        (("rtdecode replay FILE --stream EEG", "dim"),),
    ]


def no_logs(disk: Disk | None) -> list[Line]:
    if disk is None:
        return [(("still looking in the folders …", "dim"),)]
    return [
        (("no session logs under ./sessions or ./", "text"),),
        (("rtdecode live --record sessions/NAME writes one", "dim"),),
    ]


def no_bundle_to_replay(bundle: FoundBundle | None) -> str:
    if bundle is None:
        return "there is no bundle to decode a recording with: `offline export` writes bundles"
    if not bundle.problem:
        return f"bundle {bundle.name} is being read: once more in a moment"
    return f"{bundle.problem}. Choose another bundle first."


def why_no_fit(stream: FoundStream | None, bundle: FoundBundle | None) -> tuple[str, ...]:
    """Why there is nothing to compare, and what to do; empty where there is."""
    if bundle is not None and bundle.problem:
        return (f"bundle {bundle.name}: {bundle.problem}",)
    if bundle is not None and bundle.spec is None:
        return (f"Bundle {bundle.name} is being read.",)
    if stream is None and bundle is None:
        return ("Once a stream and a bundle are found: whether they fit, channel by channel.",)
    if stream is None:
        return ("No stream is chosen: start the amplifier's LSL software, or replay a recording, below.",)
    if not stream.described:
        return (
            f"Stream {stream.info.name} was announced but does not answer. "
            "Is there a firewall between the machines? It is asked again by itself.",
        )
    if bundle is None:
        return ("No bundle is chosen: with one, whether this stream fits it, channel by channel.",)
    return ()


def way(name: str, found: Findings, width: int) -> Line:
    """A line that opens a list."""
    disk = found.disk
    count = None if disk is None else len(disk.recordings) if name == "replay" else len(disk.logs)
    words = {"replay": "replay a recording…", "review": "review a session…"}
    what = {"replay": "as if it came from an amplifier", "review": "what happened, and when"}
    said = "looking" if count is None else f"{count} found"
    cut = (
        f" · {', '.join(shown(p) for p in disk.cut)} holds more than is looked at"
        if disk and disk.cut
        else ""
    )
    return ((f"{words[name]:<22}", "text"), (f"{said:<10}", "dim"), (what[name] + cut, "dim"))
