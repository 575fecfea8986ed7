"""Metrics: whole lines, rewound on resume; optional sinks ask for their extra; nothing is sent unasked."""

import io
import json
import sys
import types

import pytest

from offline.loop import Progress, fit
from offline.loop.metrics import JsonLines, TensorBoard, WandB, open_sinks
from offline.progress import TrainingBar
from rtdecode.errors import MissingExtra, TrainingError
from tests.offline.loop.toy import Toy, loop


def line(**changes):
    values = {
        "step": 50, "updates": 100, "epoch": 1, "parts": {"loss": 0.5, "ctc": 0.3}, "valid": None,
        "segments_per_s": 123.4, "waiting": 0.04, "seconds": 30.0, "eta_s": 3600.0,
    }  # fmt: skip
    return Progress(**{**values, **changes})


def test_a_line_says_everything_and_never_a_score_without_its_chance():
    said = str(line(valid={"loss": 3.25, "top10": 0.61, "top10_chance": 0.05, "cer": 0.22}))
    assert said == (
        "step 50/100 · loss 0.500 · ctc 0.300 · valid loss 3.25 · valid top10 61.0% (chance 5.0%) · "
        "valid cer 22.0% · 123 segments/s · 4% waiting · 30 s, 60 min left"
    )
    assert "left" not in str(line(step=100))


def test_rewound_metrics_lose_later_and_torn_lines(tmp_path):
    sink = JsonLines(tmp_path / "m.jsonl")
    for step in (1, 2, 3):
        sink.write("train", step, {"loss": 1.0 / step})
    with sink.path.open("a") as file:
        file.write('{"kind": "train", "st')
    sink.rewind(2)
    sink.write("valid", 2, {"loss": 0.1})
    found = [json.loads(text) for text in sink.path.read_text().splitlines()]
    assert [(f["kind"], f["step"]) for f in found] == [("train", 1), ("train", 2), ("valid", 2)]
    JsonLines(tmp_path / "none.jsonl").rewind(0)


def test_metrics_that_cannot_be_written_are_one_sentence(tmp_path):
    with pytest.raises(TrainingError, match="cannot write"):
        JsonLines(tmp_path / "no such folder" / "m.jsonl").write("train", 1, {})


def test_sinks_name_the_extra_they_need(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(MissingExtra, match=r"tensorboard is not installed.*rtdecode\[track\]"):
        open_sinks(tmp_path, {}, tensorboard=True)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match="wandb"):
        open_sinks(tmp_path, {}, wandb="project")
    assert open_sinks(tmp_path, {}) == []
    assert not list(tmp_path.iterdir())


def test_tensorboard_files_hold_the_metrics(tmp_path):
    pytest.importorskip("tensorboard", reason="the tensorboard package is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "a"
    fit(Toy(), loop(), out, run={"config": {}}, sinks=[TensorBoard(out / "tensorboard")])
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("valid/loss")] == [4, 8, 12]
    assert [e.step for e in events.Scalars("train/loss")] == [3, 4, 6, 8, 9, 12]


class FakeWandb(types.ModuleType):
    """Keeps what would be sent."""

    def __init__(self):
        super().__init__("wandb")
        self.opened, self.logged, self.finished = [], [], 0

    def init(self, **options):
        self.opened.append(options)
        return self

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished += 1


def test_wandb_is_opened_late_and_goes_on_in_the_same_run(tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    out, run = tmp_path / "a", {"config": {"name": "toy"}}
    broken = Toy()
    broken.fail_at = 6
    with pytest.raises(RuntimeError):
        fit(broken, loop(), out, run=run, sinks=open_sinks(out, run, wandb="project"))
    with pytest.raises(TrainingError, match="already"):
        fit(Toy(), loop(), out, run=run, sinks=open_sinks(out, run, wandb="project"))
    assert len(fake.opened) == 1  # a refused run says nothing to the world
    fit(Toy(), loop(), out, run=run, resume=True, sinks=open_sinks(out, run, wandb="project"))
    first, second = fake.opened
    assert first["id"] == second["id"] and first["project"] == "project" and first["config"] == run
    assert fake.logged[-1][0] == 12 and "valid/loss" in fake.logged[-1][1]
    assert fake.finished == 2


def test_wandb_that_refuses_is_one_sentence(tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)

    def refuse(**options):
        raise ValueError("no API key\nlong story")

    fake.init = refuse
    sink = WandB(tmp_path, "project", {})
    with pytest.raises(TrainingError, match=r"W&B does not open the run: no API key \("):
        sink.write("train", 1, {"loss": 1.0})


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_lines_in_a_log_and_a_bar_on_a_terminal():
    log, terminal = io.StringIO(), Terminal()
    for stream in (log, terminal):
        with TrainingBar(stream) as bar:
            bar(line())
            bar(line(step=100, valid={"top10": 0.5, "top10_chance": 0.1}))
    assert log.getvalue().splitlines() == [str(line(step=100, valid={"top10": 0.5, "top10_chance": 0.1}))]
    shown = terminal.getvalue()
    assert "100/100" in shown and "4% waiting" in shown and "chance 10.0%" in shown
