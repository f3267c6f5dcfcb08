"""The completions and the manual page are those of the parser, and shells and `man` can use them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import write_shell_files
from test_cli import python

from lint_sessions import cli
from lint_sessions.commands import COMMANDS
from lint_sessions.commands.completion import SHELLS
from lint_sessions.registry import known

BASH = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_shtab_lint_sessions
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source $argv[1]; complete -C "$argv[2]"'
ZSH = 'autoload -Uz compinit && compinit -u -D; eval "$(cat $1)"; print -l ${_comps[lint-sessions]}'


def test_the_files_are_up_to_date() -> None:
    assert write_shell_files.stale() == []
    assert write_shell_files.main(["--check"]) == 0


def has(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None or sys.platform == "win32", reason=f"{shell} is not here")


def said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout


def completed(shell: str, words: list[str]) -> set[str]:
    file = write_shell_files.COMPLETIONS / f"lint-sessions.{shell}"
    if shell == "bash":
        return set(said("bash", "-c", BASH, "bash", file, *words).split())
    rows = said("fish", "--no-config", "-c", FISH, file, " ".join(words)).splitlines()
    return {row.partition("\t")[0] for row in rows}


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=has(shell)) for shell in ("bash", "fish")])
class TestCompletion:
    def test_commands(self, shell: str) -> None:
        assert completed(shell, ["lint-sessions", "c"]) == {name for name in COMMANDS if name.startswith("c")}

    def test_options(self, shell: str) -> None:
        assert completed(shell, ["lint-sessions", "check", "--output-"]) == {"--output-format", "--output-file"}

    @pytest.mark.parametrize(
        ("words", "some"),
        [
            pytest.param(["check", "--select", "LS30"], {"LS30", "LS301", "LS309"}, id="codes and prefixes"),
            pytest.param(["check", "--select", "unc"], {"unclosed-session"}, id="names"),
            pytest.param(["check", "--output-format", "j"], {"json", "json-lines", "junit"}, id="formats"),
            pytest.param(["check", "--color", "a"], {"always", "auto"}, id="choices"),
            pytest.param(["rule", "LS30"], {"LS301", "LS309"}, id="a rule"),
            pytest.param(["completion", ""], set(SHELLS), id="shells"),
        ],
    )
    def test_values(self, shell: str, words: list[str], some: set[str]) -> None:
        found = completed(shell, ["lint-sessions", *words])
        assert some <= found
        assert all(word.startswith(words[-1]) for word in found if word)

    def test_files(self, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("base.json").touch()
        assert "base.json" in completed(shell, ["lint-sessions", "check", "--baseline", "ba"])
        assert "base.json" in completed(shell, ["lint-sessions", "check", "ba"])


@has("zsh")
def test_zsh_takes_the_completion() -> None:
    file = write_shell_files.COMPLETIONS / "lint-sessions.zsh"
    said("zsh", "-n", file)
    assert said("zsh", "-f", "-c", ZSH, "zsh", file) == "_shtab_lint_sessions\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_is_told_of_all_rules(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert [word for rule in known() for word in rule if word not in out] == []


def test_no_heavy_import() -> None:
    done = python("-X", "importtime", "-m", "lint_sessions", "completion", "bash")
    assert done.returncode == 0
    assert "libcst" not in done.stderr


@has("groff")
def test_the_manual_has_no_fault() -> None:
    command = ("groff", "-man", "-Tutf8", "-ww", "-z", write_shell_files.MANUAL)
    assert subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stderr == ""


def test_the_manual_has_all_options() -> None:
    parser, commands = cli.parsers([*COMMANDS])
    options = [
        option for one in (parser, *commands.values()) for action in one._actions for option in action.option_strings
    ]
    page = write_shell_files.MANUAL.read_text("utf-8").replace("\\-", "-")
    assert [option for option in options if option not in ("-h", "--help") and option not in page] == []
