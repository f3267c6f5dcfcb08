"""`lint-sessions config`: what is in force for a file, and where it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lint_sessions import cli
from lint_sessions.config import toml
from lint_sessions.config.keys import KEYS

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.toml").write_text('ignore = ["LS309"]\n\nextend-per-file-ignores = { "tests/*" = ["LS3"] }\n', "utf-8")
    Path("pyproject.toml").write_text(
        """[project]
name = "shop"
dependencies = ["fastapi>=0.115"]

[tool.lint-sessions]
extend = "base.toml"
extend-ignore = ["LS101"]
extend-select = ["LS404"]
per-file-ignores = { "tests/*" = ["LS4"] }
extend-exclude = ["old"]
""",
        "utf-8",
    )
    for name in ("app.py", "tests/test_app.py", "old/app.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()


def config(capsys: Capture, *argv: str) -> str:
    assert cli.main(["config", *argv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_keys_are_toml_with_the_place_behind_each(capsys: Capture, tmp_path: Path) -> None:
    keys, _, _ = config(capsys, "app.py").partition("\n\n")
    assert keys.splitlines()[:3] == ["# app.py", "# configuration: pyproject.toml", f"# root: {tmp_path}"]
    assert 'extend = "base.toml"  # pyproject.toml:6' in keys
    assert 'ignore = ["LS309", "LS101"]  # base.toml:1, pyproject.toml:7' in keys
    assert 'per-file-ignores = { "tests/*" = ["LS4", "LS3"] }  # base.toml:3, pyproject.toml:9' in keys
    assert "# fastapi-version: as the project's dependencies say: FastAPI >=0.115  # default" in keys
    assert "factories = []  # default" in keys
    assert toml.value(keys, "extend-exclude") == ["old"]
    assert [key.name for key in KEYS if not key.adds_to and key.name not in keys] == []


@pytest.mark.parametrize(
    ("file", "off"),
    [
        pytest.param("app.py", {"LS101": "ignore", "LS108": "opt-in", "LS309": "opt-in"}, id="file"),
        pytest.param("tests/test_app.py", {"LS301": "per-file-ignores", "LS404": "per-file-ignores"}, id="per file"),
        pytest.param(".", {"LS101": "ignore"}, id="folder"),
    ],
)
def test_which_rules_run(capsys: Capture, file: str, off: dict[str, str]) -> None:
    out = config(capsys, file)
    record = json.loads(config(capsys, file, "--output-format", "json"))
    why = {rule["code"]: rule["why"] for rule in record["rules"]}
    assert {code: why[code] for code in off} == off
    assert why["LS201"] is None
    run, _, do_not = out.partition(" rules run:")[2].partition(" do not:")
    assert all(f"{code} " in (do_not if reason else run) for code, reason in why.items())
    assert [rule["runs"] for rule in record["rules"]] == [not reason for reason in why.values()]


def test_select_leaves_the_others_out(capsys: Capture) -> None:
    Path(".lint-sessions.toml").write_text('select = ["LS3"]\n', "utf-8")
    out = config(capsys, "app.py")
    assert 'select = ["LS3"]  # .lint-sessions.toml:1' in out
    assert any("LS101 yield-without-finally" in row and row.endswith("not in select") for row in out.splitlines())


def test_json_has_values_and_places(capsys: Capture, tmp_path: Path) -> None:
    record = json.loads(config(capsys, "old/app.py", "--output-format", "json"))
    assert record["excluded"] is True
    assert record["root"] == str(tmp_path)
    assert record["file"] == str(tmp_path / "pyproject.toml")
    assert record["keys"]["select"] == {"value": None, "from": []}
    assert record["keys"]["ignore"] == {
        "value": ["LS309", "LS101"],
        "from": [
            {"file": str(tmp_path / "base.toml"), "row": 1},
            {"file": str(tmp_path / "pyproject.toml"), "row": 7},
        ],
    }


def test_a_file_that_is_left_out(capsys: Capture) -> None:
    assert config(capsys, "old/app.py").startswith("# old/app.py, which the patterns of exclude leave out")


def test_isolated(capsys: Capture, tmp_path: Path) -> None:
    out = config(capsys, "--isolated")
    assert out.startswith(f"# {tmp_path}\n# configuration: none\n# root: {tmp_path}\n")
    assert "ignore = []  # default" in out


def test_another_file(capsys: Capture, tmp_path: Path) -> None:
    out = config(capsys, "--config", "base.toml", "app.py")
    assert out.startswith(f"# app.py\n# configuration: base.toml\n# root: {tmp_path}\n")
    assert 'ignore = ["LS309"]  # base.toml:1' in out
    assert "extend-select = []  # default" in out


@pytest.mark.parametrize(
    ("text", "file", "says"),
    [
        pytest.param("slect = 1", ".", "lint-sessions.toml:1: unknown key `slect`; did you mean `select`?", id="key"),
        pytest.param("\nselect = ['X']", ".", "lint-sessions.toml:2: `select`: no rule is named `X`", id="rule"),
        pytest.param("", "gone.py", "gone.py: no such file or folder", id="file"),
    ],
)
def test_what_is_wrong_is_one_line(capsys: Capture, text: str, file: str, says: str) -> None:
    Path("lint-sessions.toml").write_text(text, "utf-8")
    assert cli.main(["config", file]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert says in err
