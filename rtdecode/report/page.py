"""The document: its head, its sections in order, its foot. No script, and nothing from outside.

A section is a function from `Material` to HTML, empty where the log holds nothing for it.
"""

from rtdecode.report import decoded, over, said, wires
from rtdecode.report.html import paragraph, safe, section
from rtdecode.report.material import Material
from rtdecode.report.style import STYLE

# nothing may be loaded from anywhere, whatever a log says
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
HOW = (
    "Times are seconds since the decoder started, or since the log was begun if that was later. Ranks "
    "stand beside chance: of N candidates, a guess is first in one of N and among the ten best in ten of "
    "N. A probability is a softmax over all candidates; a word's confidence is the share of all hypotheses "
    "that held it when it was committed, and its delay runs from the moment it was first shown to that "
    "moment. Latency runs from the moment samples could be read to the moment the decision left the "
    "decoder; the acquisition before it is not in it."
)


def page(material: Material) -> str:
    """The whole document."""
    about = material.session.log.manifest
    title = f"Session of {about.started[:16].replace('T', ' ')} UTC"
    parts = [
        ("decoded", "What was decoded", decoded.what(material)),
        ("timeline", "Timeline", over.timeline_of(material)),
        ("ranking", "Ranking", decoded.ranking(material)),
        ("text", "Text", said.text(material)),
        ("latency", "Latency", over.latency(material)),
        ("keeping-up", "How the decoder kept up", over.keeping_up(material)),
        ("channels", "Channels", wires.section_of(material)),
        ("events", "Events", over.events(material)),
        ("reading", "How to read this", paragraph(HOW)),
    ]
    shown = [(ident, heading, inside) for ident, heading, inside in parts if inside]
    links = "".join(f'<li><a href="#{ident}">{safe(heading)}</a></li>' for ident, heading, _ in shown)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{safe(title)}</h1></header>\n"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n<main>\n'
        + _missing(material.missing)
        + "\n".join(section(ident, heading, inside) for ident, heading, inside in shown)
        + f"\n</main>\n<footer><p>rtdecode {safe(about.rtdecode)}, log {safe(material.session.log.path.name)}"
        "</p></footer>\n</body>\n</html>\n"
    )


def _missing(sentences: tuple[str, ...]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{safe(text, 1000)}</li>" for text in sentences)
    return (
        '<section class="alarm" aria-labelledby="missing"><h2 id="missing">What is missing</h2>'
        f"<ul>{items}</ul></section>\n"
    )
