"""One request: https alone, redirects followed by hand, a token sent to its own host and nowhere else.

`requests` does the HTTP: certificates, proxies and chunked bodies are its business. What it would do unasked
is switched off: passwords from .netrc, redirects to plain http, compression (byte ranges count raw bytes).
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import requests

from rtdecode.errors import StudyError

TIMEOUT_S = (10.0, 60.0)  # to connect, and between two pieces of the body
REDIRECTS = 10
# Hosts that answer more, or at all, to a token; where it is found. Never on a command line or in an address.
TOKENS = {"api.osf.io": "OSF_TOKEN", "files.osf.io": "OSF_TOKEN", "datadryad.org": "DRYAD_TOKEN"}


class Transient(Exception):
    """Worth another try. `after_s`: what the server asked to wait."""

    def __init__(self, message: str, after_s: float = 0.0):
        super().__init__(message)
        self.after_s = after_s


def new_session() -> requests.Session:
    session = requests.Session()
    session.auth = _no_auth  # else requests looks for a password in .netrc
    session.headers.update({"User-Agent": "rtdecode-fetch", "Accept-Encoding": "identity"})
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def shown(url: str) -> str:
    """The address for a message: without its query, which may hold a signature."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def check_address(url: str) -> None:
    """Raises StudyError for an address that is not https (http only to this machine) or holds a password."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise StudyError(f"the address of {parts.hostname} holds a password", hint="set a token instead")
    if parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or "")):
        return
    raise StudyError(f"will not download over {parts.scheme!r}: {shown(url)}", hint="use its https address")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def get(session: requests.Session, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
    """The open response, 200 or 206 or 416, body unread; the caller closes it.

    Raises Transient for what another try may mend, StudyError for the rest.
    """
    asked = url
    for _ in range(REDIRECTS):
        check_address(url)
        response = _once(session, url, {**_token(url), **(headers or {})})
        if response.is_redirect:
            url = urljoin(url, response.headers["Location"])
            response.close()
            continue
        if response.status_code in (200, 206, 416):
            return response
        response.close()
        raise _refused(response, asked)
    raise StudyError(f"{shown(asked)} redirects more than {REDIRECTS} times", hint="try again later")


def _once(session: requests.Session, url: str, headers: Mapping[str, str]) -> requests.Response:
    try:
        return session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=TIMEOUT_S)
    except requests.exceptions.SSLError as error:
        raise StudyError(
            f"the certificate of {urlsplit(url).hostname} is not trusted",
            hint="behind a proxy of your institution, set REQUESTS_CA_BUNDLE to its certificate",
        ) from error
    except requests.exceptions.RequestException as error:
        raise Transient(f"{urlsplit(url).hostname} does not answer ({type(error).__name__})") from error


def _token(url: str) -> dict[str, str]:
    token = os.environ.get(TOKENS.get(urlsplit(url).hostname or "", ""), "")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _refused(response: requests.Response, url: str) -> Exception:
    status, where = response.status_code, shown(url)
    if status == 429 or status >= 500:
        after = response.headers.get("Retry-After", "")
        return Transient(f"{where} answered {status}", float(after) if after.isdecimal() else 0.0)
    if status in (401, 403):
        wanted = TOKENS.get(urlsplit(url).hostname or "")
        hint = f"set {wanted} to a token of your account" if wanted else "does it need registration?"
        return StudyError(f"{where} refuses access ({status})", hint=hint)
    if status in (404, 410):
        return StudyError(f"{where} is not there ({status})", hint="has it moved? see the study's home page")
    return StudyError(f"{where} answered {status}, expected 200", hint="see the study's home page")
