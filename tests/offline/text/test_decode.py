"""From log-probabilities to words: greedy, searched, streamed; trials that are not numbers are marked."""

import numpy as np
import pytest

from offline.text.batches import Example
from offline.text.decode import (
    Spoken,
    open_lexicon,
    read_beam,
    read_greedy,
    readable,
    spelled,
    words_of,
)
from offline.text.judge import judge, table
from offline.text.language import load_search, open_lm, save_search, tune
from offline.text.streamed import read_streamed
from rtdecode.errors import ConfigError, TrainingError
from rtdecode.text.commit import CommitSpec
from rtdecode.text.estimate import estimate
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import CHARACTERS, PHONEMES, W2V_CHARACTERS
from tests.offline.text import tiny

LEXICON = Lexicon(PHONEMES, [(word, PHONEMES.encode(path)) for word, path in tiny.WORDS.items()])


def said(names, text, sharp=4.0, name="d1/test-01-000", symbols=PHONEMES):
    """Log-probabilities that say these symbols, a blank between."""
    ids = symbols.encode(names)
    frames = [0] + [i for symbol in ids for i in (symbol, 0)]
    logits = np.eye(len(symbols), dtype=np.float32)[frames] * sharp
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return Spoken(Example(name, 0, 0, 4 * len(frames), text, ids), log_probs.astype(np.float32), False)


def test_phonemes_become_words_where_the_lexicon_has_them():
    ids = PHONEMES.encode("G OW SIL AA AA SIL K IY SIL")
    assert words_of(ids, PHONEMES, LEXICON) == "go ? key"
    assert words_of(CHARACTERS.encode(" two  words"), CHARACTERS) == "two words"
    # a word that nobody has written down counts as missing
    unread = said("AA AA SIL", "go")
    found = judge(read_greedy([unread], PHONEMES, LEXICON), [unread.example])
    assert found.words.errors.deletions == 1


def test_capital_letters_read_as_small_ones_number_by_number():
    table_ = readable(W2V_CHARACTERS)
    assert table_.names[5] == "e" and table_.names[:4] == W2V_CHARACTERS.names[:4]
    reading = read_greedy([said("GO ON", "go on", symbols=W2V_CHARACTERS)], W2V_CHARACTERS)
    assert reading.texts == ("go on",)
    words = spelled(["go", "on", "well-known", "été"], W2V_CHARACTERS)
    assert words.words == ["go", "on", "well-known"]
    assert words.find(table_.encode("wellknown")) == ("well-known",)


def test_a_search_with_words_corrects_what_greedy_misreads():
    right = said("G OW SIL S IY SIL", "go see")
    wrong = right.log_probs.copy()
    frame = 1 + 2 * 4  # of IY
    wrong[frame, [PHONEMES.index("IY"), PHONEMES.index("AA")]] = [-1.0, -0.9]
    trial = Spoken(right.example, wrong, False)
    greedy = read_greedy([trial], PHONEMES, LEXICON)
    beam = read_beam([trial], PHONEMES, SearchSpec(), None, LEXICON)
    assert greedy.texts == ("go ?",) and beam.texts == ("go see",)
    free = read_beam([right], PHONEMES, SearchSpec())
    assert free.ids == (right.example.target,) and free.texts is None


def test_a_trial_of_no_numbers_reads_as_nothing_and_the_others_go_on():
    good = said("G OW SIL", "go")
    bad = Spoken(good.example, np.full_like(good.log_probs, np.nan), True)
    lm = estimate(["go see", "go two"], 2, "witten-bell")
    for reading in (
        read_greedy([bad, good], PHONEMES, LEXICON),
        read_beam([bad, good], PHONEMES, SearchSpec(), None, LEXICON),
        read_streamed([bad, good], PHONEMES, SearchSpec(), CommitSpec(), 0.08, lm, LEXICON).final,
    ):
        assert reading.texts == ("", "go"), reading.name


def test_streamed_text_only_grows_into_the_final_text():
    trials = [said("G OW SIL S IY SIL K IY SIL", "go see key", sharp) for sharp in (3.0, 4.0, 6.0)]
    lm = estimate(["go see key", "go see two", "do key"], 2, "witten-bell")
    found = read_streamed(trials, PHONEMES, SearchSpec(), CommitSpec(age_s=0.1), 0.08, lm, LEXICON)
    for before, after in zip(found.committed.texts, found.final.texts, strict=True):
        assert after.startswith(before) and before
    whole = read_streamed(
        trials, PHONEMES, SearchSpec(), CommitSpec(float("inf"), float("inf")), 0.08, lm, LEXICON
    )
    assert whole.final.texts == read_beam(trials, PHONEMES, SearchSpec(), lm, LEXICON).texts
    assert "words committed" in found.line()


def test_rates_are_of_the_corpus_and_by_day():
    trials = [
        said("G OW SIL", "go", name="d1/test-01-000"),
        said("S IY SIL D UW SIL K IY SIL", "see do go", name="d2/test-01-000"),
    ]
    row = judge(read_greedy(trials, PHONEMES, LEXICON), [t.example for t in trials])
    assert row.symbols.value == 0.0 and row.words.value == pytest.approx(1 / 4)
    assert {day: rate.value for day, rate in row.by_day.items()} == {"d1": 0.0, "d2": pytest.approx(1 / 3)}
    (line,) = table([row], "PER")
    assert "PER 0.0%" in line and "WER 25.0%" in line and "S/D/I 1/0/0 of 4 words, n = 2" in line


def test_weights_of_the_search_are_chosen_and_kept(tmp_path):
    # the model knows that nobody says "two", and the brain is unsure
    trial = said("G OW SIL D UW SIL", "go do")
    wavering = trial.log_probs.copy()
    frame = 1 + 2 * 3
    wavering[frame, [PHONEMES.index("D"), PHONEMES.index("T")]] = [-0.75, -0.65]
    lm = estimate(["go do"] * 9 + ["go see", "key two"], 2, "witten-bell")
    heard = [Spoken(trial.example, wavering, False)]
    start = SearchSpec(alpha=0.0)
    assert read_beam(heard, PHONEMES, start, lm, LEXICON).texts == ("go two",)
    chosen = tune(heard, PHONEMES, start, lm, LEXICON)
    assert chosen.alpha > 0 and read_beam(heard, PHONEMES, chosen, lm, LEXICON).texts == ("go do",)
    save_search(tmp_path, chosen)
    assert load_search(tmp_path) == chosen and load_search(tmp_path, 7).beam == 7
    assert load_search(tmp_path / "other") == SearchSpec()
    with pytest.raises(TrainingError, match="no validation trial"):
        tune([], PHONEMES, start, lm, LEXICON)


def test_a_model_of_words_over_phonemes_wants_a_lexicon():
    with pytest.raises(ConfigError, match="the model says phonemes"):
        read_beam([said("G OW SIL", "go")], PHONEMES, SearchSpec(), estimate(["go"], 1))


def test_a_language_model_of_the_training_sentences_never_sees_the_test():
    study = tiny.study(trials=(("train", 5), ("test", 3)))
    lm = open_lm("train", study, ("d1",), LEXICON)
    said_in_training = {w for t in study.of("train", ("d1",)) for w in t.text.split()}
    assert said_in_training <= set(lm.words) and set(LEXICON.words) <= set(lm.words)
    assert lm.order == 3
    with pytest.raises(ConfigError):
        open_lm("nowhere.arpa", study, ("d1",), LEXICON)


def test_a_lexicon_of_characters_is_its_words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("go G OW\n\nsee S IY\n")
    assert open_lexicon(path, CHARACTERS).words == ["go", "see"]
    assert open_lexicon(path, PHONEMES).find(PHONEMES.encode("G OW")) == ("go",)
    with pytest.raises(ConfigError, match="cannot read the lexicon"):
        open_lexicon(tmp_path / "none.txt", CHARACTERS)
