"""Results as LSL streams: a real inlet receives them, stamped with the decision's own time.

Why it matters: whoever closes a loop on the decoder reads these and nothing else.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import LSL_CONFIG, ROOT, unique_name

pytestmark = pytest.mark.live

# pushes and pulls in one process, so that both can be compared; its own, so that LSL stays on this machine
SCRIPT = """
import json, os, sys
import pylsl
from rtdecode.outlets import SCORES, Outlets
from rtdecode.types import Decision, Hit, Hypothesis, Retrieved

prefix = sys.argv[1]
outlets = Outlets(prefix)
inlets = {}
for kind in ("retrieved", "scores", "text"):
    (info,) = pylsl.resolve_byprop("name", f"{prefix}-{kind}", timeout=10)
    inlets[kind] = pylsl.StreamInlet(info, recover=False)
    inlets[kind].open_stream(10)
hits = tuple(Hit(k, f"c{k}", "fox é", "s", 1.0, 0.5 - k / 10, 0.4 - k / 10) for k in range(3))
retrieved = Retrieved(hits, 50, 1.5)
for index in range(4):
    said = "" if index == 1 else f"w{index} "
    text = Hypothesis("x" * (index + 1), "t", said)
    ranking = None if index == 2 else retrieved
    outlets.decided(Decision(index, 2, 10 * index, 100.0 + index, ranking, text), 5.0)
before = pylsl.local_clock()
outlets.decided(Decision(4, 2, 40, 104.0, retrieved, Hypothesis("x", "", "")), None)
found = {"channels": [], "ids": []}
for kind, count in (("retrieved", 4), ("scores", 4), ("text", 3)):
    inlet = inlets[kind]
    samples = [inlet.pull_sample(10) for _ in range(count)]
    samples = [[value, stamp - before if abs(stamp - before) < 60 else stamp] for value, stamp in samples]
    found[kind] = samples
    found["ids"].append(inlet.info(5).source_id())
    found[kind + "_more"] = inlet.samples_available()
found["channels"] = inlets["scores"].info(5).get_channel_labels()
found["rate"] = inlets["scores"].info(5).nominal_srate()
print(json.dumps(found), flush=True)
os._exit(0)
"""


def test_an_inlet_receives_what_was_decided(tmp_path: Path) -> None:
    config = tmp_path / "lsl_api.cfg"
    config.write_text(LSL_CONFIG)
    prefix = unique_name()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, prefix],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "LSLAPICFG": str(config)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    rankings = [json.loads(value[0]) for value, _ in found["retrieved"]]
    assert [ranking["index"] for ranking in rankings] == [0, 1, 3, 4]
    assert rankings[0]["hits"][0] == {"id": "c0", "text": "fox é", "source": "s", "score": 0.5, "prob": 0.4}
    assert rankings[0]["chance"] == 1 / 50
    stamps = [stamp for _, stamp in found["retrieved"]]
    assert stamps[:3] == [105.0, 106.0, 108.0]  # the decision's own time, on our clock
    assert 0 <= stamps[3] < 5  # clocks never compared: the present

    assert found["channels"] == [
        "index",
        "run",
        "sample",
        "top1_prob",
        "top1_score",
        "margin",
        "chance",
        "candidates",
    ]
    assert found["rate"] == 0.0
    assert found["scores"][2][0] == pytest.approx([3, 2, 30, 0.4, 0.5, 0.1, 0.02, 50])
    assert [stamp for _, stamp in found["scores"]][:3] == stamps[:3]

    texts = [json.loads(value[0]) for value, _ in found["text"]]
    assert [(text["seq"], text["delta"], text["index"]) for text in texts] == [
        (0, "w0 ", 0),
        (1, "w2 ", 2),
        (2, "w3 ", 3),
    ]
    assert [found[f"{kind}_more"] for kind in ("retrieved", "scores", "text")] == [0, 0, 0]
    assert all(prefix in ident for ident in found["ids"])
    assert len(set(found["ids"])) == 3
