"""Compiled engines on disk: found again by everything they depend on, never by name alone, never a pickle.

One folder per engine, named by the hash of its key:

    FOLDER/openvino-1f0c…/key.json    the key in words, and the SHA-256 and size of the payload
    FOLDER/openvino-1f0c…/payload     what the engine's own library writes and reads

Written beside and renamed: an entry is there whole or not at all. An entry that does not hold what it says is
told in words, taken away and made again. Knows no engine.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from rtdecode.bundle import Bundle, sha256
from rtdecode.engines.session import Setup
from rtdecode.errors import ConfigError

FORMAT = 1
GRAPHS = 1
"""Raised whenever the graphs of offline.graphs or models.inference change what they compute, or how."""
HOPPED = ("stream", "incremental")  # graphs whose shapes depend on the hop
KEY, PAYLOAD = "key.json", "payload"
VARIABLE = "RTDECODE_CACHE"


@dataclass(frozen=True)
class Key:
    """Everything a compiled engine depends on. `versions`: of the engine's libraries and of the driver."""

    engine: str
    part: str
    weights: str
    network: str
    graphs: int
    mode: str
    hop: int
    size: int
    precision: str
    threads: int
    device: str
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        text = json.dumps([FORMAT, asdict(self)], sort_keys=True)
        return f"{self.engine}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def key_of(
    bundle: Bundle, setup: Setup, engine: str, part: str, versions: Mapping[str, str], device: str = ""
) -> Key:
    """The key of one graph of a session. device: "": this processor's instructions."""
    model, files = bundle.spec.model, bundle.spec.files
    shape = json.dumps([model.config, files.get("model.onnx", "")], sort_keys=True)
    return Key(
        engine,
        part,
        files["weights.safetensors"],
        hashlib.sha256(shape.encode()).hexdigest(),
        GRAPHS,
        setup.mode,
        setup.hop if part in HOPPED else 0,
        model.size,
        setup.precision,
        setup.threads,
        device or processor(),
        dict(versions),
    )


@cache
def processor() -> str:
    """This machine's processor and a hash of its instruction sets: compiled code fits no other."""
    flags = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    digest = hashlib.sha256(flags.encode()).hexdigest()[:12]
    return f"{platform.system()} {platform.machine()} {digest}"


def folder() -> Path:
    """Where engines are kept: RTDECODE_CACHE, else the user's cache directory."""
    if found := os.environ.get(VARIABLE):
        return Path(found)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rtdecode" / "engines"


def find(key: Key, tell: Callable[[str], None] = lambda text: None) -> Path | None:
    """The payload of this key, its hash compared; None where there is none that holds what it says.

    tell  hears in one sentence why an entry was not used
    """
    entry = folder() / key.name
    if not entry.exists():
        return None
    wrong = _wrong(entry, key)
    if wrong:
        tell(f"the cached engine {entry} is not used: {wrong}; it is made again")
        shutil.rmtree(entry, ignore_errors=True)
        return None
    return entry / PAYLOAD


def _wrong(entry: Path, key: Key) -> str:
    """What is wrong with an entry, in words; empty: nothing."""
    try:
        said = json.loads((entry / KEY).read_text("utf-8"))
        size = (entry / PAYLOAD).stat().st_size
    except OSError as problem:
        return f"it lacks {Path(problem.filename or '').name or 'a file'}"
    except ValueError:
        return f"its {KEY} is not JSON"
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        return f"it has format {said.get('format') if isinstance(said, dict) else said!r}, this is {FORMAT}"
    for name, value in asdict(key).items():
        if (found := said.get("key", {}).get(name)) != value:
            return f"it was made for {name} {found!r}, this is {value!r}"
    if size != said.get("bytes"):
        return f"it was cut short: {size} of {said.get('bytes')} bytes"
    if sha256(entry / PAYLOAD) != said.get("sha256"):
        return "its content changed after it was written"
    return ""


def store(key: Key, write: Callable[[Path], None], tell: Callable[[str], None] = lambda text: None) -> Path:
    """Have `write` fill a file and keep it under `key`; returns the payload, that of another who was quicker
    included. ConfigError where the folder cannot be written.
    """
    root = folder()
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = Path(tempfile.mkdtemp(prefix=f".{key.engine}.", dir=root))
    except OSError as problem:
        raise ConfigError(
            f"the engine cache {root} cannot be written: {problem.strerror}", hint=f"set {VARIABLE}"
        ) from problem
    try:
        payload = work / PAYLOAD
        write(payload)
        about = {
            "format": FORMAT,
            "key": asdict(key),
            "bytes": payload.stat().st_size,
            "sha256": sha256(payload),
        }
        (work / KEY).write_text(json.dumps(about, indent=1) + "\n", "utf-8")
        _sync(payload)
        entry = root / key.name
        try:
            work.rename(entry)
        except OSError:  # another process was quicker, or left a wrong one
            if (found := find(key, tell)) is not None:
                return found
            work.rename(entry)
        return entry / PAYLOAD
    finally:
        shutil.rmtree(work, ignore_errors=True)


def made(key: Key, write: Callable[[Path], None], tell: Callable[[str], None] = lambda text: None) -> Path:
    """The payload of this key, written now if it is not there."""
    return find(key, tell) or store(key, write, tell)


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
