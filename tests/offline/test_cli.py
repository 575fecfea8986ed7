"""The commands as a person types them: a study from nothing to a report, and mistakes in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from offline.cli import main

SMALL = [
    *("--set", "loop.updates_per_epoch=4", "--set", "loop.max_epochs=1", "--set", "batch.size=16"),
    *("--set", "model.hidden=16", "--set", "model.n_virtual=16", "--set", "model.fourier_dim=32"),
]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated study and its prepared form."""
    pytest.importorskip("espeakng_loader", reason="needs the extra [speech] to synthesise speech")
    folder = tmp_path_factory.mktemp("cli")
    sizes = ["--minutes=1", "--valid-minutes=0.5", "--test-minutes=0.8", "--gain=6", "--recombined=20"]
    assert main(["simulate", str(folder / "study"), "--subjects", "2", *sizes]) == 0
    prepare = ["prepare", "--data", str(folder / "study"), "--out", str(folder / "prepared")]
    assert main([*prepare, "--config", "windows-small"]) == 0
    return folder


@pytest.fixture
def failing(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command says on stderr when it must end with exit code 2 and one sentence."""

    def run(*argv: object) -> str:
        assert main([str(a) for a in argv]) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert said and said[-1].startswith("error: ") and "Traceback" not in "".join(said)
        return said[-1]

    return run


def test_from_a_study_to_a_report(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, data = tmp_path / "run", str(studies / "prepared")
    train = ["train", "--data", data, "--config", "windows-small", "--out", str(run), "--device", "cpu"]
    assert main([*train, *SMALL]) == 0
    assert json.loads((run / "run.json").read_text())["subjects"] == ["sub-01", "sub-02"]
    capsys.readouterr()
    scores, page = tmp_path / "a.npz", tmp_path / "page.html"
    evaluate = ["evaluate", "--run", str(run), "--data", data, "--scores", str(scores), "--report", str(page)]
    assert main([*evaluate, "--no-curves"]) == 0
    said = capsys.readouterr().out
    assert "segments  top-10" in said and "chance" in said and "time-shuffled pairing" in said
    assert page.is_file() and page.with_suffix(".csv").is_file()
    assert main(["report", "--scores", str(scores), "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again.html").is_file()


def test_prepared_twice_is_prepared_once(studies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare = ["prepare", "--data", str(studies / "study"), "--out", str(studies / "prepared")]
    assert main([*prepare, "--config", "windows-small"]) == 0
    assert "0 recordings prepared" in capsys.readouterr().err


def test_a_wrong_word_is_answered_with_the_right_one(studies: Path, tmp_path: Path, failing) -> None:
    out, data = tmp_path / "out", studies / "prepared"
    train = ["train", "--data", data, "--out", out, "--device", "cpu"]
    assert "gwilliams2022" in failing("prepare", "--study", "gwiliams2022", "--data", data, "--out", out)
    assert "windows-small" in failing(*train, "--config", "windows-smal")
    assert "loop.lr" in failing(*train, "--config", "windows-small", "--set", "loop.lrr=1")
    assert "convert" in failing("convert-checkpoin", "x")
    assert not out.exists()


def test_data_that_does_not_fit_the_recipe(studies: Path, tmp_path: Path, failing) -> None:
    out = tmp_path / "out"
    said = failing("train", "--data", studies / "prepared", "--config", "reference", "--out", out)
    assert "features" in said or "60 Hz" in said
    said = failing("train", "--data", studies / "study", "--config", "windows-small", "--out", out)
    assert str(studies / "study") in said
    said = failing("prepare", "--study", "brennan2019", "--data", studies / "study", "--out", out)
    assert "missing" in said or "no " in said
    assert not out.exists()


def test_a_run_goes_on_only_as_it_began(studies: Path, tmp_path: Path, failing) -> None:
    run = tmp_path / "run"
    train = ["train", "--data", str(studies / "prepared"), "--config", "windows-small", "--out", str(run)]
    assert main([*train, *SMALL]) == 0
    assert "resume" in failing(*train, *SMALL)
    said = failing(*train, *SMALL, "--resume", "--set", "loop.lr=0.5")
    assert "loop.lr" in said and "0.5" in said
