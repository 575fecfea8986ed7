"""Who runs a core's network: an engine of its own, or a batch that it shares with other cores."""

from rtdecode.bundle import Bundle
from rtdecode.engines import Session, open_session
from rtdecode.live.config import CoreConfig


def network(bundle: Bundle, config: CoreConfig) -> Session:
    """The session that this configuration asks for; raises as `engines.open_session`."""
    if config.batch:
        from rtdecode.engines.shared import open_shared

        return open_shared(bundle, config.batch)
    return open_session(bundle, config.engine, config.threads, precision=config.precision)
