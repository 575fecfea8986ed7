"""Archives that are what they say, and archives that are not."""

import errno
import io
import stat
import zipfile
from pathlib import Path

import pytest

from offline.fetch import archive as module
from offline.fetch.archive import BadArchive, extract
from rtdecode.errors import StudyError


def packed(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def unpack(tmp_path):
    def run(content: bytes) -> dict[str, bytes]:
        (tmp_path / "downloads").mkdir(exist_ok=True)
        (tmp_path / "downloads" / "a.zip").write_bytes(content)
        made = extract(tmp_path / "downloads" / "a.zip", tmp_path / "study")
        assert set(made) == {tmp_path / "study" / name for name in files(tmp_path / "study")}
        assert [p.name for p in (tmp_path / "downloads").iterdir()] == ["a.zip"]
        return files(tmp_path / "study")

    return run


def test_an_archive_of_archives_unpacks_where_they_lie(unpack):
    inner = packed({"EEG/Subject1/Run1.mat": b"one", "EEG/read me.txt": b"two"})
    outer = packed({"Natural Speech.zip": inner, "sub/deeper.zip": packed({"x": b"3"}), "list.csv": b"4"})
    assert unpack(outer) == {
        "EEG/Subject1/Run1.mat": b"one",
        "EEG/read me.txt": b"two",
        "sub/x": b"3",
        "list.csv": b"4",
    }


def test_what_is_there_already_is_left_alone_and_what_is_damaged_is_mended(unpack, tmp_path):
    content = packed({"a": b"aaaa", "b": b"bbbb"})
    unpack(content)
    kept = tmp_path / "study" / "a"
    before = kept.stat().st_ino
    (tmp_path / "study" / "b").write_bytes(b"bxbb")
    assert unpack(content) == {"a": b"aaaa", "b": b"bbbb"}
    assert kept.stat().st_ino == before


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:/evil", "C:\\evil", "a/..\\..\\..\\evil"]
)
def test_names_that_lead_out_are_refused_before_anything_is_written(unpack, tmp_path, name):
    with pytest.raises(BadArchive, match="leads out of the archive"):
        unpack(packed({"good": b"1", name: b"2"}))
    assert not list(tmp_path.rglob("*evil*")) and not (tmp_path / "study" / "good").exists()


def test_links_are_refused(unpack, tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BadArchive, match="'link' is a link"):
        unpack(made.getvalue())


def test_a_damaged_member_leaves_no_file_of_its_name(unpack, tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("signal.mat", b"0123456789" * 100)
    with pytest.raises(BadArchive, match="not a whole zip archive"):
        unpack(made.getvalue().replace(b"0123456789" * 100, b"9123456789" + b"0123456789" * 99))
    assert files(tmp_path / "study") == {}


@pytest.mark.parametrize(
    "content", [b"<html>log in</html>", packed({"a": b"a" * 99})[:-30], b""], ids=["page", "cut", "empty"]
)
def test_what_is_no_archive_is_said_to_be_none(unpack, content):
    with pytest.raises(BadArchive, match="not a whole zip archive"):
        unpack(content)


def test_two_inner_archives_may_not_overwrite_each_other(unpack):
    with pytest.raises(BadArchive, match="two different files named x"):
        unpack(packed({"1.zip": packed({"x": b"1"}), "2.zip": packed({"x": b"2"})}))


def test_a_full_disk_leaves_no_half_written_file(unpack, tmp_path, monkeypatch):
    def full(source, target, length):
        target.write(source.read(10))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "copyfileobj", full)
    with pytest.raises(StudyError, match=r"the disk is full: cannot write .*signal\.mat"):
        unpack(packed({"signal.mat": b"0123456789" * 100}))
    assert files(tmp_path / "study") == {}


def test_an_archive_larger_than_the_disk_is_refused_before_it_is_unpacked(unpack, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(StudyError, match="unpacks to 1000 bytes, the disk has 10 left"):
        unpack(packed({"signal.mat": b"0123456789" * 100}))
    assert files(tmp_path / "study") == {}
