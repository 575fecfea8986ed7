"""What the doctor says of a machine, sound and unsound."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import rtdecode.doctor as doctor
from rtdecode import kernels
from rtdecode.bench.stalls import Stalls
from rtdecode.commands.doctor import line, run_doctor
from rtdecode.doctor import Finding
from tests.processes import LSL_CONFIG, running


def test_every_finding_that_is_not_ok_has_a_remedy() -> None:
    checks = (doctor.machine, doctor.packages, doctor.extras, doctor.engines, doctor.liblsl)
    for check in checks:
        for finding in check():
            assert finding.level in {"ok", "warn", "fail", "absent"}
            assert bool(finding.remedy) == (finding.level not in {"ok", "absent"}), finding


def test_a_package_that_is_missing_or_old_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: {"numpy": None, "pylsl": "1.17.6"}.get(name, "9.9"))
    found = {f.what: f for f in doctor.packages()}
    assert found["numpy"].level == "fail" and "pip install" in found["numpy"].remedy
    assert found["pylsl"].level == "fail" and "1.18" in found["pylsl"].remedy
    assert found["scipy"].level == "ok"


@pytest.mark.parametrize(
    ("found", "level"),
    [(Stalls(0.01, 0.002), "ok"), (Stalls(0.2, 0.002), "warn"), (Stalls(0.01, 0.05), "warn")],
)
def test_a_machine_that_holds_everybody_up(
    monkeypatch: pytest.MonkeyPatch, found: Stalls, level: str
) -> None:
    monkeypatch.setattr("rtdecode.bench.stalls.stalls", lambda: found)
    (finding,) = doctor.interruptions()
    assert finding.level == level and str(found) in finding.said
    assert bool(finding.remedy) == (level == "warn")


@pytest.mark.parametrize(
    ("there", "used", "level", "words"),
    [
        (True, True, "ok", "compiled"),
        (True, False, "ok", "RTDECODE_KERNELS"),
        (False, True, "warn", "not compiled"),
    ],
)
def test_whether_the_kernels_were_compiled_is_said(
    monkeypatch: pytest.MonkeyPatch, there: bool, used: bool, level: str, words: str
) -> None:
    monkeypatch.setattr(kernels, "_found", object() if there else None)
    monkeypatch.setattr(kernels, "_used", used)
    found = {f.what: f for f in doctor.packages()}["kernels"]
    assert (found.level, words in found.said) == (level, True)


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [
        (
            "[multicast]\nResolveScope = link\n[lab]\nKnownPeers = {a, b}\n",
            "ok",
            "scope link, known peers a, b",
        ),
        ("[multicast]\nResolveScope = machine\n", "warn", "scope machine"),
        ("no section = 1\n", "fail", "lsl_api.cfg"),
    ],
)
def test_the_configuration_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, level: str, words: str
) -> None:
    file = tmp_path / "lsl_api.cfg"
    file.write_text(text)
    monkeypatch.setenv("LSLAPICFG", str(file))
    (finding,) = doctor.configuration()
    assert finding.level == level
    assert words in finding.said


def test_a_configuration_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "gone.cfg"))
    monkeypatch.chdir(tmp_path)
    first, *_ = doctor.configuration()
    assert first.level == "warn" and "gone.cfg" in first.said


def test_a_check_that_breaks_is_a_finding_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks() -> Iterator[Finding]:
        raise RuntimeError("no such library")
        yield Finding("ok", "never", "")

    for name in ("machine", "interruptions", "extras", "engines", "liblsl", "configuration", "discovery"):
        monkeypatch.setattr(doctor, name, lambda: iter(()))
    monkeypatch.setattr(doctor, "packages", breaks)
    monkeypatch.setattr(doctor, "loopback", lambda _: iter([Finding("ok", "loopback", "fast")]))
    assert run_doctor() == 1
    said = capsys.readouterr().out
    assert "no such library" in said and "loopback" in said and "1 failed" in said
    monkeypatch.setattr(doctor, "packages", lambda: iter([Finding("warn", "x", "y", "do z")]))
    assert run_doctor() == 0
    assert "→ do z" in capsys.readouterr().out


def test_a_finding_is_one_line() -> None:
    assert line(Finding("ok", "a", "b")) == "ok    a                  b"


def test_an_engine_that_is_not_here_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "rtdecode.engines.select.missing", lambda name: "" if name == "onnx" else "no such thing"
    )
    found = {f.what: f for f in doctor.engines()}
    assert found["engine onnx"].level == "ok"
    assert found["engine cuda"].level == "absent" and "not here: no such thing" in found["engine cuda"].said
    assert line(found["engine cuda"]).startswith("–     engine cuda ")


@pytest.mark.live
def test_five_outlets_are_found_and_samples_come_through(tmp_path: Path) -> None:
    code = "from rtdecode.doctor import *\nif __name__ == '__main__':\n"
    code += "    print([(f.level, f.what) for f in [*discovery(), *loopback(1.0)]], flush=True)"
    script = tmp_path / "check.py"
    script.write_text(code)
    assert "machine" in LSL_CONFIG
    with running([str(script)], tmp_path) as child:
        assert child.end(60) == 0, child.err
    # a loaded machine may be slow: that is a warning; what must hold is that all were found and none was lost
    assert "('ok', 'discovery')" in child.out[0]
    assert "'fail'" not in child.out[0]
