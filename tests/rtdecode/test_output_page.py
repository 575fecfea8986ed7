"""docs/output.md and what the decoder writes: every key is explained, the example is one, words are ours.

Why it matters: the page is a promise to programs that nobody here can see.
"""

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from rtdecode.commands import several as command
from rtdecode.commands.interrupted import Interrupted
from rtdecode.live.config import CoreConfig
from rtdecode.live.output import decision_line
from rtdecode.live.several import Member, Running, Several
from rtdecode.types import Corrected, Decision, Hit, Hypothesis, Retrieved, SpokenWord, TextPace
from tests.rtdecode.text.test_rescoring_live import SECOND, Bench, sentence

PAGE = (Path(__file__).parents[2] / "docs" / "output.md").read_text("utf-8")
EXAMPLE = json.loads(PAGE.split("```json")[1].split("```")[0])


def line() -> dict[str, Any]:
    """A decision that has everything a decision can have."""
    hits = (Hit(0, "c00", "the fox", "fables/12", 1.5, 0.488, 0.311), Hit(1, "c01", "a", "b", 0, 0, 0.061))
    text = Hypothesis(
        "the ", "fo", "the ", (SpokenWord("the", -1.531, -1.321, 0.97, 0.8),), "silence",
        (Corrected("teh", "the"),), TextPace(0.8, 1.5, 0.04, 1.2),
    )  # fmt: skip
    made = Decision(12, 1, 575, 2505.841, Retrieved(hits, 37, 1.5), text, {"infer": 0.16}, ("odd",))
    return decision_line(made, {"infer": 0.16, "total": 0.71}, 0.0)


def keys(value: Any, name: str = "") -> set[str]:
    """Every key with those above it: retrieved.hits.rank."""
    if isinstance(value, list):
        return set().union(*(keys(one, name) for one in value))
    if not isinstance(value, dict):
        return set()
    inner = {f"{name}.{key}".lstrip("."): one for key, one in value.items()}
    return set(inner) | set().union(*(keys(one, path) for path, one in inner.items()))


def test_the_example_has_the_keys_of_a_decision() -> None:
    made = {key for key in keys(line()) if not key.startswith(("stage_ms.", "text.corrected."))}
    assert {key for key in keys(EXAMPLE) if not key.startswith("stage_ms.")} == made
    assert list(EXAMPLE) == list(line())


def test_every_key_is_explained() -> None:
    explained = " ".join(row for row in PAGE.splitlines() if row.startswith("| `"))
    for key in keys(line()):
        if not key.startswith("stage_ms."):  # stages may be added: docs/latency.md
            last = key.split(".")[-1]
            assert f"`{key}`" in explained or f"`{last}`" in explained, f"docs/output.md is silent on {key}"


def test_of_several_each_line_has_the_keys_that_the_page_names(capsys: pytest.CaptureFixture[str]) -> None:
    class Alive(Running):
        ended = False

    class Two:
        """Two decoders that said one decision each."""

        def __init__(self) -> None:
            config = CoreConfig("demo")
            names = ("LEFT", "RIGHT")
            self.all = tuple(Alive(Member(name, name, "demo", config), Path()) for name in names)

        def messages(self, _: float) -> list[tuple[Running, dict[str, Any]]]:
            return [(running, {"kind": "decision", **line()}) for running in self.all]

    with Interrupted() as interrupted:
        command._print_decisions(cast(Several, Two()), interrupted, None, 1)
    said = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [one["stream"] for one in said] == ["LEFT", "RIGHT"]
    more = list(said[0])[: -len(line())]
    table = PAGE.split("With several streams or bundles")[1].split("\n\n")[1]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == more == ["stream", "bundle"]


def test_a_correction_by_a_language_model_is_the_line_that_the_page_shows() -> None:
    bench = Bench()
    bench.core.ask(2, [sentence(7)])
    bench.now += 0.212
    bench.answer(id=bench.asked()[0]["id"], scores=SECOND)
    level, text, _ = bench.said[-1]
    assert f"{level}: {text.replace('tiny', 'gpt2')}\n" in PAGE
    bench.core.finish()
    _, tally, _ = bench.said[-1]
    shown = re.search(r"rtdecode: (rescored by gpt2: .*)", PAGE)
    assert shown and shown[1].startswith(tally.replace("tiny", "gpt2"))
