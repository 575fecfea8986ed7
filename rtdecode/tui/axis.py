"""Words on the time axis: ┊ where one begins, and as much of it as there is room for until the next."""

from collections.abc import Sequence

from rtdecode.tui.lines import cell_len, clean, cut


def write_words(cells: list[str], words: Sequence[tuple[float, str]], taken: range) -> None:
    """Into blank cells. words: (place in 0..1, word);  taken: cells of the cursor's mark"""
    width = len(cells)
    places = sorted((min(width - 1, int(place * width)), word) for place, word in words)
    starts = [(at, word) for at, word in places if at not in taken]
    for (at, word), (end, _) in zip(starts, [*starts[1:], (width, "")], strict=False):
        label = _label(clean(word), (min(end, taken.start - 1) if at < taken.start else end) - at)
        cells[at : at + len(label)] = label


def _label(word: str, room: int) -> str:
    """The longest that fits: with a space to read it by, without, cut to no less than three letters, none."""
    whole = (f"┊ {word} ", f"┊{word}", f"┊{cut(word, room - 1)}" if room > 4 else "┊", "┊")
    label = next((label for label in whole if cell_len(label) <= room), "┊")
    return label if word and cell_len(label) == len(label) else "┊"
