"""A bundle is refused, in one sentence, for anything that is not exactly what was exported."""

from pathlib import Path

import pytest

from rtdecode.bundle import load_bundle
from rtdecode.config import to_json
from rtdecode.engines import check_golden, open_session
from rtdecode.errors import BundleError, ConfigError
from tests.bundles import bundle_spec, edit_manifest, make_bundle


def test_round_trip(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    assert to_json(bundle.spec) | {"files": {}} == to_json(bundle_spec()) | {"files": {}}
    assert bundle.spec.hop_s == 0.25
    assert bundle.bank is not None
    assert len(bundle.bank.candidates) > 20


def test_golden_output_holds(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    assert check_golden(open_session(bundle), bundle, "onnx") < 1e-5


def test_a_model_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", golden_error=3e-4)
    with pytest.raises(BundleError, match=r"by 0\.0009\d of its standard deviation, allowed is 0\.0001"):
        open_session(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "bank.jsonl", "golden.npz"])
def test_one_changed_byte_is_refused(tmp_path: Path, name: str) -> None:
    make_bundle(tmp_path / "b")
    file = tmp_path / "b" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(BundleError, match=rf"{name} is damaged: its SHA-256"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("name", ["model.onnx", "bank.safetensors", "weights.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    make_bundle(tmp_path / "b")
    (tmp_path / "b" / name).unlink()
    with pytest.raises(BundleError, match=f"lacks the file {name}"):
        load_bundle(tmp_path / "b")


def test_a_manifest_may_not_reach_outside(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    files = {name: "0" * 64 for name in ("model.onnx", "weights.safetensors", "golden.npz")}
    banks = {"bank.safetensors": "0" * 64, "bank.jsonl": "0" * 64}
    edit_manifest(tmp_path / "b", files={"../../etc/passwd": "0" * 64, **files, **banks})
    with pytest.raises(BundleError, match=r"lacks the file \.\./\.\./etc/passwd"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 99}, "schema 99, this version reads 1"),
        ({"scheme": 1}, "unknown key 'scheme' (did you mean schema"),
        ({"model": None}, "lacks the key 'model'"),
        (
            {"retrieval": {"frames": 48, "delay": 0, "align": "serch", "sharpness": 1.0}},
            "did you mean search?",
        ),
        ({"files": {}}, "does not list model.onnx"),
    ],
)
def test_a_manifest_that_is_off_is_refused(tmp_path: Path, change: dict, words: str) -> None:
    make_bundle(tmp_path / "b")
    edit_manifest(tmp_path / "b", **change)
    with pytest.raises(BundleError) as refusal:
        load_bundle(tmp_path / "b")
    assert words in str(refusal.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"schema": 1}'])
def test_a_manifest_that_is_not_one_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "bundle.json").write_text(content)
    with pytest.raises(BundleError):
        load_bundle(tmp_path)


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"not a bundle: it has no bundle\.json"):
        load_bundle(tmp_path)
    with pytest.raises(BundleError, match="nowhere is not a bundle: there is no such directory"):
        load_bundle(tmp_path / "nowhere")


def test_an_unknown_engine_lists_the_known(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    with pytest.raises(ConfigError, match="did you mean onnx"):
        open_session(bundle, "onyx")
