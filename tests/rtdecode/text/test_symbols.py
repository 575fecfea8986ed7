"""Symbol tables are equal, permuted or refused, by name; text goes in and out unchanged."""

import numpy as np
import pytest

from rtdecode.errors import ConfigError
from rtdecode.text.symbols import BLANK, CHARACTERS, PHONEMES, SILENCE, W2V_CHARACTERS, Symbols


def test_presets_have_the_published_sizes_and_places() -> None:
    assert [len(table) for table in (CHARACTERS, W2V_CHARACTERS, PHONEMES)] == [29, 32, 41]
    assert CHARACTERS.separator == 1 and CHARACTERS.index("a") == 3
    assert (
        W2V_CHARACTERS.separator == 4 and W2V_CHARACTERS.index("E") == 5 and W2V_CHARACTERS.index("Z") == 31
    )
    assert PHONEMES.index("AA") == 1 and PHONEMES.index("ZH") == 39 and PHONEMES.separator == 40
    assert list(PHONEMES.names[1:40]) == sorted(PHONEMES.names[1:40])
    assert CHARACTERS.spelled and W2V_CHARACTERS.spelled and not PHONEMES.spelled


def test_the_phonemes_are_those_of_the_dictionary(data_dir) -> None:
    lines = (data_dir / "text-and-lm" / "cmudict.phones").read_text().splitlines()
    assert [line.split()[0] for line in lines] == list(PHONEMES.names[1:40])


@pytest.mark.parametrize(
    ("table", "text", "ids"),
    [
        (CHARACTERS, "it's a", (11, 22, 2, 21, 1, 3)),
        (W2V_CHARACTERS, "A Z", (7, 4, 31)),
        (PHONEMES, "HH AY SIL", (16, 6, 40)),
        (CHARACTERS, "", ()),
    ],
)
def test_text_becomes_ids_and_back(table: Symbols, text: str, ids: tuple[int, ...]) -> None:
    assert table.encode(text) == ids
    assert table.decode(ids) == text
    assert table.decode(np.array([*ids, 0, 0])) == text  # zero padding


def test_a_sequence_of_names_is_a_text_too() -> None:
    assert PHONEMES.encode(["HH", "AY"]) == PHONEMES.encode("HH AY")
    assert CHARACTERS.encode(list("hi")) == CHARACTERS.encode("hi")


@pytest.mark.parametrize(
    ("table", "text", "said"),
    [
        (
            CHARACTERS,
            "caf\u00e9 au",
            r"symbol 4 of 7, '\u00e9' in 'caf\u00e9 au', is not in the symbol table",
        ),
        (CHARACTERS, "iT", r"symbol 2 of 2, 'T' .* \(the table has 't'\)"),
        (W2V_CHARACTERS, "a", r"symbol 1 of 1, 'a' .* \(the table has 'A'\)"),
        (PHONEMES, "HH AY1", r"symbol 2 of 2, 'AY1' in 'HH AY1'"),
        (PHONEMES, BLANK, r"symbol 1 of 1, '<blank>'"),
    ],
)
def test_a_foreign_symbol_is_named_with_its_place(table: Symbols, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        table.encode(text)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "symbol 0 must be <blank>, it is absent"),
        (("a", BLANK), "symbol 0 must be <blank>, it is 'a'"),
        ((BLANK, "a", "b", "a"), "names 'a' twice: 4 symbols, 3 names"),
        ((BLANK, "a", ""), "symbol 2 of 3 has no name"),
    ],
)
def test_a_table_that_cannot_be_one(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Symbols(names)


def test_a_table_without_separator_says_so_when_asked() -> None:
    with pytest.raises(ConfigError, match="no symbol ' '"):
        _ = Symbols((BLANK, "a")).separator


GRAPH_ORDER = (BLANK, SILENCE, *PHONEMES.names[1:40])  # as decoding graphs have it
BLANK_LAST = (*PHONEMES.names[1:40], SILENCE, BLANK)


@pytest.mark.parametrize(
    "other", [GRAPH_ORDER, BLANK_LAST, PHONEMES.names], ids=["graph", "blank last", "same"]
)
def test_a_permutation_puts_every_column_under_its_name(other: tuple[str, ...]) -> None:
    log_probs = np.random.default_rng(0).normal(size=(5, 41))
    moved = log_probs[:, PHONEMES.permutation(other)]
    for name in PHONEMES.names:
        np.testing.assert_array_equal(moved[:, other.index(name)], log_probs[:, PHONEMES.index(name)])


def test_another_order_is_refused_by_name() -> None:
    PHONEMES.check(Symbols(PHONEMES.names))
    with pytest.raises(
        ConfigError, match=r"the graph has the same 41 .*: symbol 1 is 'SIL' there and 'AA' here"
    ):
        PHONEMES.check(GRAPH_ORDER, "the graph")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            CHARACTERS.names,
            r"has ' ' \(symbol 1\), which is not here, and not 'AA'; 29 symbols there, 41 here",
        ),
        (PHONEMES.names[:-1], r"does not have 'SIL' \(symbol 40 here\); 40 symbols there, 41 here"),
        ((*PHONEMES.names, "AX"), r"has 'AX' \(symbol 41\), which is not here; 42 symbols there"),
        ((*PHONEMES.names, "AA"), "names 'AA' twice; 42 symbols there"),
        (
            (*PHONEMES.names[:-1], "sil"),
            r"has 'sil' \(symbol 40\), which is not here, and not 'SIL'; 41 symbols there",
        ),
    ],
)
def test_other_names_are_refused_naming_the_first(other: tuple[str, ...], said: str) -> None:
    for compare in (PHONEMES.check, PHONEMES.permutation):
        with pytest.raises(ConfigError, match=said):
            compare(other)


TOY = Symbols((BLANK, "AA", "B", "IY", SILENCE))
TOY_GRAPH = (BLANK, SILENCE, "AA", "B", "IY")
# Token (CTC), lexicon and grammar composed by hand: arcs (from state, symbol in graph order, word, to state).
ARCS = [(0, 3, "", 1), (1, 4, "bee", 2), (1, 2, "baa", 2), (2, 1, "", 0), (0, 2, "ah", 2)]


def best_words(log_probs: np.ndarray) -> str:
    """The best path through the toy graph; a symbol may be held or a blank read in any state; ends in 0."""
    beams = {(0, 0, ""): 0.0}  # (state, last symbol, words) -> log-probability
    for frame in log_probs:
        reached: dict[tuple[int, int, str], float] = {}
        for (state, last, words), score in beams.items():
            steps = [(state, 0, words), (state, last, words)]
            steps += [
                (to, s, f"{words} {w}".strip()) for source, s, w, to in ARCS if source == state and s != last
            ]
            for step in steps:
                reached[step] = max(reached.get(step, -np.inf), score + frame[step[1]])
        beams = reached
    return max((score, words) for (state, _, words), score in beams.items() if state == 0)[1]


def test_a_graph_in_its_own_order_decodes_only_through_the_permutation() -> None:
    spoken = TOY.encode("B IY SIL AA SIL B AA SIL")
    probabilities = np.full((2 * len(spoken), len(TOY)), 0.02)
    probabilities[np.arange(0, len(probabilities), 2), spoken] = 0.92
    probabilities[1::2, 0] = 0.92
    log_probs = np.log(probabilities)

    assert best_words(log_probs[:, TOY.permutation(TOY_GRAPH)]) == "bee ah baa"
    assert (
        best_words(log_probs) != "bee ah baa"
    )  # decoded all the same, and wrong: nothing but the names can tell
    with pytest.raises(ConfigError, match="symbol 1 is 'SIL' there and 'AA' here"):
        TOY.check(TOY_GRAPH)
