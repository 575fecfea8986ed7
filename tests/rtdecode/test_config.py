"""Configuration is read strictly: what is unknown, missing or of the wrong type is named."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    size: int
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be positive, got {self.size}")


@dataclass(frozen=True)
class Outer:
    name: str
    mode: Literal["fast", "slow"]
    inner: Inner
    many: tuple[float, ...] = ()
    maybe: Inner | None = None
    anything: dict[str, Any] | None = None
    sizes: dict[str, Inner] = field(default_factory=dict)
    next: "Outer | None" = None


GOOD = {
    "name": "x",
    "mode": "fast",
    "inner": {"size": 3, "rate": 2},
    "many": [1, 2.5],
    "anything": {"a": [1]},
}


def test_round_trip() -> None:
    outer = from_json(Outer, GOOD, "file")
    assert outer.inner == Inner(3, 2.0)
    assert outer.many == (1.0, 2.5) and isinstance(outer.many[0], float)
    assert from_json(Outer, to_json(outer), "file") == outer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modes": 1}, "unknown key 'modes' (did you mean mode?)"),
        ({"mode": "quick"}, "file: mode is 'quick'"),
        ({"inner": {"size": 3, "rat": 2}}, "file: inner has an unknown key 'rat' (did you mean rate?)"),
        ({"inner": {"rate": 2}}, "file: inner lacks the key 'size'"),
        ({"inner": {"size": 0}}, "file: inner: size must be positive, got 0"),
        ({"inner": 3}, "object with named values, got 3"),
        ({"name": 3}, "name should be of type str, got 3"),
        ({"many": "12"}, "file: many should be a list, got '12'"),
        ({"many": [1, "2"]}, "file: many should be of type float, got '2'"),
        ({"sizes": []}, "file: sizes should be an object, got []"),
        (
            {"sizes": {"a": {"size": 1}, "b": {"size": "x"}}},
            "file: sizes.b: size should be of type int, got 'x'",
        ),
        ({"next": {**GOOD, "inner": {"size": 0}}}, "file: next: inner: size must be positive, got 0"),
        ({"next": {**GOOD, "mode": "fost"}}, "file: next: mode is 'fost' (did you mean fast?)"),
        ({"inner": list(range(100))}, "got [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16..."),
        ({"inner": {"size": True}}, "size should be of type int, got True"),
    ],
)
def test_what_is_wrong_is_named(change: dict, words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        from_json(Outer, {**GOOD, **change}, "file")
    assert words in str(refusal.value)


def test_a_class_that_refuses_its_values_is_the_cause() -> None:
    with pytest.raises(ConfigError) as refusal:
        from_json(Outer, {**GOOD, "inner": {"size": 0}}, "file")
    assert isinstance(refusal.value.__cause__, ValueError)


def test_a_class_may_hold_itself() -> None:
    outer = from_json(Outer, {**GOOD, "next": {**GOOD, "name": "y"}}, "file")
    assert outer.next and outer.next.name == "y" and outer.next.next is None
    assert from_json(Outer, to_json(outer), "file") == outer


def test_what_is_no_dataclass_is_written_as_it_is() -> None:
    written = to_json({1: ([Inner(2)], None, 0.5), "a": Inner})
    assert written == {1: [[{"size": 2, "rate": 1.0}], None, 0.5], "a": Inner}
