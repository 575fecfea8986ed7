"""The user's own keys: what fits is mapped, what does not is refused in one sentence before any screen."""

from pathlib import Path

import pytest

from rtdecode.errors import ConfigError
from rtdecode.tui import keymap
from rtdecode.tui.app import LiveApp
from rtdecode.tui.keynames import written
from rtdecode.tui.picture import Still


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("", {}),
        ("[keys]", {}),
        ('[keys]\nfreeze = "f5"', {"freeze": "f5"}),
        ('[keys]\nlarger = "plus, k"', {"larger": "plus,k"}),
        ('[keys]\nlarger = "+"\nhelp = "h"', {"larger": "plus", "help": "h"}),
        ('[keys]\nwindow = "ctrl+t"', {"window": "ctrl+t"}),
        ('[keys]\nwindow = "f"\nfilter = "t"', {"window": "f", "filter": "t"}),
        ('[keys]\nquit = "Q"', {"quit": "Q"}),
    ],
)
def test_what_fits(text, mapped):
    assert keymap.parse(text, "keys.toml") == mapped


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[keys]\nfreez = "f5"', ["unknown id 'freez'", "did you mean freeze?"]),
        ('[keys]\nwindow = "f"', ["'f' to window, which filter has"]),
        ('[keys]\nwindow = "x"\nzoom = "x"', ["'x' to zoom, which window has"]),
        ('[keys]\nwindow = "ctrl+p"', ["which is for the palette"]),
        ("[keys\n", ["is not TOML", "write [keys]"]),
        ('freeze = "f5"', ["'freeze', which is not [keys]"]),
        ("keys = 3", ["keys is 3, not a table"]),
        ("[keys]\nfreeze = 5", ["freeze is 5, not keys"]),
        ('[keys]\nfreeze = ""', ["freeze is '', not keys"]),
        ('[keys]\nfreeze = "spice"', ["'spice', which is no key", "space"]),
        ('[keys]\nfreeze = "ctl+x"', ["'ctl+x'", "did you mean ctrl?"]),
        ('[keys]\nfreeze = "a,,b"', ["a comma is written comma"]),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(text, said):
    with pytest.raises(ConfigError) as refusal:
        keymap.parse(text, "/home/me/keys.toml")
    assert str(refusal.value).startswith("/home/me/keys.toml")
    assert "\n" not in str(refusal.value).replace("\\n", "")
    for words in said:
        assert words in str(refusal.value)


def test_every_id_may_be_remapped_and_no_two_have_one_key():
    every = [keymap.defaults(table) for table in keymap.screens()]
    assert len(every[0]) > 20
    for name in {name for usual in every for name in usual}:
        assert keymap.parse(f'[keys]\n{name} = "f12"', "x") == {name: "f12"}
    for usual in every:
        keys = [key for keys in usual.values() for key in keys]
        assert len(keys) == len(set(keys)), f"two ids have one key: {sorted(keys)}"
        written = "\n".join(f'{name} = "{",".join(keys)}"' for name, keys in usual.items())
        assert keymap.parse(f"[keys]\n{written}", "x") == {n: ",".join(k) for n, k in usual.items()}


def test_the_page_of_keys_has_them_all():
    page = (Path(__file__).parents[3] / "docs" / "keys.md").read_text("utf-8")
    for table in keymap.screens():
        for name, keys in keymap.defaults(table).items():
            said = " ".join(f"`{written(key)}`" for key in keys)
            assert f"| {said} | `{name}` | " in page


def test_keys_of_screens_that_never_meet_may_be_the_same():
    assert keymap.parse('[keys]\nnext-decoder = "g"\ngo = "g"', "x")
    with pytest.raises(ConfigError, match="'g' to window, which"):
        keymap.parse('[keys]\nwindow = "g"', "x")


def test_where_the_file_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keymap.path() == tmp_path / "rtdecode" / "keys.toml"
    assert keymap.read() == {}
    keymap.path().parent.mkdir()
    keymap.path().write_text('[keys]\nfreeze = "f5"\n')
    assert keymap.read() == {"freeze": "f5"}
    keymap.path().write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        keymap.read()
    monkeypatch.setenv("XDG_CONFIG_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keymap.path() == tmp_path / ".config" / "rtdecode" / "keys.toml"


def test_a_file_that_does_not_fit_stops_the_screen_before_it_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keymap.path().parent.mkdir()
    keymap.path().write_text('[keys]\nzom = "x"\n')
    watcher = Still()
    with pytest.raises(ConfigError, match="did you mean zoom"):
        LiveApp(watcher).run()
    assert not watcher.stopped  # nothing had begun
