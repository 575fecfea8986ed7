"""TextGrids: real ones of both spellings, and damaged ones."""

import pytest

from offline.studies.textgrid import Interval, read_textgrid
from rtdecode.errors import StudyError
from tests.offline.studies.trees_schoffelen import long_textgrid, short_textgrid

TIERS = {"ORT-MAU": [(0.0, 0.5, 'zei "ja"'), (0.5, 1.25, "")], "MAU": [(0.0, 0.2, "z"), (0.2, 1.25, "E+")]}


def test_long_and_short_say_the_same(tmp_path):
    (tmp_path / "long.TextGrid").write_text(long_textgrid(TIERS), "utf-8")
    (tmp_path / "short.TextGrid").write_text(short_textgrid(TIERS), "utf-8")
    long, short = (read_textgrid(tmp_path / f"{name}.TextGrid", "MAU") for name in ("long", "short"))
    assert long == short
    assert long["ORT-MAU"][0] == Interval(0.0, 0.5, 'zei "ja"')  # its quotation marks are written twice
    assert [i.text for i in long["MAU"]] == ["z", "E+"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings_of_praat(tmp_path, encoding):
    path = tmp_path / "a.TextGrid"
    path.write_bytes(long_textgrid({"words": [(0.0, 1.0, "één")]}).encode(encoding))
    assert read_textgrid(path)["words"][0].text == "één"


def test_points_are_read_past(tmp_path):
    text = short_textgrid({"words": [(0.0, 1.0, "een")]}).replace("<exists>\n1\n", "<exists>\n2\n")
    (tmp_path / "a.TextGrid").write_text(text + '"TextTier"\n"clicks"\n0\n1\n2\n0.25\n"x"\n0.5\n"y"\n')
    assert list(read_textgrid(tmp_path / "a.TextGrid")) == ["words"]


def test_real_long_file(data_dir):
    folder = data_dir / "alice-annotations" / "textgrid"
    tiers = read_textgrid(folder / "DownTheRabbitHoleFinal_SoundFile1.TextGrid", "words", "phones")
    words = [interval for interval in tiers["words"] if interval.text]
    assert len(tiers["words"]) == 319 and len(words) == 159
    assert words[0] == Interval(0.046, 0.516, "alice")


def test_real_short_file(data_dir):
    tiers = read_textgrid(data_dir / "speech-audio" / "acoustic_corpus.TextGrid", "words")
    assert len(tiers["words"]) == 71
    assert tiers["words"][1] == Interval(1.05, 1.2, "this")
    assert max(len(tier) for tier in tiers.values()) == 216


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "it ends after"),
        (lambda text: text.replace("TextGrid", "Pitch 1"), "no TextGrid"),
        (lambda text: text.replace("0.2", '"0.2"', 1), "expected"),
        (lambda text: text.replace("1.25", "0.1"), "starts at 0.5 s and ends at 0.1 s"),
        (lambda text: text.replace("size = 2", "size = 2.5", 1), "the number of tiers is 2.5"),
        (lambda text: text.replace("IntervalTier", "Spline"), "is of class 'Spline'"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, said):
    path = tmp_path / "a.TextGrid"
    path.write_text(change(long_textgrid(TIERS)), "utf-8")
    with pytest.raises(StudyError, match="no TextGrid") as caught:
        read_textgrid(path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file_and_missing_tier(tmp_path):
    with pytest.raises(StudyError, match="cannot read the TextGrid"):
        read_textgrid(tmp_path / "none.TextGrid")
    (tmp_path / "a.TextGrid").write_text(long_textgrid(TIERS), "utf-8")
    with pytest.raises(StudyError, match=r"no interval tier 'KAN' \(its interval tiers: 'ORT-MAU', 'MAU'\)"):
        read_textgrid(tmp_path / "a.TextGrid", "KAN")
