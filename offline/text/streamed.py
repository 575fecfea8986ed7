"""Decoding as it is done live: words are committed while a sentence goes on, the rest is said at its end.

The same search and the same log-probabilities as the whole-utterance readings, with commit rules on top.
Knows no model and no truth.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from offline.text.decode import Reading, Spoken, readable
from rtdecode.text.beam import BeamSearch
from rtdecode.text.commit import CommitSpec, Committer
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import NGram
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import Symbols


@dataclass(frozen=True)
class Streamed:
    """committed: what had been said when a trial's last frame was in;  final: after its end

    delay_s   median and 90th percentile of seconds from first shown to committed, over words
    revised   shown words that changed, of `shown`
    tail      mean and most words that were shown and not yet committed
    """

    committed: Reading
    final: Reading
    delay_s: tuple[float, float]
    revised: int
    shown: int
    tail: tuple[float, int]

    def line(self) -> str:
        """For people."""
        share = self.revised / max(1, self.shown)
        return (
            f"words committed {self.delay_s[0]:.2f} s after they were shown (90 %: {self.delay_s[1]:.2f} s); "
            f"{self.revised} of {self.shown} shown words changed ({share:.1%}); "
            f"{self.tail[0]:.1f} words open, at most {self.tail[1]}"
        )


def read_streamed(
    said: Sequence[Spoken],
    symbols: Symbols,
    spec: SearchSpec,
    commit: CommitSpec,
    frame_s: float,
    lm: NGram | None = None,
    lexicon: Lexicon | None = None,
) -> Streamed:
    """frame_s: seconds per frame. Raises as `read_beam`."""
    began = time.perf_counter()
    committer = Committer(BeamSearch(readable(symbols), spec, lm, lexicon), commit, frame_s)
    before, after = [], []
    delays: dict[int, int] = {}
    revised = shown = frames = tail_sum = tail_most = 0
    for one in said:
        committer.reset()
        log_probs = one.log_probs[:0] if one.broken else one.log_probs
        before.append(committer.push(log_probs).committed)
        after.append(committer.finish(1).text)
        stats = committer.stats
        for delay, count in stats.delays.items():
            delays[delay] = delays.get(delay, 0) + count
        revised, shown, frames = revised + stats.revised, shown + stats.shown, frames + stats.frames
        tail_sum, tail_most = tail_sum + stats.tail_sum, max(tail_most, stats.tail_most)
    seconds = time.perf_counter() - began
    quantiles = (frame_s * _quantile(delays, 0.5), frame_s * _quantile(delays, 0.9))
    return Streamed(
        Reading("committed before end", None, tuple(before), seconds),
        Reading("streamed, final", None, tuple(after), seconds),
        quantiles,
        revised,
        shown,
        (tail_sum / max(1, frames), tail_most),
    )


def _quantile(counts: dict[int, int], share: float) -> float:
    need, total = share * sum(counts.values()), 0
    for value in sorted(counts):
        total += counts[value]
        if total >= need:
            return float(value)
    return 0.0
