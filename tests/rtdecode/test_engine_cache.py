"""The cache of compiled engines: found by everything they depend on, whole or not at all.

Why it matters: an engine of other weights, or half of one, would decode something else and say nothing.
"""

import dataclasses
import json
from pathlib import Path

import pytest

from rtdecode.engines import cache
from rtdecode.engines.cache import KEY, PAYLOAD, Key, find, made, store
from rtdecode.errors import ConfigError

KEY_OF = Key("x", "stream", "ab" * 32, "cd" * 32, 1, "stream", 6, 70, "fp32", 1, "cpu", {"lib": "1.0"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(payload: bytes = b"engine") -> Path:
    return store(KEY_OF, lambda path: void(path.write_bytes(payload)))


def void(_: object) -> None: ...


def test_what_was_stored_is_found_by_its_key_alone() -> None:
    assert find(KEY_OF) is None
    path = kept()
    assert find(KEY_OF) == path and path.read_bytes() == b"engine"
    for name, other in (("weights", "00" * 32), ("hop", 1), ("precision", "bf16"), ("device", "another"),
                        ("versions", {"lib": "1.1"}), ("graphs", 2), ("mode", "window")):  # fmt: skip
        assert find(dataclasses.replace(KEY_OF, **{name: other})) is None, name


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda entry: (entry / PAYLOAD).write_bytes(b"eng"), "cut short: 3 of 6 bytes"),
        (lambda entry: (entry / PAYLOAD).write_bytes(b"enginE"), "content changed"),
        (lambda entry: (entry / PAYLOAD).unlink(), f"lacks {PAYLOAD}"),
        (lambda entry: (entry / KEY).write_text("{"), "not JSON"),
        (lambda entry: (entry / KEY).write_text('{"format": 0}'), "format 0, this is 1"),
        (lambda entry: edited(entry), "made for versions {'lib': '0.9'}"),
    ],
)
def test_a_wrong_entry_is_told_taken_away_and_made_again(damage, words: str) -> None:
    damage(kept().parent)
    told: list[str] = []
    assert made(KEY_OF, lambda path: void(path.write_bytes(b"again!")), told.append).read_bytes() == b"again!"
    assert len(told) == 1 and words in told[0]
    assert find(KEY_OF) is not None


def edited(entry: Path) -> None:
    said = json.loads((entry / KEY).read_text())
    said["key"]["versions"] = {"lib": "0.9"}
    (entry / KEY).write_text(json.dumps(said))


def test_an_engine_that_cannot_be_made_leaves_nothing(folder: Path) -> None:
    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise ConfigError("no compiler")

    with pytest.raises(ConfigError, match="no compiler"):
        store(KEY_OF, fails)
    assert list(folder.iterdir()) == []


def test_who_comes_second_takes_what_the_first_made(folder: Path) -> None:
    def slow(path: Path) -> None:
        kept(b"first")
        path.write_bytes(b"second")

    assert store(KEY_OF, slow).read_bytes() == b"first"
    assert [entry.name for entry in folder.iterdir()] == [KEY_OF.name]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(ConfigError, match="cannot be written"):
        kept()


def test_others_may_not_write_there(folder: Path) -> None:
    kept()  # an entry may be machine code
    assert folder.stat().st_mode & 0o077 == 0
