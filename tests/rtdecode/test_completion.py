"""Tab completes in real shells, every command is there, and every command's --help ends with examples."""

import argparse
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from offline import cli as offline_cli
from offline.commands.examples import EXAMPLES as OFFLINE
from rtdecode import cli as rtdecode_cli
from rtdecode.cli_examples import EXAMPLES as RTDECODE
from rtdecode.options import SHELLS, Parser

LINES = {"rtdecode": rtdecode_cli, "offline": offline_cli}
EXAMPLES = {"rtdecode": RTDECODE, "offline": OFFLINE}


def parsers(prog: str) -> dict[str, Parser]:
    (commands,) = (
        action
        for action in LINES[prog].build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(commands.choices)


EVERY = [(prog, command) for prog in LINES for command in parsers(prog)]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The scripts as the commands print them, by program and shell."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "EEG.xdf").touch()
    (folder / "bundles").mkdir()
    found = {}
    for prog, line in LINES.items():
        for shell in SHELLS:
            path = folder / f"{prog}.{shell}"
            with path.open("w") as out, pytest.MonkeyPatch.context() as patch:
                patch.setattr("sys.stdout", out)
                assert line.main(["completion", shell]) == 0
            found[prog, shell] = path
    return found


def bash(script: Path, *words: str) -> list[str]:
    """What bash offers at the end of these words, the last of them under way."""
    prog = words[0]
    said = shlex.join(words)
    lines = f"""source {script.name}
        COMP_WORDS=({said}); COMP_CWORD={len(words) - 1}
        COMP_LINE={shlex.quote(said)}; COMP_POINT=${{#COMP_LINE}}
        handler=$(complete -p {prog}); [[ $handler =~ -F\\ ([^ ]+) ]] || exit 3
        ${{BASH_REMATCH[1]}} {prog} {shlex.quote(words[-1])} {shlex.quote(words[-2])} 2>/dev/null
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    ran = subprocess.run(
        ["bash", "--norc", "-c", lines], capture_output=True, text=True, cwd=script.parent, check=True
    )
    return ran.stdout.split()


@pytest.mark.parametrize("prog", LINES)
def test_bash_completes_commands(scripts: dict[tuple[str, str], Path], prog: str) -> None:
    assert set(bash(scripts[prog, "bash"], prog, "")) >= set(parsers(prog))
    assert bash(scripts[prog, "bash"], prog, "compl") == ["completion"]
    assert set(bash(scripts[prog, "bash"], prog, "completion", "")) >= set(SHELLS)


@pytest.mark.parametrize(("prog", "command"), EVERY)
def test_bash_completes_every_option(scripts: dict[tuple[str, str], Path], prog: str, command: str) -> None:
    options = {
        option
        for action in parsers(prog)[command]._actions
        if action.help != argparse.SUPPRESS
        for option in action.option_strings
    }
    assert options and set(bash(scripts[prog, "bash"], prog, command, "--")) >= options - {"-h"}


def test_bash_completes_values_and_files(scripts: dict[tuple[str, str], Path]) -> None:
    live = scripts["rtdecode", "bash"]
    assert {"keep", "mask", "interpolate"} == set(bash(live, "rtdecode", "live", "--bad", ""))
    assert {"onnx", "openvino", "auto"} <= set(bash(live, "rtdecode", "live", "--engine", ""))
    assert bash(live, "rtdecode", "live", "--bundle", "bun") == ["bundles"]
    assert bash(live, "rtdecode", "replay", "EE") == ["EEG.xdf"]
    train = scripts["offline", "bash"]
    assert bash(train, "offline", "train", "--study", "bre") == ["brennan2019"]
    assert "brennan2019" in bash(train, "offline", "fetch", "")


@pytest.mark.parametrize("prog", LINES)
def test_fish_completes_commands(scripts: dict[tuple[str, str], Path], prog: str) -> None:
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    script = scripts[prog, "fish"]
    ran = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script.name}; complete -C '{prog} '"],
        capture_output=True, text=True, cwd=script.parent, check=True,
    )  # fmt: skip
    assert {line.split("\t")[0] for line in ran.stdout.splitlines()} >= set(parsers(prog)), ran.stderr


@pytest.mark.parametrize("prog", LINES)
def test_zsh_reads_the_script(scripts: dict[tuple[str, str], Path], prog: str) -> None:
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    script = scripts[prog, "zsh"]
    subprocess.run(["zsh", "-f", "-n", script.name], cwd=script.parent, check=True)
    subprocess.run(
        ["zsh", "-f", "-c", f'autoload -Uz compinit; compinit -u -D; eval "$(cat {script.name})"; '
         f"[[ -n ${{_comps[{prog}]}} ]]"],
        cwd=script.parent, check=True,
    )  # fmt: skip


def test_another_shell_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert rtdecode_cli.main(["completion", "fisch"]) == 2
    assert "did you mean fish" in capsys.readouterr().err


@pytest.mark.parametrize(("prog", "command"), EVERY)
def test_the_help_ends_with_examples(prog: str, command: str) -> None:
    shown = parsers(prog)[command].format_help()
    lines = EXAMPLES[prog].get(command, ())
    assert lines, f"{prog} {command} has no example in the table"
    assert shown.rstrip().endswith(lines[-1])
    parsed = 0
    for line in lines:
        assert len(line) <= 110
        words = shlex.split(line, comments=True)
        if prog in words and not line.startswith("eval"):
            words = words[: words.index("|")] if "|" in words else words
            at = words.index(prog)
            LINES[prog].build_parser().parse(words[at + 1 :])
            parsed += words[at + 1] == command
    assert parsed


@pytest.mark.parametrize("prog", LINES)
def test_every_example_is_of_a_command(prog: str) -> None:
    assert set(EXAMPLES[prog]) <= set(parsers(prog))
