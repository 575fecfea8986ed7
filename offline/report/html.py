"""Pieces of HTML that every section uses: tables with headers, figures with captions, numbers as percent."""

from collections.abc import Iterable, Sequence
from html import escape


def percent(value: object) -> str:
    """A share as percent, a dash for None."""
    return "–" if value is None else f"{100 * float(str(value)):.1f} %"


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> str:
    """names: how many leading cells of a row name it."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = []
    for row in rows:
        first = "".join(f'<th scope="row">{escape(cell)}</th>' for cell in row[:names])
        rest = "".join(f"<td>{escape(cell)}</td>" for cell in row[names:])
        body.append(f"<tr>{first}{rest}</tr>")
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def figure(svg: str, caption: str, values: str = "") -> str:
    behind = f"<details><summary>The values</summary>{values}</details>" if values else ""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>{behind}"


def span(low: object, high: object) -> str:
    return "–" if low is None or high is None else f"{percent(low)} to {percent(high)}"
