"""The files of a public OSF node, through the site's JSON API (version 2, https://developer.osf.io).

Lists; downloads nothing.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests

from offline.fetch.download import ATTEMPTS, LONGEST_WAIT_S
from offline.fetch.web import Transient, get, shown
from rtdecode.errors import StudyError

API = "https://api.osf.io/v2/nodes/"
_HINT = "has OSF changed its API? the study's home page has the files too"


@dataclass(frozen=True)
class Remote:
    """path: below the node's root, '/' between folders;  size: bytes, 0 unknown;  sha256: '' unknown"""

    path: str
    url: str
    size: int
    sha256: str


def list_node(
    session: requests.Session, node: str, sleep: Callable[[float], None] = time.sleep
) -> tuple[Remote, ...]:
    """Every file of a node (its id, or the whole API address of it), folders walked, sorted by path.

    Raises StudyError when the node is not there, is private, or answers something else than a listing.
    """
    root = node if "/" in node else f"{API}{node}/"
    first = urljoin(root, "files/osfstorage/?page[size]=100")
    found: dict[str, Remote] = {}
    pages, seen = [first], set()
    while pages:
        page = pages.pop()
        if page in seen:
            raise StudyError(f"the listing of OSF node {node} goes round in circles", hint=_HINT)
        seen.add(page)
        answer = _json(session, page, sleep)
        try:
            for entry in _entries(answer, page):
                if isinstance(entry, str):
                    pages.append(entry)
                else:
                    found[entry.path] = entry
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StudyError(f"{shown(page)} is no listing of files: {error!r}", hint=_HINT) from error
    if not found:
        raise StudyError(f"OSF node {node} has no files", hint="see the study's home page")
    return tuple(found[path] for path in sorted(found))


def _entries(answer: Any, page: str) -> Iterator[Remote | str]:
    """Files, and the addresses of further pages and folders."""
    for item in answer["data"]:
        facts = item["attributes"]
        if facts["kind"] == "folder":
            yield _large(urljoin(page, item["relationships"]["files"]["links"]["related"]["href"]))
            continue
        hashes = (facts.get("extra") or {}).get("hashes") or {}
        path = str(facts["materialized_path"]).lstrip("/")
        url = urljoin(page, item["links"]["download"])
        yield Remote(path, url, int(facts.get("size") or 0), str(hashes.get("sha256") or ""))
    following = (answer.get("links") or {}).get("next")
    if following:
        yield urljoin(page, following)


def _large(address: str) -> str:
    """The address of a folder, with pages of 100 instead of 10: a tenth of the requests."""
    return address if "page" in address else f"{address}{'&' if '?' in address else '?'}page[size]=100"


def _json(session: requests.Session, url: str, sleep: Callable[[float], None]) -> Any:
    for attempt in range(ATTEMPTS):
        try:
            with get(session, url) as response:
                return response.json()
        except Transient as error:
            trouble: Exception = error
            wait = error.after_s
        except requests.exceptions.JSONDecodeError as error:
            raise StudyError(f"{shown(url)} answered something that is not JSON", hint=_HINT) from error
        except requests.exceptions.RequestException as error:  # cut off in the body
            trouble, wait = error, 0.0
        sleep(min(LONGEST_WAIT_S, wait or 2.0**attempt))
    raise StudyError(f"{shown(url)}: {trouble}, {ATTEMPTS} times in a row", hint="run it again later")
