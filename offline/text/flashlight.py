"""The same search in C++: flashlight-text's lexicon decoder with KenLM, for large lexicons: an extra.

It takes and answers what `rtdecode.text.beam.BeamSearch` does, but for what the library is:

- Only words of a lexicon, each followed by the separator; six homophones at most, the likeliest ones. `best`
  has finished words only, not the one under way.
- The past is forgotten at word ends, but beams that disagree with it live on. So the forgotten words are kept
  here, append-only, and a later best path continues them even where its own past was another.
- Nothing is forgotten while no word ends. So frames in which only blank, or only the separator, goes on are
  left out (exactly so: they move no beam past another). A long noisy silence is held whole: `held` counts its
  frames, and `reset()` at the end of an utterance empties it.

Source: Kahn et al. 2022 (Flashlight), Pratap et al. 2019 (wav2letter++). Knows no seconds, commits nothing.
"""

import math
from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

import numpy as np

from offline.text.flashlight_model import language_model, library, refuse, word_paths
from rtdecode.errors import ConfigError
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.ngram import LN10, NGram
from rtdecode.text.search import Path, SearchSpec, Word
from rtdecode.text.symbols import Symbols

HOMOPHONES = (
    6  # words one pronunciation may have in the library's trie; it drops others with a console message
)
NEVER = np.float32(-1e4)  # log-probability of what is not tried; -inf would make NaN when two are added


class FlashlightSearch:
    """One utterance at a time: push, best, finish, reset.

    notes  what the library cannot do that the lexicon asked for, one sentence each
    """

    def __init__(
        self,
        symbols: Symbols,
        lexicon: Lexicon,
        spec: SearchSpec | None = None,
        lm: NGram | str | File | None = None,
        *,
        keep: int = 100,
        log_add: bool = True,
    ):
        """lm       a model, or a file of one (ARPA, also compressed; or a KenLM binary)
        keep     frames that may still change, at least; what is older is forgotten at the next word end
        log_add  sum over alignments; False takes the likeliest one, which is not exact

        MissingExtra without flashlight-text. ConfigError: another symbol table, a file that cannot be read,
        or a weight the library does not have.
        """
        self.symbols, self.spec, self.keep = symbols, spec or SearchSpec(), keep
        if keep < 1:
            raise ConfigError(f"keep is {keep} frames, 1 at least")
        symbols.check(lexicon.symbols, "the lexicon")
        refuse(self.spec, lm is not None)
        decoder, dictionary = library()
        self._separator = symbols.separator
        self._texts = lexicon.words
        self._lm = language_model(decoder, dictionary, lexicon.words, lm)
        self.notes: list[str] = []
        self._trie = self._build(decoder, lexicon, lm is not None)
        options = decoder.LexiconDecoderOptions(
            self.spec.beam,
            len(symbols),
            self.spec.prune_nats,
            self.spec.alpha * LN10 if lm is not None else 0.0,
            self.spec.beta,
            -math.inf,  # no word outside the lexicon
            0.0,
            log_add,
            decoder.CriterionType.CTC,
        )
        self._decoder = decoder.LexiconDecoder(
            options, self._trie, self._lm, self._separator, 0, -1, [], False
        )
        self.reset()

    def _build(self, decoder: Any, lexicon: Lexicon, scored: bool) -> Any:
        """The library's trie: every path ends with the separator, or a word's last symbol could not last."""
        trie = decoder.Trie(len(self.symbols), self._separator)
        alone = [0.0] * len(lexicon)
        if scored:
            nothing = self._lm.start(True)
            alone = [self._lm.score(nothing, i)[1] for i in range(len(lexicon))]
        look = scored and self.spec.look_ahead
        for node, path in word_paths(lexicon):
            words = sorted(lexicon.ends[node], key=lambda i: -alone[i])
            if len(words) > HOMOPHONES:
                dropped = " ".join(lexicon.words[i] for i in words[HOMOPHONES:])
                self.notes.append(
                    f"{len(words)} words sound as {self.symbols.decode(path)!r}, "
                    f"flashlight takes {HOMOPHONES}: without {dropped}"
                )
            for i in words[:HOMOPHONES]:
                trie.insert([*path, self._separator], i, alone[i] if look else 0.0)
        trie.smear(decoder.SmearingMode.MAX if look else decoder.SmearingMode.NONE)
        return trie

    def reset(self) -> None:
        """Forget everything; the next frame is frame 0 of a new sentence."""
        self.frame, self._open, self._offset, self._alone = 0, True, 0.0, -1
        self._done: list[Word] = []  # words of the forgotten past
        self._frames = [-1, -1]  # frame of each step held: the library's start, the blank it begins with
        self._decoder.decode_begin()
        self._step(self._only(0))

    @property
    def held(self) -> int:
        """Frames the library holds."""
        return len(self._frames) - 2

    def _only(self, symbol: int) -> np.ndarray:
        row = np.full((1, len(self.symbols)), NEVER, np.float32)
        row[0, symbol] = 0.0
        return row

    def _step(self, rows: np.ndarray) -> None:
        assert rows.dtype == np.float32 and rows.flags.c_contiguous  # the library is given an address
        self._decoder.decode_step(rows.ctypes.data, *rows.shape)

    def push(self, log_probs: np.ndarray) -> None:
        """Take (T, V) natural log-probabilities, any T. ValueError, before anything has changed: another
        shape, a frame with NaN, +inf or nothing but -inf; or after finish()."""
        if not self._open:
            raise ValueError("the sentence is finished, reset() begins another")
        if log_probs.ndim != 2 or log_probs.shape[1] != len(self.symbols):
            raise ValueError(
                f"log-probabilities have the shape {log_probs.shape}, for {len(self.symbols)} symbols it is "
                f"(T, {len(self.symbols)})"
            )
        if not len(log_probs):
            return
        wrong = np.flatnonzero(~np.isfinite(log_probs.max(axis=1)))
        if wrong.size:
            best = log_probs[wrong[0]].max()
            raise ValueError(
                f"frame {self.frame + int(wrong[0])} cannot be searched: its best log-probability is {best}"
            )
        rows, taken = self._prepared(log_probs)
        self._frames += (self.frame + taken).tolist()
        self.frame += len(log_probs)
        for start in range(0, len(rows), self.keep):
            self._step(rows[start : start + self.keep])
            self._forget()

    def _prepared(self, log_probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """((n, V) float32 rows for the library, (n,) which frames they are)."""
        spec = self.spec
        lp = np.array(log_probs, np.float64, order="C")
        lp[:, 0] -= spec.blank_penalty
        low = lp < spec.token_floor
        lp *= spec.acoustic_scale
        best = lp.max(axis=1, keepdims=True)
        low |= lp - best < -spec.token_nats
        low &= lp < best
        single = np.count_nonzero(~low, axis=1) == 1
        alone = np.where(single, lp.argmax(axis=1), -1)
        alone[(alone != 0) & (alone != self._separator)] = -1
        again = (alone >= 0) & (alone == np.concatenate([[self._alone], alone[:-1]]))
        self._alone = int(alone[-1])
        self._offset += float(best[again].sum())
        rows = np.where(low, NEVER, np.maximum(lp, NEVER)).astype(np.float32)
        return np.ascontiguousarray(rows[~again]), np.flatnonzero(~again)

    def _forget(self) -> None:
        """Cut the past off at a word end of the best path, and keep its words."""
        if self.held <= 2 * self.keep:
            return
        before = self._decoder.get_best_hypothesis(0)
        self._decoder.prune(self.keep)
        cut = len(before.words) - len(self._decoder.get_best_hypothesis(0).words)
        self._done += self._words(before.words[:cut], before.tokens[:cut])
        del self._frames[:cut]

    def _words(self, words: Sequence[int], tokens: Sequence[int]) -> list[Word]:
        found: list[Word] = []
        letters: list[int] = []  # frames of the word under way
        for place, (word, token) in enumerate(zip(words, tokens, strict=True)):
            if word >= 0:
                found.append(Word(self._texts[word], letters[0], letters[-1] + 1))
                letters = []
            elif token not in (0, self._separator):
                letters.append(self._frames[place])
        return found

    def _path(self, result: Any, share: float) -> Path:
        words = tuple(self._done + self._words(result.words, result.tokens))
        score = result.score + self._offset
        return Path(words, (), " ".join(word.text for word in words), score, result.lmScore, share)

    def best(self) -> Path:
        """The finished words of the heaviest hypothesis; its score is that at the last word end, its share
        NaN.
        """
        return self._path(self._decoder.get_best_hypothesis(0), math.nan)

    def finish(self, n: int = 100) -> list[Path]:
        """The n likeliest sentences if it ends here; then only reset() goes on.

        A word under way is ended if it is one of the lexicon. Scores count from what was last forgotten.
        """
        if not self._open:
            raise ValueError("the sentence is finished, reset() begins another")
        self._open = False
        self._step(self._only(self._separator))
        self._frames += [self.frame, self.frame]
        self._decoder.decode_end()
        found: dict[tuple[str, ...], Path] = {}
        for result in self._decoder.get_all_final_hypothesis():
            path = self._path(result, 0.0)
            said = tuple(word.text for word in path.words)
            if said not in found or found[said].score < path.score:
                found[said] = path
        paths = sorted(found.values(), key=lambda path: -path.score)
        weights = np.exp(np.array([path.score - paths[0].score for path in paths]))
        return [
            Path(path.words, (), path.text, path.score, path.log10, float(weight / weights.sum()))
            for path, weight in zip(paths[:n], weights, strict=False)
        ]
