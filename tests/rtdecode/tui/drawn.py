"""A screen as a text file: its lines, below each the styles of its cells as letters, and what these mean.

Two screens are the same when these are. Independent of how Rich writes SVG, and a difference can be read in
a diff: what was said in the first line of a pair, how it looked in the second.
"""

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.rtdecode.tui.bench import cells

FOLDER = Path(__file__).parent / "snapshots"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def described(app) -> str:
    """The whole screen, cell by cell. A style that most cells of a line have is left blank."""
    styles: dict[str, str] = {}
    lines = []
    for segments in cells(app):
        text = "".join(segment.text for segment in segments)
        look = "".join(_letter(styles, segment.style) * cell_len(segment.text) for segment in segments)
        lines += [text.rstrip(), look.rstrip("a").replace("a", " ")]
    meaning = [f"{letter} = {style}" for style, letter in styles.items()]
    return "\n".join([*(line.rstrip() for line in lines), "", *meaning, ""])


def _letter(styles: dict[str, str], style) -> str:
    said = " ".join(
        [
            f"{_hex(style.color)} on {_hex(style.bgcolor)}",
            *(name for name in ("bold", "italic", "dim", "reverse", "underline") if getattr(style, name)),
        ]
    )
    return styles.setdefault(said, LETTERS[len(styles)])


def _hex(colour) -> str:
    return colour.triplet.hex if colour and colour.triplet else colour.name if colour else "-"


def same(app, name: str) -> None:
    """The screen is the one kept under `name`; RTDECODE_UPDATE_SNAPSHOTS=1 keeps this one instead."""
    file, new = FOLDER / f"{name}.txt", FOLDER / f"{name}.new.txt"
    text = described(app)
    if os.environ.get("RTDECODE_UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    before = file.read_text("utf-8") if file.exists() else ""
    if text == before:
        new.unlink(missing_ok=True)
        new.with_suffix(".svg").unlink(missing_ok=True)
        return
    new.write_text(text, "utf-8")
    new.with_suffix(".svg").write_text(app.export_screenshot(title=name), "utf-8")
    pairs = zip(before.splitlines(), text.splitlines(), strict=False)
    first = next((f"line {i}:\n  {a}\n  {b}" for i, (a, b) in enumerate(pairs, 1) if a != b), "its length")
    pytest.fail(
        f"the screen {name!r} differs from {file} in {first}\nthe new one is {new} and, as a picture, "
        f"{new.with_suffix('.svg')}; RTDECODE_UPDATE_SNAPSHOTS=1 keeps it",
        pytrace=False,
    )
