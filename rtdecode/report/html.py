"""Pieces of HTML: tables with headers, figures, sections. What is not made here is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape

_NOT_IN_HTML = {c: "�" for c in (*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000))}
# what turns the direction of the text that follows it: a mark must not rearrange the page around it
_TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "�")
_MAP = {**_NOT_IN_HTML, **_TURNS, 9: " ", 10: " ", 13: " "}
CUT = 300
LEFT = ' class="left"'


def clean(text: str, most: int = CUT) -> str:
    """Text as it may be drawn: without control characters, and not longer than `most`."""
    text = text[: most + 1].translate(_MAP)
    return text if len(text) <= most else text[:most] + "…"


def safe(text: str, most: int = CUT) -> str:
    """Text as it may stand in HTML, attributes included."""
    return escape(clean(text, most))


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1, long: Sequence[int] = ()
) -> str:
    """names: how many leading cells of a row name it;  long: cells that hold sentences."""
    top = "".join(
        f'<th scope="col"{LEFT if at < names or at in long else ""}>{safe(cell)}</th>'
        for at, cell in enumerate(head)
    )
    body = []
    for row in rows:
        first = "".join(f'<th scope="row">{safe(cell)}</th>' for cell in row[:names])
        rest = "".join(
            f'<td class="long">{safe(cell)}</td>' if at in long else f"<td>{safe(cell)}</td>"
            for at, cell in enumerate(row[names:], names)
        )
        body.append(f"<tr>{first}{rest}</tr>")
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{safe(caption)}"><table>'
        f"<caption>{safe(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def section(ident: str, title: str, *parts: str) -> str:
    """Empty when all parts are."""
    inside = "".join(parts)
    if not inside:
        return ""
    return f'<section aria-labelledby="{ident}"><h2 id="{ident}">{safe(title)}</h2>{inside}</section>'


def figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{safe(caption, 1000)}</figcaption></figure>"


def folded(summary: str, inside: str) -> str:
    return f"<details><summary>{safe(summary)}</summary>{inside}</details>"


def paragraph(text: str) -> str:
    return f"<p>{safe(text, 2000)}</p>"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    inside = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in rows)
    return f"<dl>{inside}</dl>"


def count(number: int, what: str) -> str:
    """1 run, 2 runs."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def clock(seconds: float) -> str:
    """Session seconds as people say them: 12.3 s, 1:02:03."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
