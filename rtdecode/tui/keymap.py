"""The user's own keys: `$XDG_CONFIG_HOME/rtdecode/keys.toml`, read before a screen starts.

    [keys]
    freeze = "f5"
    larger = "plus,k"

Everything that would leave a key without effect is refused in one sentence: a file that is not TOML, an id
or a key that does not exist, one key for two things. Knows the key table, not the screen.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.binding import Binding, BindingType
from textual.keys import (
    ASCII_KEY_NAMES,
    KEY_NAME_REPLACEMENTS,
    Keys,
    _character_to_key,
    key_to_character,
)

from rtdecode.errors import ConfigError, closest
from rtdecode.tui.keys import KEYS

EXAMPLE = 'write [keys], then freeze = "f5"'
MODIFIERS = ("ctrl", "shift", "alt", "meta", "super", "hyper")
TAKEN = {"ctrl+p": "the palette", "ctrl+q": "leaving", "ctrl+c": "copying"}  # by Textual itself
NAMES = (
    {key.value for key in Keys if "+" not in key.value and "<" not in key.value}
    | {f"f{i}" for i in range(1, 25)}
    | set(ASCII_KEY_NAMES.values())
    | set(KEY_NAME_REPLACEMENTS.values())
    | {_character_to_key(chr(code)) for code in range(33, 127)}
)

Owners = Mapping[str, tuple[str, ...]]


def path() -> Path:
    """Where the file is looked for, whether it is there or not."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(home if os.path.isabs(home) else Path.home() / ".config") / "rtdecode" / "keys.toml"


def read() -> dict[str, str]:
    """{id: keys} as Textual's `set_keymap` takes it; empty without a file. ConfigError says what is wrong."""
    file = path()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{file} cannot be read: {problem}", hint="mend it or remove it") from problem
    return parse(text, str(file))


def screens() -> list[Sequence[BindingType]]:
    """Keys that stand together: live alone, in a replay, with several decoders; of other screens; of what
    lies over a screen."""
    from rtdecode.tui import check_keys, modal_keys, start_keys
    from rtdecode.tui.replay_keys import REPLAY_KEYS
    from rtdecode.tui.review import keys, sessions
    from rtdecode.tui.several import SeveralApp

    live = [KEYS, [*KEYS, *REPLAY_KEYS], [*KEYS, *SeveralApp.BINDINGS]]
    return [*live, start_keys.KEYS, sessions.KEYS, keys.KEYS, check_keys.KEYS, *modal_keys.TABLES]


def parse(text: str, where: str) -> dict[str, str]:
    """The same from the file's text. where: what the reader should open."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{where} is not TOML: {problem}", hint=EXAMPLE) from problem
    for name in data:
        if name != "keys":
            raise ConfigError(f"{where} has {name!r}, which is not [keys]", hint="put ids under [keys]")
    chosen = data.get("keys", {})
    if not isinstance(chosen, dict):
        raise ConfigError(f"{where}: keys is {chosen!r}, not a table", hint=EXAMPLE)
    each = [defaults(table) for table in screens()]
    every = {name for usual in each for name in usual}
    keymap = {}
    for name, keys in chosen.items():
        if name not in every:
            raise ConfigError(f"{where} has an unknown id {name!r}", hint=closest(name, every))
        keymap[name] = _normal(name, keys, where)
    for usual in each:
        _refuse_clashes(usual, {name: keys for name, keys in keymap.items() if name in usual}, where)
    _refuse_typed(keymap, where)
    return {name: ",".join(keys) for name, keys in keymap.items()}


def defaults(table: Sequence[BindingType]) -> dict[str, tuple[str, ...]]:
    """The keys of every id in the table."""
    usual: dict[str, tuple[str, ...]] = {}
    for binding in table:
        if isinstance(binding, Binding) and binding.id:
            usual.setdefault(binding.id, tuple(binding.key.split(",")))
    return usual


def _normal(name: str, keys: Any, where: str) -> tuple[str, ...]:
    if not isinstance(keys, str) or not keys.strip():
        raise ConfigError(f"{where}: {name} is {keys!r}, not keys", hint=f'write {name} = "f5" or "k,j"')
    return tuple(dict.fromkeys(_key(name, key.strip(), where) for key in keys.split(",")))


def _key(name: str, key: str, where: str) -> str:
    *modifiers, last = key.split("+") if key != "+" else [key]
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise ConfigError(f"{where}: {name} has {key!r}", hint=closest(modifier, MODIFIERS))
    normal = _character_to_key(last) if len(last) == 1 else last
    if not (len(last) == 1 and last.isprintable()) and last not in NAMES:
        hint = "a comma is written comma" if not last else closest(last, NAMES) if len(last) > 2 else ""
        hint = hint or "e.g. f5, ctrl+k, full_stop"
        raise ConfigError(f"{where}: {name} has {key!r}, which is no key", hint=hint)
    return "+".join((*modifiers, normal))


def _refuse_typed(chosen: Owners, where: str) -> None:
    """Where letters are typed, a letter can be no key."""
    from rtdecode.tui.modal_keys import TYPED

    for usual in map(defaults, TYPED):
        for name in usual.keys() & chosen.keys():
            for key in set(chosen[name]) - set(usual[name]):
                if (key_to_character(key) or "\t").isprintable():  # tab and delete have characters, too
                    said = f"{where} gives {key!r} to {name}, where it is typed"
                    raise ConfigError(said, hint=f"e.g. f5, ctrl+{key.lower() if len(key) == 1 else 'k'}")


def _refuse_clashes(usual: Owners, chosen: Owners, where: str) -> None:
    owners: dict[str, str] = {}
    for name, keys in {**usual, **chosen}.items():
        for key in keys:
            if key in TAKEN and name in chosen:
                said = f"{where} gives {key!r} to {name}, which is for {TAKEN[key]}"
                raise ConfigError(said, hint="choose another")
            other = owners.setdefault(key, name)
            if other != name and (name in chosen or other in chosen):
                new, old = (name, other) if name in chosen else (other, name)
                raise ConfigError(
                    f"{where} gives {key!r} to {new}, which {old} has", hint=f"give {old} another key too"
                )
