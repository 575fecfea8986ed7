"""A report is one readable file: nothing from outside, every score beside chance, everything named."""

import csv
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from offline import published
from offline.contrastive.baselines import blind_baselines
from offline.contrastive.curves import candidate_curve, look_ahead_curve
from offline.report import (
    CalibrationRow,
    Content,
    LearningRow,
    NotRun,
    evaluated,
    read_learning,
    write_report,
)
from offline.report.style import DARK, LIGHT
from rtdecode.errors import MissingExtra, StudyError
from tests.offline.contrastive.make import planted

VOID = {"meta", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Elements with attributes, in order, and what is open when one ends."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.texts = [], [], {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def content(study="gwilliams2022", title="A report", blind=None) -> Content:
    scores = planted(subjects=6, strength=2.0)
    rng = np.random.default_rng(0)
    found = evaluated(
        scores,
        study=study,
        model="reference",
        blind=blind or blind_baselines(scores, energy=rng.uniform(size=120)),
        control=0.08,
        ridge=0.4,
        ideal=0.9,
    )
    learning = tuple(
        LearningRow("simulated", model, minutes, gain, 0.1 * minutes**0.5, 0.05, 0.05, 0.3, 0.95)
        for model in ("shared", "causal")
        for minutes in (1.0, 5.0, 20.0)
        for gain in (1.0, 3.0)
    )
    return Content(
        title,
        (found,),
        (
            candidate_curve(scores),
            look_ahead_curve([0, 30, 67], lambda n: planted(strength=1 + n / 60), sfreq=120, name="causal"),
            look_ahead_curve([0, 30, 67], lambda n: planted(strength=2.0), sfreq=120, name="symmetric"),
        ),
        learning,
        (CalibrationRow("sub-09", 5.0, 10, 0.2, 0.5, 0.4, 0.05, 0.2, 0.4, 300),),
        (NotRun("brennan2019", "the recordings were not at hand"),),
        (("version", "0.1"),),
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    html, table = write_report(tmp_path_factory.mktemp("report") / "all", content())
    return html.read_text("utf-8"), table


def test_nothing_is_loaded_from_anywhere(written):
    page = Page(written[0])
    assert page.open == []  # every element is closed, in order
    assert "default-src 'none'" in page.all("meta")[1]["content"]
    assert not page.all("script") and not page.all("link") and not page.all("img")
    for _, attrs in page.elements:
        for name, value in attrs.items():
            if name in ("src", "href", "xlink:href"):
                assert value.startswith("#")
    assert "@import" not in written[0] and not re.search(r"url\((?!#)", written[0])


def test_plots_have_names_and_ids_are_unique(written):
    page = Page(written[0])
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    plots = page.all("svg")
    assert len(plots) == 5  # subjects, ranks, candidates, look-ahead, learning
    for plot in plots:
        assert plot["role"] == "img" and all(ident in ids for ident in plot["aria-labelledby"].split())
    referred = re.findall(r'(?:url\(#|href="#)([^)"]+)', written[0])
    assert referred and set(referred) <= set(ids)
    assert all("%" in text for text in page.texts["desc"])


def test_headings_descend_and_tables_have_headers(written):
    page = Page(written[0])
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) > 8
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_contrast_is_enough_in_both_themes(theme):
    for name in ("--ink", "--alarm", *(f"--s{n}" for n in range(1, 7))):
        pair = sorted((luminance(theme[name]), luminance(theme["--paper"])))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, name


def test_colours_are_the_pages_own(written):
    assert "var(--s1)" in written[0] and "prefers-color-scheme:dark" in written[0]
    svgs = re.findall(r"<svg.*?</svg>", written[0], flags=re.DOTALL)
    assert not any(re.search(r"#0[0-9a]0[0-9]0[0-9]|fill: ?#|stroke: ?#", svg) for svg in svgs)


def test_every_score_stands_beside_chance_and_ours_beside_the_published(written):
    html, _ = written
    for said in (
        "chance",
        "control",
        "ridge",
        "ideal observer",
        "Signal-blind",
        "Learning curve",
        "calibrated",
    ):
        assert said in html
    assert "70.7 ± 0.1 %" in html and "doi 10.1038/s42256-023-00714-5" in html
    assert "(reference)" in html  # ours, in the published table
    assert "the recordings were not at hand" in html
    assert "no result was given to this report" in html  # of the two other studies


def test_the_csv_has_the_same_numbers(written):
    with written[1].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    top10 = next(r for r in rows if r["level"] == "segments" and r["k"] == "10")
    assert float(top10["chance"]) == pytest.approx(10 / 120) and top10["ridge"] == "0.4"
    assert f"{100 * float(top10['value']):.1f} %" in written[0]
    assert float(top10["low"]) < float(top10["value"]) < float(top10["high"])
    assert sum(r["level"] == "subject" for r in rows) == 6
    assert {r["level"] for r in rows} == {
        "segments", "words", "segments, no overlap", "subject", "signal-blind"
    }  # fmt: skip


def test_a_leak_is_the_first_thing_one_reads(tmp_path):
    scores = planted(strength=0.0)
    leak = blind_baselines(scores, others={"peeking": scores.scores + 3 * np.eye(120)[scores.target]})
    html = write_report(tmp_path / "x.html", content(blind=leak))[0].read_text("utf-8")
    assert 'role="alert"' in html and "ABOVE CHANCE: peeking" in html
    assert html.index('role="alert"') < html.index("<h2>Summary")
    assert 'role="alert"' not in write_report(tmp_path / "y.html", content())[0].read_text("utf-8")


def test_names_are_text_not_markup(tmp_path):
    odd = '<script>alert("$x_1$")</script>'
    html = write_report(tmp_path / "x", content(study=odd, title=odd))[0].read_text("utf-8")
    page = Page(html)
    assert not page.all("script") and odd in "".join(page.texts["h1"]) + "".join(page.texts["title"])


def test_an_empty_report_is_a_page(tmp_path):
    html = write_report(tmp_path / "x", Content("Nothing yet"))[0].read_text("utf-8")
    assert Page(html).open == [] and "not run" in html


def test_without_matplotlib_nothing_is_written(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"matplotlib.*rtdecode\[offline\]"):
        write_report(tmp_path / "x", content())
    assert list(tmp_path.iterdir()) == []


def test_the_learning_curve_is_read_from_a_csv(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("study,model,minutes,gain,top10,chance,ridge\nsimulated,shared,20,3,0.8,0.05,\n", "utf-8")
    (row,) = read_learning(file)
    assert row == LearningRow("simulated", "shared", 20.0, 3.0, 0.8, 0.05)
    for text, words in (
        ("study,model,minutes,gain,top10,chanse\n", r"unknown column 'chanse'.*chance"),
        ("study,model,minutes,gain,top10\n", "no column 'chance'"),
        ("study,model,minutes,gain,top10,chance\na,b,1,1,many,0.1\n", r"line 2: top10 is 'many'"),
        ("study,model,minutes,gain,top10,chance\na,b,1,1,nan,0.1\n", r"line 2: top10 is 'nan'"),
        ("study,model,minutes,gain,top10,chance\na,b,1\n", "more or fewer cells"),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(StudyError, match=words):
            read_learning(file)
    with pytest.raises(StudyError, match="cannot read"):
        read_learning(tmp_path / "none.csv")


def test_published_numbers_are_complete_and_have_sources():
    assert len(published.TABLE) == 5 * 4 and len(published.ABLATIONS) == 12 * 4
    for row in (*published.TABLE, *published.ABLATIONS, *published.TOP_1):
        assert row.study in published.STUDIES and 0 < row.value < 100 and len(row.source) > 40
    best = next(r for r in published.TABLE if r.study == "gwilliams2022" and "wav2vec" in r.model)
    assert (best.value, best.sd, best.k) == (70.7, 0.1, 10)
    assert published.size_of("brennan2019").test_segments == 190 and published.size_of("local") is None
    # chance of the table and the size of the test agree, but for Broderick
    for size in published.SIZES:
        stated = next(r for r in published.TABLE if r.study == size.study and r.model == "random")
        agrees = abs(100 * 10 / size.test_segments - stated.value) < 0.15
        assert agrees == (size.study != "broderick2019")
