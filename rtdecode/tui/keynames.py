"""How keys are written where a screen explains itself: "Esc", "ctrl+a", "?", as they are mapped."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from textual.app import App
from textual.keys import format_key

from rtdecode.tui import keymap

WORDS = {"escape": "Esc", "enter": "Enter", "backspace": "backspace", "pageup": "PgUp", "pagedown": "PgDn"}


def written(key: str) -> str:
    """ "question_mark" -> "?", "ctrl+a" as it is."""
    *modifiers, last = key.split("+")
    return "+".join((*modifiers, WORDS.get(last) or format_key(last)))


@cache
def usual() -> dict[str, tuple[str, ...]]:
    """The keys of every id of every table, before anybody chose others."""
    return {name: keys for table in keymap.screens() for name, keys in keymap.defaults(table).items()}


class KeyNames:
    """chosen: keys by id, as the user's keys.toml has them (keymap.read)."""

    def __init__(self, chosen: Mapping[str, str]):
        self._chosen = chosen

    def __call__(self, name: str, most: int = 1) -> str:
        """The first key of this id, or `most` of them with "or" between."""
        keys = self._chosen[name].split(",") if name in self._chosen else usual()[name]
        return " or ".join(written(key) for key in keys[:most])


USUAL = KeyNames({})


def names_of(app: App[Any]) -> KeyNames:
    """Of the keys that `app` runs with."""
    names = getattr(app, "key_names", USUAL)
    return names if isinstance(names, KeyNames) else USUAL
