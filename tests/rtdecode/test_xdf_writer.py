"""A stream may call itself anything: its description stays XML that says the same."""

from xml.etree import ElementTree

from rtdecode.types import StreamInfo
from rtdecode.xdf_writer import stream_header


def test_names_that_look_like_xml_come_back_as_they_were() -> None:
    name, label, unit = 'a & b <c> "d"', "</label>]]>&amp;", "µV\x00"
    info = StreamInfo(name, "<EEG>", (label, "Cz"), (unit, ""), 256.0, source_id="&#38;", hostname="h'")
    content = stream_header(1, info, "float32", 0.0)
    root = ElementTree.fromstring(content[content.index(b"<?xml") :])  # noqa: S314 - our own
    found = [root.findtext(tag) for tag in ("name", "type", "source_id", "hostname")]
    assert found == [name, "<EEG>", "&#38;", "h'"]
    assert [node.text for node in root.iter("label")] == [label, "Cz"]
    assert next(root.iter("unit")).text == "µV�"  # what XML cannot hold at all
