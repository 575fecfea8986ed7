"""Every command in the documents is one: the words, the options and their values; every link leads."""

import re
import shlex
from pathlib import Path

import pytest

from offline import cli as offline_cli
from rtdecode import cli as rtdecode_cli

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "recordings" / "README.md", *DOCS]
EVERY = [*PAGES, *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
PARSERS = {"rtdecode": rtdecode_cli.build_parser, "offline": offline_cli.build_parser}


def blocks(page: Path) -> list[str]:
    """The lines of the page's blocks, indented or between fences."""
    found, fenced = [], False
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            found.append(line if fenced else line[4:])
    return found


def commands() -> list[tuple[str, str]]:
    """(page, command) of every line of a block that is a command of ours."""
    found = []
    for page in PAGES:
        for line in blocks(page):
            if re.match(r"(rtdecode|offline) ", line):
                found.append((str(page.relative_to(ROOT)), line.split("#")[0].strip()))
            for inner in re.findall(r"\$\(((?:rtdecode|offline) [^)]+)\)", line):
                found.append((str(page.relative_to(ROOT)), inner))
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_the_command_parses(page: str, line: str) -> None:
    words = shlex.split(re.split(r"[|>]", line)[0].removesuffix("&").replace("…", "").strip())
    if "A,B" in line or not words[1:]:
        return
    PARSERS[words[0]]().parse(words[1:])


def test_there_are_commands() -> None:
    assert len(commands()) > 60
    pages = {page for page, _ in commands()}
    assert {"README.md", "docs/start.md", "docs/watch.md", "docs/bundle.md", "docs/training.md"} <= pages


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        assert file.is_relative_to(ROOT), f"{page.name} links out of the project: {target}"
        assert not anchor or anchor in slugs(file), f"{page.name} links to {target}: no such heading"


def test_the_index_has_every_page_once() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    table = [line for line in index.splitlines() if line.startswith("|")]
    for page in DOCS:
        if page.name != "README.md":
            lines = sum(f"]({page.name})" in line for line in table)
            assert lines == 1, f"docs/README.md names {page.name} {lines} times"
    assert "(docs/README.md)" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(r"`((?:rtdecode|offline|models|tests|benchmarks|recordings)/[\w./-]+)`", text):
        assert "NAME" in name or (ROOT / name).exists(), f"{page.name} speaks of {name}, which is not there"


def test_the_page_of_the_bundle_names_every_key_and_file() -> None:
    import dataclasses
    import json

    from rtdecode.bundle import BundleSpec

    page = (ROOT / "docs" / "bundle.md").read_text("utf-8")
    for field in dataclasses.fields(BundleSpec):
        assert f"| `{field.name}` |" in page
    named = json.loads((ROOT / "recordings" / "demo" / "bundle.json").read_text("utf-8"))
    spoken = {named["text"]["lm"], named["text"]["lexicon"]}  # by bundle.json, whatever their names
    for name in set(named["files"]) - spoken:
        assert f"`{name}`" in page, f"docs/bundle.md does not say what {name} is"
    for part in ("stream", "preprocess", "model", "retrieval", "text"):
        for key in named[part]:
            assert f"`{key}`" in page, f"docs/bundle.md does not say what {part}.{key} is"
