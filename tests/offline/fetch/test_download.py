"""Downloads over a real connection on this machine that breaks, changes and lies."""

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest

from offline.fetch import download as module
from offline.fetch.download import download
from offline.fetch.web import new_session
from rtdecode.errors import StudyError

DATA = np.random.default_rng(0).bytes(1_500_000)
OTHER = np.random.default_rng(1).bytes(1_400_000)
SHA = hashlib.sha256(DATA).hexdigest()


class Waits(list):
    """Takes the place of sleep; what was asked is listed."""

    def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def get(waits, tmp_path):
    def fetch(url, name="file.bin", **known):
        with new_session() as session:
            return download(session, url, tmp_path / name, sleep=waits, **known)

    return fetch


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_with_its_checksum(web, get, tmp_path, waits):
    done = get(web.put("/a", DATA), sha256=SHA.upper(), size=len(DATA))
    assert (done.size, done.sha256, done.moved) == (len(DATA), SHA, len(DATA))
    assert (tmp_path / "file.bin").read_bytes() == DATA
    assert names(tmp_path) == ["file.bin"] and not waits


def test_a_broken_connection_goes_on_where_it_broke(web, get, tmp_path, waits):
    """Why it matters: a session of magnetic data is gigabytes, and connections break."""
    url = web.put("/a", DATA, cuts=[900_000, 300_000])
    done = get(url, sha256=SHA)
    assert (tmp_path / "file.bin").read_bytes() == DATA
    asked = web.ranges_of("/a")
    assert asked[0] == "" and len(asked) == 3
    starts = [int(a.removeprefix("bytes=").removesuffix("-")) for a in asked[1:]]
    assert 0 < starts[0] < starts[1] < len(DATA)
    # not one byte that was kept came twice; of what was under way at a cut, at most a chunk each
    assert done.moved == len(DATA) and web.sent <= len(DATA) + 2 * module.CHUNK
    assert waits == [1.0, 1.0]


def test_an_interrupted_download_is_never_mistaken_for_a_whole_one(web, get, tmp_path):
    url = web.put("/a", DATA)

    def stop(_what, done, _total):
        if done > 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(url, progress=stop)
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.json"]
    held = (tmp_path / "file.bin.part").stat().st_size
    assert 500_000 < held < len(DATA)
    done = get(url)
    assert done.moved == len(DATA) - held and web.ranges_of("/a")[-1] == f"bytes={held}-"
    assert (tmp_path / "file.bin").read_bytes() == DATA
    assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("etag", [True, False])
def test_a_file_that_changed_meanwhile_is_begun_again(web, get, tmp_path, etag):
    """With an ETag the server says so; without one, the length does."""
    url = web.put("/a", DATA, cuts=[700_000], changes=[None, OTHER], etag=etag)
    get(url)
    assert (tmp_path / "file.bin").read_bytes() == OTHER


def test_a_changed_file_of_the_same_length_is_found_out_by_its_checksum(web, get, tmp_path):
    """A server without ETag or dates: only the checksum can tell that two versions were joined."""
    new = DATA[::-1]
    url = web.put("/a", DATA, cuts=[700_000], changes=[None, new], etag=False)
    get(url, sha256=hashlib.sha256(new).hexdigest())
    assert (tmp_path / "file.bin").read_bytes() == new


def test_a_server_without_ranges_is_asked_for_the_whole_again(web, get, tmp_path):
    url = web.put("/a", DATA, cuts=[700_000], ranges=False)
    assert get(url).size == len(DATA)
    assert (tmp_path / "file.bin").read_bytes() == DATA


def test_a_part_of_another_address_is_not_used(web, get, tmp_path):
    first, second = web.put("/a", DATA, cuts=[700_000] * 20, statuses=[]), web.put("/b", OTHER)
    web.files["/a"].ranges = False
    with pytest.raises(KeyboardInterrupt):
        get(first, progress=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    get(second)
    assert (tmp_path / "file.bin").read_bytes() == OTHER


def test_errors_of_the_server_are_tried_again_with_growing_waits(web, get, waits):
    assert get(web.put("/a", DATA, statuses=[500, 503, 429])).sha256 == SHA
    assert waits == [1.0, 2.0, 4.0]


def test_a_server_that_stays_down_is_one_sentence(web, get, tmp_path, waits):
    with pytest.raises(StudyError, match=r"answered 500, 6 times in a row; 0 bytes are kept"):
        get(web.put("/a", DATA, statuses=[500] * 99))
    assert len(waits) == 5 and names(tmp_path) == []


def test_nobody_listens(get):
    with pytest.raises(StudyError, match="does not answer"):
        get("http://127.0.0.1:9/a")


@pytest.mark.parametrize(("status", "words"), [(404, "not there"), (403, "refuses access"), (418, "418")])
def test_refusals_are_not_tried_again(web, get, tmp_path, waits, status, words):
    with pytest.raises(StudyError, match=words):
        get(web.put("/a", DATA, statuses=[status] * 9))
    assert not waits and names(tmp_path) == []


def test_a_wrong_checksum_names_both_and_keeps_nothing(web, get, tmp_path):
    with pytest.raises(StudyError, match=f"{SHA}, expected {'0' * 64}"):
        get(web.put("/a", DATA), sha256="0" * 64)
    assert names(tmp_path) == []


def test_a_wrong_length_is_refused_before_the_body(web, get, tmp_path):
    with pytest.raises(StudyError, match="has 1500000 bytes, expected 12"):
        get(web.put("/a", DATA), size=12)
    assert names(tmp_path) == []


def test_a_page_that_asks_to_log_in_is_not_taken_for_the_file(web, get, tmp_path):
    with pytest.raises(StudyError, match=r"web page instead of file\.bin"):
        get(web.put("/a", b"<html>log in</html>", kind="text/html; charset=utf-8"))
    assert names(tmp_path) == []


def test_a_body_without_an_end_is_refused(web, get):
    url = web.put("/a", DATA, length=False)
    with pytest.raises(StudyError, match="does not say how long"):
        get(url)
    assert get(url, sha256=SHA).size == len(DATA)


def test_chunked_bodies_end_by_themselves_and_broken_ones_begin_again(web, get, tmp_path):
    get(web.put("/a", DATA, chunked=True, cuts=[300_000]))
    assert (tmp_path / "file.bin").read_bytes() == DATA


def test_an_empty_file_is_a_file(web, get, tmp_path):
    assert get(web.put("/a", b"")).size == 0
    assert names(tmp_path) == ["file.bin"]


def test_a_full_disk_is_said_before_it_is_met(web, get, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StudyError, match="needs 1500000 bytes, the disk has 1000 left"):
        get(web.put("/a", DATA))
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_keeps_the_part(web, get, tmp_path, monkeypatch):
    url, opened = web.put("/a", DATA), Path.open

    def full(path, mode="r", *rest, **named):
        file = opened(path, mode, *rest, **named)
        if mode == "ab":
            return Full(file)
        return file

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            if self.file.tell() > 600_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StudyError, match="the disk is full"):
        get(url)
    monkeypatch.undo()
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.json"]
    assert get(url).moved < len(DATA)
    assert (tmp_path / "file.bin").read_bytes() == DATA


@pytest.mark.parametrize("bad", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd"])
def test_only_https_leaves_this_machine(get, bad):
    with pytest.raises(StudyError, match="will not download over"):
        get(bad)


def test_a_redirect_cannot_leave_https(web, get):
    with pytest.raises(StudyError, match="will not download over 'http'"):
        get(web.put("/a", b"", location="http://example.org/secret"))


def test_a_token_goes_to_its_host_and_not_to_where_that_redirects(web, get, monkeypatch):
    """Why it matters: archives redirect to storage of third parties."""
    monkeypatch.setattr("offline.fetch.web.TOKENS", {"localhost": "SOME_TOKEN"})
    monkeypatch.setenv("SOME_TOKEN", "sesame")
    final = web.put("/final", DATA)
    url = web.put("/a", b"", location=final).replace("127.0.0.1", "localhost")
    get(url)
    assert [(path, token) for path, _, token in web.asked] == [("/a", "Bearer sesame"), ("/final", "")]


def test_passwords_in_addresses_are_refused_and_queries_stay_out_of_messages(web, get):
    with pytest.raises(StudyError, match="holds a password") as caught:
        get("https://me:secret@example.org/a")
    assert "secret" not in str(caught.value)
    with pytest.raises(StudyError) as caught:
        get(web.address + "/nothing?signature=secret")
    assert "secret" not in str(caught.value)
