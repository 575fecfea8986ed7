"""How good a run of the text recipe is: greedy, beam, beam + language model side by side, on days known and
unseen.

All decoders read the same log-probabilities. A day the run was not trained on is refused unless it is told
how to start; then it is judged as it starts, and after learning from its first minutes, on the same
sentences. Writes nothing, prints nothing.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from offline.intracortical.store import TrialStudy
from offline.intracortical.trials import plain_text
from offline.text.adapt import AdaptSpec, adapt, known_minutes, with_new_day
from offline.text.batches import Example
from offline.text.causal_lm import CausalLM
from offline.text.checkpoint import Checkpoint, load_checkpoint
from offline.text.decode import Reading, Spoken, open_lexicon, read_beam, read_greedy, spoken
from offline.text.examples import examples_of, reader
from offline.text.judge import Judged, day_lines, judge, table
from offline.text.language import load_search, open_lm, save_search, tune
from offline.text.others import read_flashlight, read_pyctc, read_rescored
from offline.text.streamed import read_streamed
from rtdecode.errors import StudyError
from rtdecode.text.commit import CommitSpec
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.search import SearchSpec


@dataclass(frozen=True)
class Asked:
    """What is to be judged, and by what.

    split     "test" or "valid";  days  none named: all of the study that have such trials and the run knows,
              and the unseen ones too when `new_day` says how they start
    lexicon, lm   files, "" none; lm "train": estimated from the run's own training sentences
    beam      prefixes kept; None: as chosen for the run
    tune      choose the search's weights on the run's validation trials first, and keep them beside the run
    new_day   how an unseen day starts: "last", "mean", "" = it is refused
    minutes   that it then learns from, beside being judged as it starts; 0 = none
    flashlight, pyctcdecode   other decoders beside ours; the second by the Python that has it
    llm, context, deadline_s   a causal language model (id or folder) that orders the best sentences anew,
              what is said before each, and how long it may take
    """

    split: str = "test"
    days: tuple[str, ...] = ()
    lexicon: str = ""
    lm: str = ""
    beam: int | None = None
    tune: bool = False
    new_day: str = ""
    minutes: float = 0.0
    flashlight: bool = False
    pyctcdecode: str = ""
    llm: str = ""
    context: str = ""
    deadline_s: float = 5.0


@dataclass(frozen=True)
class Evaluation:
    """known: the decoders on days of the run, and as it is done live;  streaming: delays and revisions of
    that

    unseen: by day, each as it starts and adapted

    repeated  how many of the judged sentences were trained on too;  broken  trials whose log-probabilities
              held what
    is no number
    """

    unit: str
    split: str
    n: int
    repeated: int
    broken: tuple[str, ...]
    search: SearchSpec
    known: tuple[Judged, ...]
    streaming: str
    unseen: tuple[tuple[str, str, tuple[Judged, ...]], ...]

    def lines(self) -> list[str]:
        """For people."""
        out = [f"{self.split}: {self.n} sentences, {self.repeated} of them also among the training sentences"]
        if self.broken:
            out.append(
                f"not numbers, counted as unread: {', '.join(self.broken[:8])} ({len(self.broken)} in all)"
            )
        out += table(self.known, self.unit)
        if self.streaming:
            out.append(self.streaming)
        for row in self.known:
            if row.name in ("greedy", "beam + LM"):
                out += day_lines(row)
        for day, how, rows in self.unseen:
            out.append(f"{day}, not trained on, {how}:")
            out += [f"  {line}" for line in table(rows, self.unit)]
        return out


def evaluate_run(
    run: str | Path, study: TrialStudy, asked: Asked, progress: Callable[[str], None] | None = None
) -> Evaluation:
    """Judge a run on a prepared study. Raises StudyError for a day without a start, channels or a preparation
    that are not the run's, no trial to judge; ConfigError for a lexicon or model that does not fit.
    """
    ready = load_checkpoint(run)
    ready.check(study)
    with_text = {t.day for t in study.of(asked.split, asked.days) if t.text}
    wanted = asked.days or tuple(day.name for day in study.days if day.name in with_text)
    unseen = tuple(day for day in wanted if day not in ready.days)
    if unseen and not asked.new_day:
        if asked.days:
            ready.row(unseen[0])  # says which days there are, and what to do
        wanted, unseen = tuple(day for day in wanted if day in ready.days), ()
    known = tuple(day for day in wanted if day in ready.days)
    lexicon = open_lexicon(asked.lexicon, ready.symbols) if asked.lexicon else None
    lm = open_lm(asked.lm, study, ready.days, lexicon) if asked.lm else None
    judge_by = _Decoders(ready, study, lexicon, lm, load_search(ready.path, asked.beam))
    if asked.tune and lm is not None:
        judge_by.choose(progress)
    examples = examples_of(study, asked.split, known, ready.symbols, rows=ready.days)
    rows: tuple[Judged, ...] = ()
    streaming = ""
    broken: tuple[str, ...] = ()
    if examples:
        said = judge_by.said(examples)
        rows, broken = judge_by.rows(said), tuple(one.example.name for one in said if one.broken)
        live, streaming = judge_by.live(said)
        rows += live + judge_by.others(said, asked)
    others = []
    for day in unseen:
        others += judge_by.unseen(day, asked, progress)
    if not rows and not others:
        raise StudyError(
            f"{study.name} has no {asked.split} sentence of a day that {ready.path} knows",
            hint="name another --split, or say how an unseen day starts: --new-day last",
        )
    trained = {plain_text(t.text) for t in study.trials if t.split == "train" and t.day in ready.days}
    repeated = sum(example.text in trained for example in examples)
    return Evaluation(
        judge_by.unit,
        asked.split,
        len(examples),
        repeated,
        broken,
        judge_by.spec,
        rows,
        streaming,
        tuple(others),
    )


class _Decoders:
    """One run and what its output is read with."""

    def __init__(
        self,
        ready: Checkpoint,
        study: TrialStudy,
        lexicon: Lexicon | None,
        lm: NGram | None,
        spec: SearchSpec,
    ):
        self.ready, self.study, self.lexicon, self.lm, self.spec = ready, study, lexicon, lm, spec
        self.unit = "CER" if ready.symbols.spelled else "PER"
        self._features = reader(study)

    def said(self, examples: Sequence[Example]) -> tuple[Spoken, ...]:
        return spoken(self.ready.net, examples, self._features, days=bool(self.ready.net.n_days))

    def choose(self, progress: Callable[[str], None] | None) -> None:
        """Weights of the search, by validation trials; kept beside the run."""
        assert self.lm is not None
        valid = examples_of(self.study, "valid", self.ready.days, self.ready.symbols)
        said = self.said([example for example in valid if example.target])
        self.spec = tune(said, self.ready.symbols, self.spec, self.lm, self.lexicon, progress)
        save_search(self.ready.path, self.spec)

    def readings(self, said: Sequence[Spoken]) -> list[Reading]:
        symbols, lexicon = self.ready.symbols, self.lexicon
        found = [
            read_greedy(said, symbols, lexicon),
            read_beam(said, symbols, replace(self.spec, beta=0.0), None, lexicon),
        ]
        if self.lm is not None:
            found.append(read_beam(said, symbols, self.spec, self.lm, lexicon))
        return found

    def rows(self, said: Sequence[Spoken]) -> tuple[Judged, ...]:
        examples = [one.example for one in said]
        return tuple(judge(reading, examples) for reading in self.readings(said))

    def live(self, said: Sequence[Spoken]) -> tuple[tuple[Judged, ...], str]:
        """What was committed before the end, and what was said after it; where the model streams and says
        words.
        """
        ready, lexicon = self.ready, self.lexicon
        if not ready.net.streams or not (lexicon or ready.symbols.spelled):
            return (), ""
        frame_s = ready.net.stride * ready.bin_s
        found = read_streamed(said, ready.symbols, self.spec, CommitSpec(), frame_s, self.lm, lexicon)
        examples = [one.example for one in said]
        return (judge(found.committed, examples), judge(found.final, examples)), found.line()

    def others(self, said: Sequence[Spoken], asked: Asked) -> tuple[Judged, ...]:
        """What was asked for beside our own search."""
        symbols, lm, lexicon, found = self.ready.symbols, self.lm, self.lexicon, []
        if asked.flashlight:
            found.append(read_flashlight(said, symbols, self.spec, lm, lexicon))
        if asked.pyctcdecode:
            found.append(read_pyctc(said, symbols, self.spec, lm, asked.pyctcdecode))
        if asked.llm:
            score = CausalLM(asked.llm, context=asked.context).score
            found.append(read_rescored(said, symbols, self.spec, lm, lexicon, score, asked.deadline_s))
        return tuple(judge(reading, [one.example for one in said]) for reading in found)

    def unseen(
        self, day: str, asked: Asked, progress: Callable[[str], None] | None
    ) -> list[tuple[str, str, tuple[Judged, ...]]]:
        """A day as it starts and, where minutes are given, adapted; both on the sentences it did not learn
        from.
        """
        symbols = self.ready.symbols
        own = examples_of(self.study, "train", (day,), symbols)
        rest = examples_of(self.study, asked.split, (day,), symbols)
        if not rest:
            return []
        learned: tuple[Example, ...] = ()
        if asked.minutes:
            pool = own or rest
            learned = known_minutes((*pool, *rest) if own else pool, self.study.bin_s, asked.minutes)
            rest = tuple(example for example in rest if example not in learned)
        net, row = with_new_day(self.ready, asked.new_day)
        judged = [replace(example, day=row) for example in rest]
        layers = bool(net.n_days)
        said = spoken(net, judged, self._features, days=layers)
        start = f"starting as {asked.new_day}" if layers else "as it is"
        found = [(day, start, self.rows(said))]
        if learned:
            minutes = sum(e.n_bins for e in learned) * self.study.bin_s / 60
            if progress:
                progress(f"{day}: learning from {len(learned)} sentences, {minutes:.1f} min")
            with tempfile.TemporaryDirectory() as work:
                spec = AdaptSpec(minutes=asked.minutes)
                new = adapt(net, row, self.ready, learned, self._features, spec, Path(work) / "run")
            said = spoken(new, judged, self._features, days=layers)
            what = "day layer" if layers else "gains and offsets"
            how = f"{start}, {what} adapted on {len(learned)} sentences ({minutes:.1f} min)"
            found.append((day, how, self.rows(said)))
        return found
