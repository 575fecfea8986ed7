"""The bundle card: what a bundle states is said, what it does not is "not stated", what is broken is said."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from rtdecode.bundle import Score
from rtdecode.cli import main
from rtdecode.commands.card import as_dict
from rtdecode.finding import check_bundle
from rtdecode.found import FoundBundle
from rtdecode.preprocess import PreprocessSpec
from rtdecode.tui.card import facts, lines, render
from rtdecode.tui.card_screen import CardApp
from rtdecode.tui.lines import plain, width_of
from tests.bundles import bundle_spec, make_bundle

DEMO = Path(__file__).parents[3] / "recordings" / "demo"


@pytest.fixture(scope="module")
def demo() -> FoundBundle:
    return check_bundle(DEMO)


def text(found: FoundBundle, width: int = 100) -> str:
    return "\n".join(plain(line).rstrip() for line in lines(found, width))


def test_the_demo_says_everything(demo: FoundBundle) -> None:
    card = text(demo)
    for said in (
        "✓ yes: 9 of 9 files match their SHA-256",
        "on whom       sub-01",
        "simulated, 100 x the response in real EEG",
        "licence       CC0",
        "0.998     0.005     0.014     1.000     0.998       591",
        "0.239         –     0.927",
        "32, by name: Fp1 AF3",
        "rate          256 Hz",
        "0.5–25 Hz, causal Butterworth of order 2",
        "250 ms between two decisions",
        "window        3 s",
        "speaks of 500 ms ago",
        "engine modes  stream",
        "187, from 96 sources; chance of the first place 1/187",
        "language      not stated",
        "440 of 1 + 1672 of 2 words",
        "437 words",
    ):
        assert said in card, said


def test_what_is_absent_is_not_stated() -> None:
    spec = bundle_spec(text=False)
    bare = dataclasses.replace(spec.training, study="", subject="", hours=0.0, note="", licence="")
    found = FoundBundle(Path("x"), dataclasses.replace(spec, training=bare))
    said = {what: words for section in facts(found) for what, words, _ in section.rows}
    for what in ("study", "on whom", "how long", "in words", "licence", "scores", "identity", "candidates"):
        assert said[what] == "not stated", what
    assert "simulated" not in said["signal"].replace("nothing here says simulated", "")
    data = as_dict(found)
    assert data["training"]["subject"] is None and data["training"]["scores"] is None and data["text"] is None


def test_other_chains_are_told_as_they_are() -> None:
    spec = bundle_spec(text=False)
    labels = spec.stream.labels
    chain = PreprocessSpec(128.0, 64.0, 0, 0, 2, (0.0,) * 8, (1.0,) * 8, adapt_s=30.0)
    model = dataclasses.replace(
        spec.model, mode="window", size=64, hop=16, stride=1, config={"name": "[b]x[/]\x1b[2J"}
    )
    stream = dataclasses.replace(spec.stream, reference=labels)
    score = Score("top-1", 0.5, chance=0.1)
    spec = dataclasses.replace(
        spec, preprocess=chain, model=model, stream=stream,
        training=dataclasses.replace(spec.training, times_real=0.0, scores=(score,)),
    )  # fmt: skip
    card = text(FoundBundle(Path("x"), spec))
    assert "no filter" in card and "follows the signal in 30 s" in card
    assert "mean of all 8 channels" in card and "window: whole windows" in card
    assert "signal        simulated\n" in card
    assert "0.500     0.100         –" in card
    assert "[b]x[/]�[2J" in card and "\x1b" not in card


def test_a_changed_file_is_said_first_and_the_rest_is_shown(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "b").path
    (path / "golden.npz").write_bytes(b"x")
    found = check_bundle(path)
    card = text(found)
    said = "".join(card.split())  # the path is as long as the temporary folder's name: it wraps anywhere
    assert "verified✕no:" in said and "isdamaged:itsSHA-256" in said
    assert "study         planted" in card
    assert as_dict(found)["verified"] is False


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12), (20, 6)])
def test_any_size_is_filled_exactly(demo: FoundBundle, size: tuple[int, int]) -> None:
    for first in (0, 10, 1000):
        drawn = render(demo, *size, first)
        assert len(drawn) == size[1] and {width_of(line) for line in drawn} == {size[0]}
    assert "ends itself" in "\n".join(map(plain, render(demo, *size, 1000)))


async def test_the_screen_scrolls_and_closes(demo: FoundBundle) -> None:
    app = CardApp(demo)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        panel = app.screen.query_one("#card")
        assert "Trained on" in panel.text and "Writes text" not in panel.text
        await pilot.press("pagedown", "pagedown", "pagedown", "pagedown", "pagedown")
        assert "Writes text" in panel.text
        await pilot.press("up")
        await pilot.press("q")
        await pilot.pause()
    assert app.return_code == 0


def test_the_command_prints_text_json_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", str(DEMO)]) == 0
    assert "Held-out scores" in capsys.readouterr().out
    assert main(["bundle", str(DEMO), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["verified"] is True and data["training"]["scores"][0]["chance"] > 0
    assert data["model"]["hop_ms"] == 250 and data["text"]["language"] is None
    assert main(["bundle", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert "it has no bundle.json" in said.err and not said.out
    broken = tmp_path / "broken"
    shutil.copytree(DEMO, broken)
    (broken / "lm.arpa").write_text("changed")
    assert main(["bundle", str(broken)]) == 2
    said = capsys.readouterr()
    assert "✕ no:" in said.out and "is damaged" in said.err
