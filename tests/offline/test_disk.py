"""A folder is there whole, or its name is free and nothing lies beside it."""

import os

import pytest

from offline.disk import whole_folder


def test_a_folder_appears_whole_and_readable_by_others(tmp_path):
    path = tmp_path / "deep" / "made"
    with whole_folder(path) as work:
        assert work.parent == path.parent and not path.exists()
        (work / "a").write_text("x")
        os.chmod(work / "a", 0o600)
        (work / "inside").mkdir()
        (work / "inside" / "b").write_text("y")
    assert [p.name for p in path.parent.iterdir()] == ["made"]
    assert sorted(p.name for p in path.iterdir()) == ["a", "inside"]
    assert (path / "inside" / "b").read_text() == "y"
    assert path.stat().st_mode & 0o777 == 0o755 and (path / "a").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_what_was_not_finished_leaves_nothing(tmp_path, problem):
    def interrupted():
        with whole_folder(tmp_path / "made") as work:
            (work / "a").write_text("x")
            raise problem

    with pytest.raises(problem):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled_and_a_full_one_stays(tmp_path):
    path = tmp_path / "made"
    path.mkdir()
    with whole_folder(path) as work:
        (work / "a").write_text("first")
    with pytest.raises(OSError, match="not empty"), whole_folder(path) as work:
        (work / "b").write_text("second")
    assert [p.name for p in path.iterdir()] == ["a"]
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
