"""Frozen dataclasses from JSON, strictly: unknown keys are refused with the closest valid names.

Used for bundles, training configurations and the pictures a screen reads alike. Knows nothing of what the
values mean; each dataclass checks its own in `__post_init__`. What the fields of a class take is looked up
once, when its first value is read or written: a screen reads a snapshot fifteen times a second.
"""

import dataclasses
import types
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from rtdecode.errors import ConfigError, closest

T = TypeVar("T")
Convert = Callable[[Any], Any]


def from_json(cls: type[T], data: Any, where: str) -> T:
    """Build dataclass `cls` from parsed JSON. ConfigError says which key, its value and what would fit.

    where  what the reader should open, e.g. the file's path; keys are appended with dots
    """
    try:
        return _reader(cls)(data)  # type: ignore[arg-type]  # a class is hashable, mypy does not know it
    except _Misfit as misfit:
        raise ConfigError(f"{where}{misfit.key}{misfit.text}", hint=misfit.hint) from misfit.__cause__


def to_json(value: Any) -> Any:
    """The JSON form of a dataclass tree: what `from_json` reads back."""
    write = _writer(type(value))  # type: ignore[arg-type]
    return value if write is None else write(value)


class _Misfit(Exception):
    """What does not fit. Every level it leaves puts its key in front, so none is spelled where all fits."""

    def __init__(self, text: str, hint: str = ""):
        super().__init__(text)
        self.key, self.text, self.hint = "", text, hint


@cache
def _reader(cls: Any) -> Convert:
    """JSON -> an instance of dataclass `cls`. Raises _Misfit."""
    hints, fields = get_type_hints(cls), {f.name: f for f in dataclasses.fields(cls)}
    steps = [
        (
            name,
            _value_reader(hints[name]),
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for name, field in fields.items()
    ]

    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _Misfit(f" should be an object with named values, got {_short(data)}")
        for key in data:
            if key not in fields:
                raise _Misfit(f" has an unknown key {key!r}", closest(key, fields))
        values = {}
        for name, convert, required in steps:
            if name in data:
                try:
                    values[name] = convert(data[name])
                except _Misfit as misfit:
                    misfit.key = f": {name}{misfit.key}"
                    raise
            elif required:
                raise _Misfit(f" lacks the key {name!r}")
        try:
            return cls(**values)
        except ValueError as problem:
            raise _Misfit(f": {problem}") from problem

    return read


def _value_reader(hint: Any) -> Convert:
    """JSON -> a value of this type. Raises _Misfit when called, never here: not every field is ever read."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: value
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is Literal:
        return _literal(args)
    if dataclasses.is_dataclass(hint):
        # looked up late: a class may hold itself
        return lambda value: _reader(hint)(value)  # type: ignore[arg-type]
    if origin is tuple:
        return _tuple(args)
    if origin is dict:
        return _dict(args)
    return _float if hint is float else _exactly(hint)


def _union(args: tuple[Any, ...]) -> Convert:
    """None where that is allowed, or the first type that is named."""
    optional, other = type(None) in args, _value_reader(next(arg for arg in args if arg is not type(None)))
    return lambda value: None if value is None and optional else other(value)


def _literal(args: tuple[Any, ...]) -> Convert:
    def read(value: Any) -> Any:
        if value not in args:
            raise _Misfit(f" is {_short(value)}", closest(str(value), map(str, args)))
        return value

    return read


def _tuple(args: tuple[Any, ...]) -> Convert:
    convert = _value_reader(args[0])

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _Misfit(f" should be a list, got {_short(value)}")
        return tuple([convert(item) for item in value])

    return read


def _dict(args: tuple[Any, ...]) -> Convert:
    convert = _value_reader(args[1])

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _Misfit(f" should be an object, got {_short(value)}")
        values = {}
        for key, item in value.items():
            try:
                values[str(key)] = convert(item)
            except _Misfit as misfit:
                misfit.key = f".{key}{misfit.key}"
                raise
        return values

    return read


def _float(value: Any) -> float:
    if type(value) in (int, float):
        return float(value)
    return _exactly(float)(value)


def _exactly(hint: Any) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not hint:
            raise _Misfit(f" should be of type {hint.__name__}, got {_short(value)}")
        return value

    return read


@cache
def _writer(kind: type) -> Convert | None:
    """A value of this type -> JSON; None where it is written as it is."""
    if dataclasses.is_dataclass(kind):
        names = tuple(f.name for f in dataclasses.fields(kind))
        return lambda value: {name: to_json(getattr(value, name)) for name in names}
    if issubclass(kind, tuple | list):
        return lambda value: [to_json(item) for item in value]
    if issubclass(kind, dict):
        return lambda value: {key: to_json(item) for key, item in value.items()}
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
