"""Whole studies: OSF nodes, archives, parts that need a person; and again, without a byte twice."""

import hashlib
import json

import numpy as np
import pytest

from offline.fetch.download import file_sha256
from offline.fetch.run import fetch
from offline.fetch.sources import Part, Source
from rtdecode.errors import StudyError
from tests.offline.fetch.test_archive import files, packed

RNG = np.random.default_rng(2)
MEG, AUDIO, TABLE = RNG.bytes(800_000), RNG.bytes(50_000), b"onset\tduration\n"


def source(*parts, register=""):
    return Source("heard", "CC0", "10.1/x", "https://example.org/heard", register, parts)


def run(source_, root, **options):
    return fetch(source_, root, sleep=lambda _s: None, **options)


def osf_node(web):
    """Two pages at the root and a folder: a listing as OSF answers it, with the parts that matter."""

    def entry(path, content, sha256=True):
        url = web.put(f"/download{path}", content)
        hashes = {"md5": "0", "sha256": hashlib.sha256(content).hexdigest()} if sha256 else {}
        facts = {"kind": "file", "name": path, "materialized_path": path, "size": len(content)}
        return {"attributes": {**facts, "extra": {"hashes": hashes}}, "links": {"download": url}}

    node, folder = "/v2/nodes/ab3cd/files/osfstorage/", "/v2/nodes/ab3cd/files/osfstorage/5f00/"
    related = {"files": {"links": {"related": {"href": web.address + folder}}}}
    facts = {"kind": "folder", "name": "sub-01", "materialized_path": "/sub-01/", "size": None}
    pages = {
        node + "?page[size]=100": {
            "data": [{"attributes": facts, "links": {}, "relationships": related}],
            "links": {"next": web.address + node + "?page=2"},
        },
        node + "?page=2": {"data": [entry("/participants.tsv", TABLE)], "links": {"next": None}},
        folder + "?page[size]=100": {
            "data": [
                entry("/sub-01/meg.con", MEG),
                entry("/sub-01/task one.wav", AUDIO, sha256=False),
            ],
            "links": {"next": None},
        },
    }
    for path, answer in pages.items():
        web.put_json(path, answer)
    return Part("osf", f"{web.address}/v2/nodes/ab3cd/", "bids")


def content(root):
    return {name: data for name, data in files(root).items() if not name.startswith(".")}


def test_an_osf_node_is_walked_to_its_last_page_and_folder(web, tmp_path):
    study = source(osf_node(web))
    report = run(study, tmp_path)
    assert report.fetched == ("bids/participants.tsv", "bids/sub-01/meg.con", "bids/sub-01/task one.wav")
    found = content(tmp_path)
    assert found.pop("fetched.json") and found == {
        "bids/participants.tsv": TABLE,
        "bids/sub-01/meg.con": MEG,
        "bids/sub-01/task one.wav": AUDIO,
    }
    sent = web.sent
    again = run(study, tmp_path)
    assert again.present == report.fetched and again.fetched == () and again.moved == 0
    assert web.sent - sent < 5000  # the listing alone


def test_only_what_is_asked_for(web, tmp_path):
    report = run(source(osf_node(web)), tmp_path, only=["*.tsv", "*.wav"])
    assert report.fetched == ("bids/participants.tsv", "bids/sub-01/task one.wav")


def test_checksums_of_first_downloads_are_remembered(web, tmp_path):
    study = source(Part("url", web.put("/a/words.csv", TABLE), "audio/"))
    run(study, tmp_path)
    entry = json.loads((tmp_path / "fetched.json").read_text())["files"]["audio/words.csv"]
    assert entry["sha256"] == file_sha256(tmp_path / "audio" / "words.csv") and entry["size"] == len(TABLE)
    (tmp_path / "audio" / "words.csv").write_bytes(TABLE[::-1])  # same length, another content
    assert run(study, tmp_path).fetched == ()
    assert run(study, tmp_path, verify=True).fetched == ("audio/words.csv",)
    assert (tmp_path / "audio" / "words.csv").read_bytes() == TABLE


def test_a_fetch_that_fails_keeps_and_records_what_came_before(web, tmp_path):
    good, bad = web.put("/good", TABLE), web.put("/bad", MEG, statuses=[404])
    study = source(Part("url", good, "good"), Part("url", bad, "bad"))
    with pytest.raises(StudyError, match="not there"):
        run(study, tmp_path)
    assert set(content(tmp_path)) == {"good", "fetched.json"}
    report = run(study, tmp_path)
    assert report.present == ("good",) and report.fetched == ("bad",)


def test_an_archive_is_unpacked_and_not_kept(web, tmp_path):
    inner = packed({"Subject1/run1.mat": MEG})
    url = web.put("/data/download", packed({"Natural Speech.zip": inner, "README": b"r"}), cuts=[200_000])
    study = source(Part("zip", url, "eeg"))
    report = run(study, tmp_path)
    assert report.fetched == ("eeg/Subject1/run1.mat", "eeg/README")
    assert set(files(tmp_path)) == {"fetched.json", ".fetch.lock", *report.fetched}
    assert run(study, tmp_path).moved == 0
    (tmp_path / "eeg" / "README").unlink()
    assert run(study, tmp_path).moved > 0 and (tmp_path / "eeg" / "README").exists()


def test_a_disk_that_fills_up_while_unpacking_does_not_cost_the_download(web, tmp_path, monkeypatch):
    study = source(Part("zip", web.put("/a.zip", packed({"x": MEG})), ""))
    with monkeypatch.context() as patch:
        patch.setattr("offline.fetch.archive.disk_usage", lambda _: type("Usage", (), {"free": 10}))
        with pytest.raises(StudyError, match="the disk has 10 left"):
            run(study, tmp_path)
    assert not (tmp_path / "x").exists()
    assert run(study, tmp_path).moved == 0 and (tmp_path / "x").read_bytes() == MEG


def test_a_page_in_place_of_an_archive_is_not_kept(web, tmp_path):
    study = source(Part("zip", web.put("/a.zip", b"who are you?"), ""))
    with pytest.raises(StudyError, match="not a whole zip archive"):
        run(study, tmp_path)
    web.put("/a.zip", packed({"x": b"1"}))
    assert run(study, tmp_path).fetched == ("x",)


def test_parts_that_need_a_person_are_one_sentence_each(tmp_path):
    study = source(
        Part("manual", "https://example.org/collection", "raw", note="the folders sub-A*"),
        Part("globus", "https://app.globus.org/x", "brainvision"),
        register="register at https://example.org/register and sign the data-use agreement.",
    )
    first, second = run(study, tmp_path).todo
    assert first == (
        f"heard: download yourself from https://example.org/collection into {tmp_path / 'raw'} (the folders "
        "sub-A*); for access: register at https://example.org/register and sign the data-use agreement"
    )
    assert "through Globus" in second
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "sub-A2002").write_bytes(b"1")
    assert run(study, tmp_path).todo == (second,)


def test_a_file_put_in_place_by_hand_is_taken_when_it_is_the_one(web, tmp_path):
    url = web.put("/a.csv", TABLE)
    known = Part("url", url, "a.csv", sha256=hashlib.sha256(TABLE).hexdigest(), size=len(TABLE))
    (tmp_path / "a.csv").write_bytes(b"something else")
    with pytest.raises(StudyError, match="not the published file: it has 14 bytes, expected 15"):
        run(source(known), tmp_path)
    assert (tmp_path / "a.csv").read_bytes() == b"something else"
    (tmp_path / "a.csv").write_bytes(TABLE)
    report = run(source(known), tmp_path)
    assert report.present == ("a.csv",) and not web.asked


def test_a_directory_holds_one_study(web, tmp_path):
    run(source(Part("url", web.put("/a", TABLE), "a")), tmp_path)
    other = Source("seen", "CC0", "", "https://example.org")
    with pytest.raises(StudyError, match="holds the study 'heard', not 'seen'"):
        run(other, tmp_path)


def test_two_fetches_do_not_write_one_file(web, tmp_path):
    study = source(Part("url", web.put("/a", MEG), "a"))

    def meanwhile(*_):
        with pytest.raises(StudyError, match="another fetch is running"):
            run(study, tmp_path)

    run(study, tmp_path, progress=meanwhile)
    assert (tmp_path / "a").read_bytes() == MEG


def test_a_listing_cannot_write_outside_the_study(web, tmp_path):
    part = osf_node(web)
    page = next(r for p, r in web.files.items() if p.endswith("?page=2"))
    page.content = page.content.replace(b"/participants.tsv", b"/../../evil.tsv", 2)
    with pytest.raises(StudyError, match="leads out"):
        run(source(part), tmp_path / "study")
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("answer", [b"{}", b"[1]", b'{"data": [{"attributes": {}}]}'])
def test_an_answer_that_is_no_listing(web, tmp_path, answer):
    web.put("/v2/nodes/x/files/osfstorage/?page[size]=100", answer)
    with pytest.raises(StudyError, match="no listing of files"):
        run(source(Part("osf", f"{web.address}/v2/nodes/x/", "")), tmp_path)


def test_a_listing_that_fails_for_a_moment_is_asked_again(web, tmp_path):
    part = osf_node(web)
    next(r for p, r in web.files.items() if p.endswith("?page=2")).statuses = [502, 429]
    assert len(run(source(part), tmp_path).fetched) == 3


def test_what_a_person_has_to_do_is_said_with_the_first_error(web, tmp_path):
    by_hand = Part("manual", "https://e.org", "raw")
    study = source(Part("url", web.put("/a", MEG, statuses=[404]), "a"), by_hand)
    with pytest.raises(StudyError, match=r"not there.*heard: download yourself from https://e\.org into"):
        run(study, tmp_path)


def test_a_file_published_anew_is_fetched_anew(web, tmp_path):
    url = web.put("/a", TABLE)
    run(source(Part("url", url, "a", size=len(TABLE))), tmp_path)
    web.put("/a", AUDIO)
    assert run(source(Part("url", url, "a", size=len(AUDIO))), tmp_path).fetched == ("a",)
    assert (tmp_path / "a").read_bytes() == AUDIO


def test_of_two_parts_with_one_name_the_first_is_kept_and_told(web, tmp_path):
    """A study spread over several nodes may have a table of its subjects in each."""
    parts = [
        Part("url", web.put(f"/{n}", data), "a", size=len(data)) for n, data in enumerate((TABLE, AUDIO))
    ]
    report = run(source(*parts), tmp_path)
    assert report.fetched == ("a",) and (tmp_path / "a").read_bytes() == TABLE
    assert report.todo == ("a is published twice, with 15 and 50000 bytes: kept the first",)
