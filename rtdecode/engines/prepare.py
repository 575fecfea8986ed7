"""What an engine needs before it can run a bundle, made ahead of time: compiled graphs go into the cache.

A machine without a GPU builds TensorRT-RTX's engines like any other.
"""

from rtdecode.bundle import Bundle
from rtdecode.engines import EVERY, open_session, setup_of
from rtdecode.engines.select import missing
from rtdecode.errors import ConfigError, closest


def require_known(engine: str) -> None:
    """Asked before the work, not after it: ConfigError for an engine that does not exist or cannot be made
    ready here, MissingExtra for one whose package is not installed.
    """
    if engine not in EVERY:
        raise ConfigError(f"there is no engine {engine!r}", hint=closest(engine, EVERY))
    if engine == "tensorrt":  # its engines are built without a GPU
        from rtdecode.engines.tensorrt import builder

        builder()
    elif why := missing(engine):
        raise ConfigError(
            f"engine {engine} cannot be made ready here: {why}", hint="leave it out, or name another"
        )


def prepare(bundle: Bundle, engine: str) -> str:
    """Make what `engine` needs; returns one sentence on what was made. Raises as opening it does."""
    require_known(engine)
    if engine == "tensorrt":
        from rtdecode.engines.modules import parts_of
        from rtdecode.engines.tensorrt import engine_file

        setup = setup_of(bundle)
        files = [engine_file(bundle, setup, part) for part in parts_of(bundle, setup, engine)]
        size = sum(file.stat().st_size for file in files) / 1e6
        return f"a TensorRT engine of {size:.1f} MB is in {files[0].parent}; it has run on no GPU yet"
    info = open_session(bundle, engine).info()
    made = "compiled into the cache" if engine == "inductor" else "nothing to prepare: the bundle is enough"
    return f"engine {engine}: {made}; it differs from the golden output by {info.parity:.1e}"
