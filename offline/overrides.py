"""`--set loop.lr=1e-4`: single values of any frozen configuration, typed by its fields.

Works on every dataclass tree that `rtdecode.config` reads. Knows nothing of what the values mean; the
dataclasses check their own.
"""

import dataclasses
import json
import types
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError, closest

T = TypeVar("T")


def override(config: T, settings: Iterable[str]) -> T:
    """`config` with each "a.b=c" applied, later ones last.

    Booleans are true or false, lists "1,2,3" or "[1, 2, 3]", an optional value "none".
    Raises ConfigError for an unknown key (naming the closest), a group, a value of another type, or a
    combination that the configuration refuses.
    """
    data = to_json(config)
    settings = list(settings)
    leaves = dict(_leaves(type(config)))
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(f"{setting!r} sets nothing", hint="write it as group.key=value")
        if key not in leaves:
            raise ConfigError(f"there is no setting {key!r}", hint=_suggest(key, leaves))
        *groups, last = key.split(".")
        inner = data
        for group in groups:
            inner = inner[group]
        inner[last] = _value(leaves[key], text.strip(), key)
    return from_json(type(config), data, "--set " + " --set ".join(settings) if settings else "configuration")


def _leaves(cls: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _leaves(hint, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, hint


def _suggest(key: str, leaves: Iterable[str]) -> str:
    names = list(leaves)
    inside = [name for name in names if name.startswith(key + ".")]
    if inside:
        return f"it is a group: set {', '.join(inside)}"
    same = [name for name in names if name.split(".")[-1] == key.split(".")[-1]]
    return f"did you mean {' or '.join(same)}?" if same else closest(key, names)


def _value(hint: Any, text: str, key: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if text.lower() in ("none", "null") and type(None) in args:
            return None
        return _value(next(arg for arg in args if arg is not type(None)), text, key)
    if origin is Literal:
        return next((value for value in args if str(value) == text), text)  # from_json refuses the rest
    if origin is tuple:
        parts = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
        return [_value(args[0], part.strip().strip("\"'"), key) for part in parts.split(",") if part.strip()]
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"{key} is {text!r}", hint="true or false")
        return text.lower() == "true"
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            what = "a whole number" if hint is int else "a number"
            raise ConfigError(f"{key} should be {what}, got {text!r}") from None
    if hint is str:
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigError(f"{key} should be JSON, got {text!r}") from None
