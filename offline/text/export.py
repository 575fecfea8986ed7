"""A run of the text recipe becomes a bundle: one day folded in, step graph, golden output, lexicon, language
model.

Written beside its destination and moved there whole. What a stream must bring is what the study was prepared
to: binned features under the study's labels. Knows nothing of training.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.text import TextNet, describe_text
from offline.disk import whole_folder
from offline.graphs import write_graph
from offline.intracortical.store import TrialStudy
from offline.text.checkpoint import Checkpoint, load_checkpoint
from offline.text.decode import open_lexicon, readable
from offline.text.language import load_search, open_lm
from rtdecode.bundle import SCHEMA, Bundle, BundleSpec, ModelSpec, Score, Training, load_bundle, seal
from rtdecode.contract import Contract
from rtdecode.engines import open_session
from rtdecode.errors import BundleError, StudyError
from rtdecode.preprocess import PreprocessSpec
from rtdecode.text.arpa import write_arpa
from rtdecode.text.commit import CommitSpec
from rtdecode.text.endpoint import EndpointSpec
from rtdecode.text.lexicon import Lexicon
from rtdecode.transcribe import TextSpec

LM, LEXICON = "lm.arpa", "lexicon.txt"
GOLDEN_STEPS = 24
CLAMP = 20.0  # z-scores beyond this are no spikes


@dataclasses.dataclass(frozen=True)
class ExportSpec:
    """day          whose layer is folded in, "" = the last one trained on
    lexicon, lm  files, "" none; lm "train": estimated from the training sentences
    hop_frames   output frames per step
    adapt_s      time constant of the live decoder's scaler, for streams of counts that nobody normalised; 0
                 = the stream is normalised as the study was
    commit, endpoint   of the live decoder;  endpoint None: sentences end when somebody says so
    """

    day: str = ""
    lexicon: str = ""
    lm: str = ""
    hop_frames: int = 1
    adapt_s: float = 0.0
    commit: CommitSpec = dataclasses.field(default_factory=CommitSpec)
    endpoint: EndpointSpec | None = dataclasses.field(default_factory=EndpointSpec)


class StepGraph(nn.Module):
    """The exported signature: x (1, size, C) and state_0.. -> log_probs, then next_0.. ."""

    def __init__(self, net: TextNet):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        out, following = self.net.step(x, list(states))
        return (*(out[name] for name in self.net.outputs), *following)


def export_text(
    run: str | Path,
    study: TrialStudy,
    out: str | Path,
    spec: ExportSpec | None = None,
    scores: Sequence[Score] = (),
) -> Bundle:
    """Make the bundle. Raises BundleError when `out` exists, the model cannot run in steps, or ONNX Runtime
    disagrees with torch; StudyError for a day that was not trained on; ConfigError for a lexicon or model
    that does not fit.
    """
    out, ready, spec = Path(out), load_checkpoint(run), spec or ExportSpec()
    ready.check(study)
    if not ready.net.streams:
        raise BundleError(
            f"{ready.path} needs the whole sentence and cannot run in steps",
            hint="train a causal model (text-transformer, text-gru), or --set model.transfer.context=50",
        )
    if out.exists():
        raise BundleError(f"{out} exists", hint="choose another directory or remove it")
    with whole_folder(out) as work:
        bundle = _write(work, ready, study, spec, scores)
    return dataclasses.replace(bundle, path=out)


def _write(
    work: Path, ready: Checkpoint, study: TrialStudy, spec: ExportSpec, scores: Sequence[Score]
) -> Bundle:
    day = spec.day or ready.days[-1]
    row = ready.row(day)
    net = ready.net.folded(row if ready.net.n_days else None)
    hop = spec.hop_frames * net.stride * net.block
    states = net.initial_state(1)
    write_graph(
        StepGraph(net),
        (torch.zeros(1, hop, len(ready.labels)), *states),
        ["x", *(f"state_{i}" for i in range(len(states)))],
        [*net.outputs, *(f"next_{i}" for i in range(len(states)))],
        work / "model.onnx",
    )
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, work / "weights.safetensors")
    np.savez(work / "golden.npz", allow_pickle=False, **golden(net, _sample(study, day, hop)))
    lexicon = open_lexicon(spec.lexicon, ready.symbols) if spec.lexicon else None
    if lexicon is not None:
        write_lexicon(work / LEXICON, lexicon)
    lm = open_lm(spec.lm, study, ready.days, lexicon) if spec.lm else None
    if lm is not None:
        write_arpa(lm, work / LM)
    seal(work, _spec(ready, study.unit, day, net, hop, spec, scores))
    bundle = load_bundle(work)
    open_session(bundle, "onnx")  # refuses when ONNX Runtime and torch disagree
    return bundle


def _spec(
    ready: Checkpoint,
    unit: str,
    day: str,
    net: TextNet,
    hop: int,
    spec: ExportSpec,
    scores: Sequence[Score],
) -> BundleSpec:
    sfreq, channels = round(1 / ready.bin_s, 6), len(ready.labels)
    simulated = "simulated" in ready.study
    hours = float(ready.run["data"]["hours"])
    note = (
        f"{'simulated' if simulated else 'recorded'} speech; {len(ready.days)} days, {hours:.2f} h, "
        f"{ready.run['data']['train']['trials']} training sentences; {ready.step} updates; "
        f"features normalised: {ready.config.data.norm}"
    )
    return BundleSpec(
        SCHEMA,
        ready.config.name,
        Contract(ready.labels, "counts" if spec.adapt_s else unit, sfreq),
        PreprocessSpec(
            sfreq, sfreq, 0.0, 0.0, 2, (0.0,) * channels, (1.0,) * channels, CLAMP, adapt_s=spec.adapt_s
        ),
        ModelSpec("step", hop, hop, net.stride, describe_text(net)),
        None,
        _text(ready, net, spec),
        Training(
            ready.study, day, round(hours, 4), note, ready.licence, 0.0 if simulated else None, tuple(scores)
        ),
    )


def _text(ready: Checkpoint, net: TextNet, spec: ExportSpec) -> TextSpec:
    """The head: alphabet in lower case, and how it is read. Phonemes without a lexicon are read greedily."""
    searched = bool(spec.lexicon or spec.lm or ready.symbols.spelled)
    return TextSpec(
        readable(ready.symbols).names,
        load_search(ready.path) if searched else None,
        spec.commit,
        spec.endpoint,
        LM if spec.lm else "",
        LEXICON if spec.lexicon else "",
        net.lag,
    )


def _sample(study: TrialStudy, day: str, hop: int) -> np.ndarray:
    """(steps, hop, C) of the day's first trials. StudyError when it has too little."""
    whole = np.array(study.day_features(day)[: GOLDEN_STEPS * hop], np.float32)
    steps = len(whole) // hop
    if not steps:
        raise StudyError(f"the day {day} has {len(whole)} bins, a step takes {hop}")
    return np.ascontiguousarray(whole[: steps * hop].reshape(steps, hop, -1))


@torch.no_grad()
def golden(net: TextNet, x: np.ndarray) -> dict[str, np.ndarray]:
    """x (steps, size, C) and the outputs of the torch reference when fed step by step from reset."""
    state, parts = net.initial_state(1), []
    for piece in x:
        out, state = net.step(torch.from_numpy(piece)[None], state)
        parts.append(out)
    return {"x": x, **{name: torch.cat([p[name][0] for p in parts]).numpy() for name in net.outputs}}


def write_lexicon(path: Path, lexicon: Lexicon) -> None:
    """One pronunciation a line, "word symbol symbol ...", in an order that does not depend on how it was
    built.
    """
    symbols, width = lexicon.symbols, len(lexicon.symbols)
    reached = {node: key % width for key, node in lexicon.arcs.items()}
    lines = []
    for end, words in lexicon.ends.items():
        names, node = [], end
        while node:
            names.append(symbols.names[reached[node]])
            node = lexicon.parents[node]
        lines += [f"{lexicon.words[word]} {' '.join(reversed(names))}" for word in words]
    path.write_text("\n".join(sorted(lines)) + "\n", "utf-8")
