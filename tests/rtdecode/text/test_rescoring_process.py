"""A session with a language model beside it: corrections, its death, and a log that decodes the same."""

import importlib.util
import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from rtdecode.bundle import load_bundle, seal
from rtdecode.commands.review import run_review
from rtdecode.session.reader import SessionLog
from rtdecode.text.commit import CommitSpec
from rtdecode.text.endpoint import EndpointSpec
from rtdecode.text.rescore import RescoreSpec
from rtdecode.text.search import SearchSpec
from tests.bundles import make_bundle
from tests.processes import left_after, live, outlet, unique_name

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="needs transformers"),
]
WIDTH, LONGEST = 8, 64


def tiny_lm(folder: Path) -> Path:
    """A GPT-2 of one layer with random weights that reads letters; written without torch."""
    from safetensors.numpy import save_file
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    folder.mkdir()
    table = {letter: i for i, letter in enumerate(["<s>", "<unk>", " ", "a", "b", "c"])}
    tokenizer = Tokenizer(models.WordLevel(table, unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    sizes = {"vocab_size": len(table), "n_positions": LONGEST, "n_embd": WIDTH, "n_layer": 1, "n_head": 2}
    config = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "bos_token_id": 0}
    (folder / "config.json").write_text(json.dumps({**config, **sizes}))
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (len(table), WIDTH), "wpe.weight": (LONGEST, WIDTH)}
    for name, rows, columns in (
        ("attn.c_attn", WIDTH, 3 * WIDTH), ("attn.c_proj", WIDTH, WIDTH),
        ("mlp.c_fc", WIDTH, 4 * WIDTH), ("mlp.c_proj", 4 * WIDTH, WIDTH),
    ):  # fmt: skip
        shapes |= {f"h.0.{name}.weight": (rows, columns), f"h.0.{name}.bias": (columns,)}
    for name in ("h.0.ln_1", "h.0.ln_2", "ln_f"):
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    rng = np.random.default_rng(0)
    weights = {f"transformer.{name}": rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def speaking(folder: Path) -> Path:
    """A bundle whose sentences end every second, and whose language model has the only word."""
    made = make_bundle(folder)
    assert made.spec.text
    text = replace(
        made.spec.text,
        search=SearchSpec(beam=16),
        commit=CommitSpec(age_s=5.0),
        endpoint=EndpointSpec(longest_s=1.0),
        rescore=RescoreSpec(acoustic_scale=1e-6, alpha=1.0),
    )
    seal(folder, replace(made.spec, text=text))
    return load_bundle(folder).path


def test_corrections_are_events_and_the_models_death_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, model, name = speaking(tmp_path / "bundle"), tiny_lm(tmp_path / "lm"), unique_name()
    options = ("--rescore", str(model), "--rescore-deadline", "30", "--allow-corrections", "--wait", "15")
    with (
        outlet(tmp_path, name, loop=True, seconds=20.0),
        live(tmp_path, bundle, name, *options, "--record", "log") as session,
    ):
        session.wait_for(lambda c: c.said("≈ corrected: “") >= 2, 60)
        processes = psutil.Process(session.process.pid).children(recursive=True)
        worker = max(processes, key=lambda process: process.nice())
        held = {process.pid: torch_in(process) for process in processes}
        assert [pid for pid, torch in held.items() if torch] == [worker.pid]
        worker.kill()
        session.wait_for(lambda c: c.said("rescoring by lm is over: its process ended"))
        decided = len(session.out)
        session.wait_for(lambda c: len(c.out) > decided + 20)
        session.process.send_signal(signal.SIGINT)
        assert session.end() == 0, session.err
    assert left_after(processes) == []
    assert session.said("rtdecode: rescored by lm: ") == 1
    assert session.said("error") == 1 and session.said("leaked") == 0

    log = SessionLog(tmp_path / "log")
    (tally,) = [line["rescored"] for line in log.lines("event") if "rescored" in line]
    found = [line["correction"] for line in log.lines("event") if "correction" in line]
    said = "".join(line["text"]["delta"] for line in log.lines("decision"))
    assert tally["corrected"] == len(found) >= 2 and tally["unasked"] >= 1 and tally["late"] == 0
    assert [one["utterance"] for one in found] == sorted({one["utterance"] for one in found})
    for one in found:
        assert one["said"] != one["now"] and one["said"] in said and one["model"] == "lm" and not one["late"]
    assert all(not line["text"]["corrected"] for line in log.lines("decision"))
    assert json.loads((tmp_path / "log" / "session.json").read_text())["config"]["rescore"] == str(model)
    assert run_review(tmp_path / "log", redecode=True) == 0
    told = capsys.readouterr().out
    assert f"corrections by a language model: {len(found)}, not compared" in told


def torch_in(process: psutil.Process) -> bool:
    return any("libtorch" in mapped.path for mapped in process.memory_maps())
