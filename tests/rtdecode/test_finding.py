"""What is found on the disk: bundles, broken ones too, recordings, session logs; looking is bounded."""

import json
import os
import shutil
from pathlib import Path

import pytest

from rtdecode import finding
from rtdecode.finding import check_bundle, check_log, look, places
from rtdecode.found import said_size, shown
from rtdecode.session.manifest import create, manifest
from tests.bundles import edit_manifest, make_bundle


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("finding") / "tiny").path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(finding.PLACES, raising=False)
    return folder


def test_bundles_of_every_place_are_found_once(
    tiny: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = here.parent / "far"
    for folder in (
        here / "bundles" / "a",
        here / "b",
        here.parent / "data/rtdecode/bundles/c",
        far / "x" / "d",
    ):
        shutil.copytree(tiny, folder)
    (here / "again").symlink_to(here / "bundles")
    monkeypatch.setenv(finding.PLACES, os.pathsep.join((str(far), str(here.parent / "gone"))))
    found = look()
    assert [bundle.path.name for bundle in found.bundles] == ["a", "d", "c", "b", "gone"]
    assert all(not bundle.problem and bundle.spec for bundle in found.bundles[:4])
    assert "RTDECODE_BUNDLES names" in found.bundles[4].problem and "no folder" in found.bundles[4].problem


def test_a_broken_bundle_is_listed_with_its_sentence(tiny: Path, tmp_path: Path) -> None:
    kinds = ("changed", "no-json", "schema", "binary", "list", "lacks")
    for kind in kinds:
        shutil.copytree(tiny, tmp_path / kind)
    (tmp_path / "changed" / "golden.npz").write_bytes(b"x")
    (tmp_path / "no-json" / "bundle.json").write_text("{")
    edit_manifest(tmp_path / "schema", schema=9)
    (tmp_path / "binary" / "bundle.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "list" / "bundle.json").write_text("[]")
    (tmp_path / "lacks" / "model.onnx").unlink()
    found = {bundle.path.name: bundle for bundle in look([tmp_path]).bundles}
    assert set(found) == set(kinds)
    assert "is damaged: its SHA-256" in found["changed"].problem
    assert found["changed"].spec is not None  # its manifest can be read, so its card can be shown
    assert "is not JSON" in found["no-json"].problem
    assert "has schema 9, this version reads 1" in found["schema"].problem
    assert "lacks the file model.onnx" in found["lacks"].problem
    assert all(bundle.problem and "\n" not in bundle.problem for bundle in found.values())


def test_a_verified_bundle_says_what_it_holds(tiny: Path) -> None:
    found = check_bundle(tiny)
    assert found.problem == "" and found.candidates > 10 and found.sources == ("planted",)
    assert len(found.identity) == 64 and found.size_bytes > 1000
    assert found.filter_delay_s and 0.01 < found.filter_delay_s < 0.2
    assert found.words is None and found.ngrams == ()


def test_the_shipped_bundle_tells_its_language_model() -> None:
    found = check_bundle(Path(__file__).parents[2] / "recordings" / "demo")
    assert found.problem == "" and found.candidates == 187
    assert found.words == 437 and found.ngrams == (440, 1672)


def test_recordings_and_logs_are_found_and_what_is_inside_them_is_not(here: Path) -> None:
    (here / "recordings" / "deep").mkdir(parents=True)
    for name in ("a.xdf", "deep/b.FIF.GZ", "notes.txt", ".hidden.edf", "c.ds"):
        (here / "recordings" / name).write_bytes(b"1234")
    (here / "trial.ds").mkdir()
    (here / "trial.ds" / "inside.xdf").write_bytes(b"1")
    log = here / "sessions" / "one"
    create(log, manifest(None, {}))
    (log / "samples.xdf").write_bytes(b"12345")
    found = look()
    assert [shown(one.path) for one in found.recordings] == [
        "recordings/a.xdf", "recordings/deep/b.FIF.GZ", "trial.ds",
    ]  # fmt: skip
    assert found.recordings[0].size_bytes == 4 and "XDF" in found.recordings[0].kind
    (only,) = found.logs
    assert only.path.name == "one" and not only.problem and only.started.startswith("20")
    assert only.size_bytes > 5 and only.bundle == ""


def test_logs_are_newest_first_and_a_broken_one_says_why(tmp_path: Path) -> None:
    for name, started in (("old", "2020-01-01T00:00"), ("new", "2021-01-01T00:00")):
        create(tmp_path / name, manifest(None, {}))
        data = json.loads((tmp_path / name / "session.json").read_text())
        (tmp_path / name / "session.json").write_text(json.dumps({**data, "started": started}))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "session.json").write_text("nonsense")
    found = look([tmp_path]).logs
    assert [log.path.name for log in found] == ["new", "old", "bad"]
    assert "is damaged: it is not JSON" in found[2].problem
    assert check_log(tmp_path).problem  # no log at all


def test_looking_is_bounded(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path.joinpath("1", "2", "3", "4")
    shutil.copytree(tiny, deep / "too-deep")
    shutil.copytree(tiny, tmp_path / "1" / "2" / "near")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "locked").mkdir(mode=0)
    assert [bundle.path.name for bundle in look([tmp_path]).bundles] == ["near"]
    for k in range(30):
        (tmp_path / f"{k}.txt").touch()
    monkeypatch.setattr(finding, "NAMES", 10)
    found = look([tmp_path])
    assert found.cut == (tmp_path,) and found.bundles == ()
    (tmp_path / "locked").rmdir()


def test_places_follow_the_environment(here: Path) -> None:
    assert places()[:3] == (Path("recordings"), Path("bundles"), Path("sessions"))
    assert here.parent / "data" / "rtdecode" / "bundles" in places()
    assert shown(here / "a" / "b") == "a/b" and shown(here.parent / "x") == "~/x"


def test_sizes_in_words() -> None:
    assert [said_size(n) for n in (0, 999, 38_200_000, 2_000_000_000)] == [
        "0 B",
        "999 B",
        "38.2 MB",
        "2.0 GB",
    ]
