"""Every command in the documents is one: the words, the options and the values they take."""

import re
import shlex
from pathlib import Path

import pytest

from offline import cli as offline_cli
from rtdecode import cli as rtdecode_cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "recordings" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARSERS = {"rtdecode": rtdecode_cli.build_parser, "offline": offline_cli.build_parser}


def commands() -> list[tuple[str, str]]:
    """(page, command) of every line of an indented block that is a command of ours."""
    found = []
    for page in PAGES:
        for line in page.read_text("utf-8").splitlines():
            if re.match(r" {4}(rtdecode|offline) ", line):
                found.append((str(page.relative_to(ROOT)), line.split("#")[0].strip()))
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_the_command_parses(page: str, line: str) -> None:
    words = shlex.split(line.split("|")[0].removesuffix("&").replace("…", "").strip())
    if "A,B" in line or not words[1:]:
        return
    PARSERS[words[0]]().parse(words[1:])


def test_there_are_commands_and_every_page_is_linked() -> None:
    assert len(commands()) > 40
    text = "".join(page.read_text("utf-8") for page in PAGES)
    for page in (ROOT / "docs").glob("*.md"):
        assert f"{page.name})" in text, f"nobody links to docs/{page.name}"
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
