"""Every class that is read from JSON: written and read back it is the same, and what does not fit is named.

Why it matters: bundles, runs, logs and the pictures a screen draws all pass through one reader. A field taken
for another type is a wrong decoder; a message without the key sends its reader through the whole file.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline.config import Config, load_config
from offline.contrastive.config import ContrastiveConfig, load_contrastive_config
from offline.jobs.sweep import Common, Named
from offline.speech.scale import SpeechScaler
from offline.text.config import TextConfig, load_text_config
from rtdecode.bundle import BundleSpec, Candidate
from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError
from rtdecode.live.control import Mark, Record
from rtdecode.session.manifest import LoggedBundle, Manifest
from rtdecode.snapshot import Snapshot, State
from rtdecode.text.search import SearchSpec
from rtdecode.tui.picture import Session
from tests.bundles import bundle_spec

# A session in full swing; its samples travel beside the JSON, and its state is looked up before it is read.
PICTURE = Session().at(759.4)
SHOWN = {f.name: to_json(getattr(PICTURE, f.name)) for f in dataclasses.fields(PICTURE) if f.name != "signal"}
DOCUMENTS: dict[type, Any] = {
    Config: to_json(load_config("demo")),
    ContrastiveConfig: to_json(load_contrastive_config("reference-melspec")),
    TextConfig: to_json(load_text_config("text-wav2vec2")),
    Common: {"config": "text-gru", "out": "runs", "set": ["loop.seed=1"]},
    Named: {"name": "a", "set": []},
    SpeechScaler: {"mean": [0.5, 1.0], "std": [1.0, 2.0]},
    BundleSpec: to_json(bundle_spec()),
    Candidate: to_json(Candidate("w1", "one", "story", 4, 2, 1.5, 0.25)),
    SearchSpec: to_json(SearchSpec()),
    Manifest: to_json(Manifest(1, "1.0", "2026-01-02", 5.0, LoggedBundle("b", "ab", "x"), {"a": [1]})),
    Mark: {"t": 1.5, "text": "x"},
    Record: {"feed": "psm_1a2b"},
    Snapshot: {**json.loads(json.dumps(SHOWN)), "state": State(PICTURE.state)},
}  # fmt: skip
CLASSES = pytest.mark.parametrize("cls", list(DOCUMENTS), ids=lambda cls: cls.__name__)
SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text()
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NO_JSON = b"x"  # of no field's type


@dataclasses.dataclass(frozen=True)
class Place:
    """One object of a document. keys: how it is reached;  where: what an error says of it."""

    cls: type
    keys: tuple[str | int, ...]
    where: str

    def of(self, document: Any) -> Any:
        for key in self.keys:
            document = document[key]
        return document


def places(value: Any, keys: tuple[str | int, ...] = (), where: str = "file") -> Iterator[Place]:
    """Every dataclass in `value`, itself first."""
    if dataclasses.is_dataclass(value):
        yield Place(type(value), keys, where)
        for field in dataclasses.fields(value):
            yield from places(getattr(value, field.name), (*keys, field.name), f"{where}: {field.name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from places(item, (*keys, index), where)


def copy(document: Any) -> Any:
    """One that may be changed."""
    if isinstance(document, dict):
        return {key: copy(value) for key, value in document.items()}
    return [copy(value) for value in document] if isinstance(document, list) else document


def refusal(cls: type, document: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        from_json(cls, document, "file")
    return str(refused.value)


@CLASSES
def test_what_is_written_is_the_tree_of_its_fields(cls: type) -> None:
    value = from_json(cls, DOCUMENTS[cls], "file")
    assert from_json(cls, to_json(value), "file") == value
    if cls is not Snapshot:  # whose samples are no JSON
        assert json.dumps(to_json(value)) == json.dumps(dataclasses.asdict(value))


@CLASSES
def test_what_does_not_fit_is_named_wherever_it_is(cls: type) -> None:
    def change(place: Place) -> tuple[Any, Any]:
        document = copy(DOCUMENTS[cls])
        return document, place.of(document)

    for place in places(from_json(cls, DOCUMENTS[cls], "file")):
        document, at = change(place)
        at["surplus"] = 1
        assert refusal(cls, document).startswith(f"{place.where} has an unknown key 'surplus' (")
        for field in dataclasses.fields(place.cls):
            name = field.name
            if field.default is field.default_factory is dataclasses.MISSING:
                document, at = change(place)
                del at[name]
                assert refusal(cls, document) == f"{place.where} lacks the key {name!r}"
            document, at = change(place)
            at[name] = NO_JSON
            assert refusal(cls, document).startswith(f"{place.where}: {name} ")


@CLASSES
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_value_is_taken_as_it_is_or_refused(cls: type, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(list(places(from_json(cls, DOCUMENTS[cls], "file")))))
    name, junk = data.draw(st.sampled_from(sorted(get_type_hints(place.cls)))), data.draw(JUNK)
    document = copy(DOCUMENTS[cls])
    place.of(document)[name] = junk
    try:
        value = from_json(cls, document, "file")
    except ConfigError:
        return  # of another type, or not what the class wants of its values
    assert from_json(cls, to_json(value), "file") == value
    read = place.of(to_json(value))[name]
    assert read == junk or isinstance(junk, dict)  # an object may leave out what has a default
    assert type(read) is type(junk) or (type(junk), type(read)) == (int, float)


@CLASSES
def test_what_is_left_out_has_its_default(cls: type) -> None:
    fields = {field.name: field for field in dataclasses.fields(cls) if field.name != "signal"}
    made = {n: f.default_factory() for n, f in fields.items() if f.default_factory is not dataclasses.MISSING}
    fixed = {n: f.default for n, f in fields.items() if f.default is not dataclasses.MISSING}
    needed = {n: DOCUMENTS[cls][n] for n in fields if n not in made and n not in fixed}
    value = from_json(cls, needed, "file")
    assert {name: getattr(value, name) for name in {**made, **fixed}} == {**made, **fixed}
