"""ARPA files: scores equal KenLM's, what is written reads back, and no damaged file is read as a model."""

import contextlib
import gzip
import re
import time
from pathlib import Path

import numpy as np
import pytest

from rtdecode.errors import ConfigError
from rtdecode.text.arpa import read_arpa, write_arpa
from rtdecode.text.ngram import NGram
from tests.rtdecode.text.kenlm import KenLM
from tests.rtdecode.text.test_ngram import random_model

GOOD = """made by hand

\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-99\t<s>\t-0.1
-0.5\t</s>
-0.6\ta\t-0.2
-0.7\tb\t-0.3
-1\t<unk>

\\2-grams:
-0.1\t<s> a\t-0.4
-0.2\ta b
-0.3\tb </s>

\\3-grams:
-0.05\t<s> a b

\\end\\
"""


def ours(model: NGram, words: list[str]) -> list[float]:
    state, scores = model.start(), []
    for word in words:
        score, state = model.score(state, word)
        scores.append(score)
    return [*scores, model.end(state)]


def assert_equals_kenlm(path: Path, sentences: list[list[str]]) -> int:
    """Every word of every sentence within 1e-5; how many words that were."""
    model, kenlm, n = read_arpa(path), KenLM(path, {word for words in sentences for word in words}), 0
    for words in sentences:
        np.testing.assert_allclose(
            ours(model, words), kenlm.scores(words), rtol=0, atol=1e-5, err_msg=" ".join(words)
        )
        n += len(words) + 1
    return n


def test_scores_of_a_real_trigram_equal_kenlm(data_dir) -> None:
    path = data_dir / "text-and-lm" / "mfa_test_lm.arpa"
    model, rng = read_arpa(path), np.random.default_rng(0)
    assert model.counts() == (1799, 13154, 20310)
    alice = (data_dir / "text-and-lm" / "alice_gutenberg_11.txt").read_text(errors="replace").lower()
    sentences = [
        re.findall(r"[a-z']+", line) for line in alice.splitlines()
    ]  # with many words it does not know
    words = np.array(model.words[2:])
    sentences += [[str(word) for word in rng.choice(words, 12)] for _ in range(300)]  # back-off to the floor
    ngrams = [ngram for ngram, _, _ in model.ngrams() if len(ngram) == 3]
    for i in rng.choice(len(ngrams), 1500, replace=False):  # seen trigrams, then one more word
        sentences.append([model.words[w] for w in ngrams[i] if w > 1] + [str(rng.choice(words))])
    sentences += [["</s>", "the", "zyxt", "<s>", "the"], ["zyxt", "zyxt"], []]
    assert assert_equals_kenlm(path, sentences) > 30_000


@pytest.mark.parametrize("seed", range(10))
def test_scores_of_random_models_equal_kenlm(tmp_path, seed: int) -> None:
    """With weights on n-grams that nothing follows, and some n-grams whose suffix was pruned."""
    model, rng = random_model(seed, order=2 + seed % 3, n_words=6, gaps=0.02), np.random.default_rng(seed)
    write_arpa(model, tmp_path / "lm.arpa")
    words = [*model.words[2:], "</s>", "foreign"]
    assert_equals_kenlm(tmp_path / "lm.arpa", [[str(w) for w in rng.choice(words, 10)] for _ in range(100)])


def test_a_toy_bigram_equals_kenlm(data_dir) -> None:
    path = data_dir / "text-and-lm" / "bugs_bunny_kenlm.arpa"
    texts = ["bugs bunny", "bunny bugs", "bugs bugs bunny bunny", "bugs foreign bunny", ""]
    assert_equals_kenlm(path, [text.split() for text in texts])


def test_a_megabyte_is_read_in_half_a_second(data_dir) -> None:
    path = data_dir / "text-and-lm" / "mfa_test_lm.arpa"

    def lap() -> float:
        began = time.perf_counter()
        read_arpa(path)
        return time.perf_counter() - began

    assert min(lap() for _ in range(3)) < 0.5


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_what_is_written_reads_back(tmp_path, name: str) -> None:
    model = random_model(3, order=3, n_words=6)
    write_arpa(model, tmp_path / name)
    again = read_arpa(tmp_path / name)
    assert again.words == model.words and again.counts() == model.counts() and again.order == model.order
    for (ngram, score, backoff), (ngram2, score2, backoff2) in zip(
        model.ngrams(), again.ngrams(), strict=True
    ):
        assert ngram == ngram2 and score2 == pytest.approx(score, abs=1e-7)
        assert (backoff is None) == (backoff2 is None) and (backoff or 0) == pytest.approx(
            backoff2 or 0, abs=1e-7
        )
    first = (tmp_path / name).read_bytes()
    write_arpa(again, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_word_with_white_space_cannot_be_written(tmp_path) -> None:
    model = NGram(("<s>", "</s>", " "), {(0,): -99.0, (1,): -0.3, (2,): -0.3}, {}, 1)
    with pytest.raises(ConfigError, match="' ' has white space in it"):
        write_arpa(model, tmp_path / "lm.arpa")
    assert not list(tmp_path.iterdir())


def test_the_handmade_file_is_good(tmp_path) -> None:
    (tmp_path / "lm.arpa").write_text(GOOD)
    model = read_arpa(tmp_path / "lm.arpa")
    assert ours(model, ["a", "b", "foreign"]) == pytest.approx([-0.1, -0.05, -0.3 - 1, -0.5])
    (tmp_path / "lm.arpa").write_text(GOOD.removeprefix("made by hand"))
    assert_equals_kenlm(tmp_path / "lm.arpa", [["a", "b"], ["b", "a", "foreign", "b"]])


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\t", " "),
        "\ufeff" + GOOD,
        GOOD.replace("<unk>", "<UNK>"),
        GOOD.replace("<unk>", "na\u00efve\u00a0caf\u00e9"),  # only ASCII white space separates
        GOOD.removesuffix("\n"),
    ],
    ids=["windows", "blanks", "byte order mark", "upper-case unk", "unicode", "no last newline"],
)
def test_harmless_habits_are_read(tmp_path, text: str) -> None:
    (tmp_path / "lm.arpa").write_bytes(text.encode())
    assert ours(read_arpa(tmp_path / "lm.arpa"), ["a", "b"]) == pytest.approx([-0.1, -0.05, -0.3])


def test_an_upper_case_unk_is_unk(tmp_path) -> None:
    (tmp_path / "lm.arpa").write_text(GOOD.replace("<unk>", "<UNK>"))
    assert read_arpa(tmp_path / "lm.arpa").score((), "foreign")[0] == -1.0


BAD = [
    ("ngram 2=3", "ngram 2=4", r"line 5: 'ngram 2=4' does not hold, the \2-grams: section of line 15 has 3"),
    ("-0.2\ta b\n", "", r"line 5: 'ngram 2=3' does not hold, the \2-grams: section of line 15 has 2"),
    ("-0.7\tb\t-0.3", "-0.7\tb", "line 18: the 2-gram 'b </s>' follows 'b', which has no back-off weight"),
    ("<s> a\t-0.4", "<s> a", "line 21: the 3-gram '<s> a b' follows '<s> a', which has no back-off weight"),
    (
        "-0.05\t<s> a b",
        "-0.05\tb a b",
        "line 21: the 3-gram 'b a b' follows 'b a', which is none of the 2-grams",
    ),
    (
        "-0.2\ta b",
        "-0.2\ta zebra",
        "line 17: the 2-gram 'a zebra' uses 'zebra', which is none of the 5 1-grams",
    ),
    ("\\end\\\n", "", "line 23: the file ends where \\end\\ belongs"),
    (
        "-0.7\tb",
        "nan\tb",
        "line 12: the 1-gram 'b' has log10 probability nan, one from -99 to 0 belongs there",
    ),
    (
        "-0.7\tb",
        "0.7\tb",
        "line 12: the 1-gram 'b' has log10 probability 0.7, one from -99 to 0 belongs there",
    ),
    ("-0.7\tb", "-inf\tb", "line 12: the 1-gram 'b' has log10 probability -inf"),
    ("-0.7\tb", "often\tb", "line 12: 'often' stands where a number belongs, beside the 1-gram 'b'"),
    (
        "b\t-0.3",
        "b\tnan",
        "line 12: the 1-gram 'b' has log10 back-off weight nan, a finite number belongs there",
    ),
    ("b\t-0.3", "b\t-0,3", "line 12: '-0,3' stands where a number belongs, beside the 1-gram 'b'"),
    (
        "-0.05\t<s> a b",
        "-0.05\t<s> a b\t-1",
        "line 21: the 3-gram '<s> a b' has log10 back-off weight -1, 0 or none",
    ),
    ("-0.2\ta b", "-0.2\ta b c d", "line 17: a 2-gram line has 3 or 4 fields, here are 5"),
    ("-0.2\ta b\n", "-0.2\ta\n", "line 17: a 2-gram line has 3 or 4 fields, here are 2"),
    ("-0.2\ta b", "-0.2\t<s> a", "line 17: the 2-gram '<s> a' is there a second time, with -0.2 after -0.1"),
    (
        "-0.6\ta\t-0.2",
        "-0.6\tb\t-0.2",
        "line 12: the 1-gram 'b' is there a second time, with -0.7 after -0.6",
    ),
    ("ngram 2=3\n", "", "line 5: 'ngram 3=1' stands where 'ngram 2=COUNT' belongs"),
    ("ngram 2=3", "ngram 2=three", "line 5: 'ngram 2=three' stands where 'ngram 2=COUNT' belongs"),
    ("\\2-grams:", "\\3-grams:", "line 15: '\\3-grams:' stands where \\2-grams: belongs"),
    ("\\end\\", "\\4-grams:", "line 23: '\\4-grams:' stands where \\end\\ belongs"),
    ("\\data\\", "data", "line 24: the file ends where \\data\\ belongs (an ARPA file is text"),
    ("</s>", "</S>", "line 8: </s> is none of the 5 1-grams, a sentence needs it"),
    ("ngram 1=5\nngram 2=3\nngram 3=1\n", "", "line 5: the header has 0 counts"),
]


@pytest.mark.parametrize(
    ("old", "new", "said"), BAD, ids=[said.split(":", 1)[1][:50].strip() for *_, said in BAD]
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "lm.arpa"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        read_arpa(path)
    assert str(caught.value).startswith(f"{path} {said}")
    assert "\n" not in str(caught.value) and caught.value.hint


@pytest.mark.parametrize("seed", range(5))
def test_no_cut_of_a_file_is_read(tmp_path, seed: int) -> None:
    path = tmp_path / "lm.arpa"
    write_arpa(random_model(seed, n_words=3), path)
    whole = path.read_bytes()
    for stop in range(0, whole.rindex(b"\\end\\") + 4, 7):
        path.write_bytes(whole[:stop])
        with pytest.raises(ConfigError):
            read_arpa(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_file_with_a_wrong_byte_is_a_model_or_one_sentence(tmp_path, seed: int) -> None:
    path, rng = tmp_path / "lm.arpa", np.random.default_rng(seed)
    for _ in range(200):
        damaged = bytearray(GOOD.encode())
        for place in rng.integers(0, len(damaged), rng.integers(1, 4)):
            damaged[place] = rng.choice(list(b"\\\n\t 0-.<a\xff\x00=9"))
        path.write_bytes(damaged)
        with contextlib.suppress(ConfigError):  # and nothing else
            assert np.isfinite(ours(read_arpa(path), ["a", "b", "foreign"])).all()


def test_a_file_that_is_no_text(tmp_path) -> None:
    path = tmp_path / "lm.arpa"
    path.write_bytes(GOOD.replace("\tb", "\t\u00e9").encode("latin-1"))
    with pytest.raises(ConfigError, match=r"is not UTF-8|is none of"):
        read_arpa(path)
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ConfigError, match="a binary model cannot be read"):
        read_arpa(path)
    path.write_bytes(gzip.compress(GOOD.encode())[:-20])
    with pytest.raises(ConfigError, match="is compressed and damaged"):
        read_arpa(path)
    with pytest.raises(ConfigError, match=r"cannot read the language model .*none\.arpa: No such file"):
        read_arpa(tmp_path / "none.arpa")
