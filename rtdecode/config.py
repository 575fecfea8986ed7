"""Frozen dataclasses from JSON, strictly: unknown keys are refused with the closest valid names.

Used for bundles and for training configurations alike. Knows nothing of what the values mean; each dataclass
checks its own in `__post_init__`.
"""

import dataclasses
import types
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from rtdecode.errors import ConfigError, closest

T = TypeVar("T")


def from_json(cls: type[T], data: Any, where: str) -> T:
    """Build dataclass `cls` from parsed JSON. ConfigError says which key, its value and what would fit.

    where  what the reader should open, e.g. the file's path; keys are appended with dots
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where} should be an object with named values, got {_short(data)}")
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable, mypy cannot say so of type[T]
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            raise ConfigError(f"{where} has an unknown key {key!r}", hint=closest(key, fields))
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _value(hints[name], data[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where} lacks the key {name!r}")
    try:
        return cls(**values)
    except ValueError as problem:
        raise ConfigError(f"{where}: {problem}") from problem


def to_json(value: Any) -> Any:
    """The JSON form of a dataclass tree: what `from_json` reads back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return value


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _value(next(arg for arg in args if arg is not type(None)), value, where)
    if origin is Literal:
        if value not in args:
            raise ConfigError(f"{where} is {_short(value)}", hint=closest(str(value), map(str, args)))
        return value
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value, where)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} should be a list, got {_short(value)}")
        return tuple(_value(args[0], item, where) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} should be an object, got {_short(value)}")
        return {str(key): _value(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and type(value) in (int, float):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where} should be of type {hint.__name__}, got {_short(value)}")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
