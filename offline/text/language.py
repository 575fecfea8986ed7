"""The language model and the lexicon that text is decoded with, and how much they weigh.

A model is an ARPA file, or estimated from the sentences a run was trained on (never from those it is judged
by). The weights of a search are chosen on validation trials and kept beside the run. Knows no audio, no
brain.
"""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from offline.intracortical.store import TrialStudy
from offline.intracortical.trials import plain_text
from offline.loop.checkpointing import write_json
from offline.text.decode import Spoken, read_beam
from offline.text.judge import judge
from rtdecode.config import from_json, to_json
from rtdecode.errors import ConfigError, TrainingError
from rtdecode.text.arpa import read_arpa
from rtdecode.text.estimate import estimate
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import Symbols

SEARCH = "search.json"
FROM_TRAINING = "train"
ORDER = 3
# the defaults come first: among equals they stay
ALPHAS, BETAS, PENALTIES = (1.0, 0.7, 1.5, 0.4), (0.0, 1.0, 2.0), (0.0, math.log(2), math.log(7))


def open_lm(
    source: str, study: TrialStudy, days: Sequence[str], lexicon: Lexicon | None, order: int = ORDER
) -> NGram:
    """source: an ARPA file (.gz too), or "train": estimated from the training sentences of `days`.

    Raises ConfigError as `read_arpa`; StudyError when there is no training sentence.
    """
    if source != FROM_TRAINING:
        return read_arpa(Path(source))
    wanted = set(days)
    texts = [plain_text(t.text) for t in study.trials if t.split == "train" and t.day in wanted]
    return estimate(
        [text for text in texts if text], order, vocabulary=None if lexicon is None else _all(lexicon, texts)
    )


def _all(lexicon: Lexicon, texts: Sequence[str]) -> list[str]:
    """Words of the lexicon, and those of the texts beside it."""
    return list(dict.fromkeys([*lexicon.words, *(word for text in texts for word in text.split())]))


def tune(
    said: Sequence[Spoken],
    symbols: Symbols,
    start: SearchSpec,
    lm: NGram,
    lexicon: Lexicon | None,
    progress: Callable[[str], None] | None = None,
) -> SearchSpec:
    """The weights with the fewest wrong words on these (validation) trials: model and word bonus together,
    then the blank's penalty. The first of equals. Raises TrainingError without a trial.
    """
    if not said:
        raise TrainingError(
            "there is no validation trial to choose the search's weights by",
            hint="prepare the study with the split rule 'dev'",
        )
    examples = [one.example for one in said]

    def wrong(spec: SearchSpec) -> float:
        words = judge(read_beam(said, symbols, spec, lm, lexicon), examples).words
        assert words is not None
        if progress:
            progress(
                f"alpha {spec.alpha:g}, beta {spec.beta:g}, blank penalty {spec.blank_penalty:.2f}: "
                f"WER {words}"
            )
        return words.value

    pairs = [replace(start, alpha=a, beta=b) for a, b in itertools.product(ALPHAS, BETAS)]
    best = min(pairs, key=wrong)
    return min((replace(best, blank_penalty=nats) for nats in PENALTIES), key=wrong)


def save_search(run: Path, spec: SearchSpec) -> None:
    """Beside the run. Raises TrainingError for a full disk."""
    write_json(run / SEARCH, to_json(spec))


def load_search(run: Path, beam: int | None = None) -> SearchSpec:
    """What was chosen for this run, else the defaults. beam: instead of the one kept there."""
    spec = SearchSpec()
    if (run / SEARCH).exists():
        try:
            data = json.loads((run / SEARCH).read_text("utf-8"))
        except (OSError, ValueError) as problem:
            raise ConfigError(f"cannot read {run / SEARCH}: {problem}") from problem
        spec = from_json(SearchSpec, data, str(run / SEARCH))
    return spec if beam is None else replace(spec, beam=beam)
