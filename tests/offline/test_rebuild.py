"""The shipped demo comes from the commands that recordings/README.md gives.

Why it matters: a demo that cannot be rebuilt proves nothing about the code beside it.
"""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from offline.cli import main
from rtdecode.bundle import load_bundle
from rtdecode.config import to_json
from rtdecode.recordings import read
from tests.processes import ROOT

RECORDINGS = ROOT / "recordings"


def documented(verb: str) -> list[str]:
    """The arguments of `offline VERB …` in recordings/README.md."""
    found = re.findall(rf"^    offline ({verb} .*)$", (RECORDINGS / "README.md").read_text("utf-8"), re.M)
    assert len(found) == 1, found
    return shlex.split(found[0])


def test_the_recording_is_what_the_commands_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(documented("simulate")) == 0
    (tmp_path / "recordings").mkdir()
    assert main(documented("cut")) == 0
    made, shipped = (read(folder / "demo.xdf", "EEG") for folder in (tmp_path / "recordings", RECORDINGS))
    assert made.labels == shipped.labels
    assert [marker.text for marker in made.markers] == [marker.text for marker in shipped.markers]
    # float32 µV: other BLAS and FFT builds may round otherwise
    np.testing.assert_allclose(made.data, shipped.data, atol=0.05)


def test_the_bundle_says_how_it_was_trained() -> None:
    from offline.config import load_config

    training = load_bundle(RECORDINGS / "demo").spec.training
    arguments = documented("simulate")
    assert training.times_real == float(arguments[arguments.index("--gain") + 1])
    assert training.hours == pytest.approx(float(arguments[arguments.index("--minutes") + 1]) / 60, abs=0.01)
    cer = next(score for score in training.scores if score.name == "text CER")
    assert cer.value <= 0.25 < 0.8 < (cer.control or 0)
    assert to_json(load_config("demo"))["optim"]["steps"] > 0


def test_what_ships_is_small() -> None:
    files = [file for file in RECORDINGS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 12e6


def test_a_miniature_goes_all_the_way(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    study, run, bundle = tmp_path / "study", tmp_path / "run", tmp_path / "bundle"
    simulate = ["simulate", str(study), "--subjects", "1", "--minutes", "1.5", "--valid-minutes", "0.5"]
    assert main([*simulate, "--test-minutes", "0.5", "--gain", "30", "--recombined", "20"]) == 0
    config = tmp_path / "tiny.toml"
    config.write_text(
        'name = "tiny"\n[model]\nhidden = 16\ndepth = 2\nn_virtual = 8\nfourier_dim = 32\n'
        "[optim]\nsteps = 4\nsteps_per_epoch = 2\nbatch = 4\nthreads = 1\n"
    )
    assert main(["train", "--config", str(config), "--data", str(study), "--out", str(run)]) == 0
    assert main(["export", "--run", str(run), "--data", str(study), "--out", str(bundle)]) == 0
    assert main(["evaluate", "--bundle", str(bundle), "--data", str(study)]) == 0
    printed = capsys.readouterr().out
    assert "chance" in printed
    assert "ideal observer" in printed
    assert "untrained" in printed
    assert json.loads((bundle / "bundle.json").read_text())["training"]["times_real"] == 30.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--study", "simulatd", "--data", ".", "--out", "x"], "did you mean simulated"),
        (["train", "--model", "rigde", "--data", ".", "--out", "x"], "did you mean ridge"),
        (["train", "--config", "dem", "--data", ".", "--out", "x"], "did you mean demo"),
        (["train", "--data", "nowhere", "--out", "x"], "nowhere"),
        (["evaluate", "--bundle", "nowhere", "--data", "."], "not a bundle"),
        (["train", "--dat", "x", "--outt", "y"], "error:"),
        (["tran"], "did you mean train"),
        (["simulate", "x", "--gain", "-3"], "above 0"),
    ],
)
def test_a_wrong_word_is_answered_in_one_sentence(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
