"""Finds the stream that is wanted and opens it if it fits the bundle, searching in the background.

The first time, a stream that is missing, ambiguous or does not fit is an error. Later, with a session under
way, it is a reason to go on looking. Knows nothing of samples.
"""

from dataclasses import dataclass

from rtdecode.contract import ChannelMap, Contract, changes
from rtdecode.errors import ContractError, StreamError
from rtdecode.snapshot import Retry
from rtdecode.sources.lsl import Found, LslSource, Search, Wanted, matching, recognisable, select
from rtdecode.types import StreamInfo


@dataclass(frozen=True)
class Opened:
    """A stream that fits. channels: from its channels to the bundle's; before: what it was the last time."""

    source: LslSource
    channels: ChannelMap
    before: StreamInfo | None = None

    @property
    def by_name_only(self) -> str:
        """Why it will not be recognised for certain after a restart; empty where it will, or was said."""
        info = self.source.info
        if recognisable(info.source_id) or (self.before and self.before.source_id == info.source_id):
            return ""
        said = f"source_id {info.source_id} looks generated" if info.source_id else "it has no source_id"
        return f"{info.name}: {said}, after a restart it is recognised by its name only"


class Connector:
    """found: what the last search saw, by name; detail: why nothing was opened.

    refusal  why the wanted stream, though it is there, was not opened; empty when it is not there

    until  monotonic seconds by which the first connection must be made; None: never mind
    """

    def __init__(
        self,
        wanted: Wanted,
        contract: Contract,
        assume_unit: str,
        until: float | None,
        search: Search | None = None,
    ):
        self._wanted, self._contract, self._assume_unit, self._until = wanted, contract, assume_unit, until
        self._search = search
        self._before: StreamInfo | None = None
        self.found: tuple[str, ...] = ()
        self.detail = ""
        self.refusal = ""

    def look(self, now: float) -> Opened | None:
        """The stream, once a search found it. StreamError only before the first success."""
        found = self._searched()
        if found is None:
            return None
        self.found = tuple(f"{f.info.name} ({f.info.stype})" for f in found)
        try:
            return self._open(select(found, self._wanted, self._before.source_id if self._before else ""))
        except StreamError as problem:
            hopeless = isinstance(problem, ContractError) or len(matching(found, self._wanted)) > 1
            late = self._until is not None and now > self._until
            if self._before is None and (hopeless or late):
                raise
            problems = problem.problems if isinstance(problem, ContractError) else ()
            self.detail = "; ".join(problems) or str(problem)
            self.refusal = self.detail if hopeless or matching(found, self._wanted) else ""
            return None

    def look_elsewhere(self) -> Opened | None:
        """While the stream is silent but not closed: the same stream under a new start of its sender."""
        found, before = self._searched(), self._before
        if found is None or before is None:
            return None
        others = [f for f in matching(found, self._wanted) if f.info.uid != before.uid]
        try:
            return self._open(select(others, self._wanted, before.source_id)) if others else None
        except StreamError:
            return None

    @property
    def retry(self) -> Retry | None:
        """How the search goes on; None while nothing is looked for."""
        if self._search is None:
            return None
        return Retry(str(self._wanted), self._search.tried, round(self._search.next_s, 1))

    def rest(self) -> None:
        """No need to look any more, for now."""
        if self._search:
            self._search.stop()
        self._search = None
        self.detail = self.refusal = ""

    def _searched(self) -> list[Found] | None:
        if self._search is None:
            self._search = Search()
        return self._search.take()

    def _open(self, found: Found) -> Opened:
        source = LslSource(found)
        try:
            self._compare(source.info)
            channels = self._contract.bind(source.info, self._assume_unit)
        except ContractError:
            source.close()
            raise
        before, self._before = self._before, source.info
        self.rest()
        return Opened(source, channels, before)

    def _compare(self, info: StreamInfo) -> None:
        """ContractError when a stream came back as another than it was, but for the channels' order."""
        other = changes(self._before, info) if self._before else ()
        if other:
            text = f"stream {info.name!r} is not what it was: {'; '.join(other)}"
            raise ContractError(text, problems=other, hint="start rtdecode anew to decode it as it is now")
