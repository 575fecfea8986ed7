"""Lexicon files in both forms; every homophone and variant; what is wrong is named by its line."""

from pathlib import Path

import pytest

from rtdecode.errors import ConfigError
from rtdecode.text.lexicon import Lexicon, read_lexicon, spelled_lexicon
from rtdecode.text.symbols import CHARACTERS, PHONEMES


def test_all_homophones_and_variants(tmp_path: Path) -> None:
    names = [f"won{i}" for i in range(9)]
    lines = [f"{name}\tW AH N SIL" for name in names]
    lines += ["read R IY1 D", "read(2) R EH1 D # past", "", ";;; comment", "red R EH1 D"]
    (tmp_path / "words.txt").write_text("\n".join(lines))
    lexicon = read_lexicon(tmp_path / "words.txt", PHONEMES)
    assert lexicon.find(PHONEMES.encode("W AH N")) == tuple(names)  # nine, no limit
    assert lexicon.find(PHONEMES.encode("R EH D")) == ("read", "red")
    assert lexicon.find(PHONEMES.encode("R IY D")) == ("read",)
    assert lexicon.find(PHONEMES.encode("R IY")) == lexicon.find(PHONEMES.encode("Z")) == ()
    assert len(lexicon) == 11


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a AH\nb", "line 2 .*'b' without a path"),
        ("a AH\n\nb B XX", "line 3 .*'XX' .*'b'"),
        ("a AH SIL AH", "line 1 .*separator"),
        ("a SIL", "line 1 .*separator"),
        ("", "no word"),
        ("a <blank>", "line 1 .*<blank>"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "words.txt").write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_lexicon(tmp_path / "words.txt", PHONEMES)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_lexicon(tmp_path / "none.txt", PHONEMES)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_lexicon(tmp_path / "binary", PHONEMES)


def test_spelled() -> None:
    lexicon = spelled_lexicon(["cat", "cats", "it's"], CHARACTERS)
    assert lexicon.find(CHARACTERS.encode("cat")) == ("cat",)
    with pytest.raises(ConfigError, match="'é'"):
        spelled_lexicon(["café"], CHARACTERS)
    with pytest.raises(ConfigError, match="no path"):
        Lexicon(CHARACTERS, [("ice cream", CHARACTERS.encode("ice cream"))])
    with pytest.raises(ConfigError, match="one word"):
        Lexicon(CHARACTERS, [])


def test_a_child_comes_after_its_parent_and_fans_are_complete() -> None:
    lexicon = spelled_lexicon(["cat", "car", "dog", "do"], CHARACTERS)
    assert all(parent < node for node, parent in enumerate(lexicon.parents) if node)
    width = len(CHARACTERS)
    arcs = {node * width + symbol for node, fan in enumerate(lexicon.fans) for symbol in fan}
    assert arcs == set(lexicon.arcs)


def test_cmudict(data_dir: Path) -> None:
    lexicon = read_lexicon(data_dir / "text-and-lm" / "cmudict.dict", PHONEMES)
    assert len(lexicon) > 120_000
    assert {"two", "to", "too"} <= set(lexicon.find(PHONEMES.encode("T UW")))
    for said in ("R EH D", "R IY D"):
        assert "read" in lexicon.find(PHONEMES.encode(said))
