"""KenLM, through flashlight-text: the scores ours must equal."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest


class KenLM:
    """Scores of a file. Only the words it is told of can be asked for (they need not be in the file)."""

    def __init__(self, path: Path, words: Iterable[str]):
        decoder = pytest.importorskip(
            "flashlight.lib.text.decoder.kenlm",
            reason="flashlight-text, which has KenLM in it, is not installed",
        )
        dictionary = pytest.importorskip("flashlight.lib.text.dictionary").Dictionary
        self._words = dictionary()
        for word in sorted({"<unk>", *words}):
            self._words.add_entry(word)
        self._words.set_default_index(self._words.get_index("<unk>"))
        self._model = decoder.KenLM(str(path), self._words)

    def scores(self, words: Sequence[str], start: bool = True) -> list[float]:
        """log10 of each word, and of the end of the sentence."""
        state, scores = self._model.start(not start), []
        for word in words:
            state, score = self._model.score(state, self._words.get_index(word))
            scores.append(score)
        return [*scores, self._model.finish(state)[1]]
