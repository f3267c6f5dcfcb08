"""flake8 with the plugin finds what the command finds."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lint_sessions import __version__, cli, disk, engine
from lint_sessions.config import Config, ConfigError
from lint_sessions.finding import Finding, Position
from lint_sessions.flake8 import Plugin
from lint_sessions.source.document import Document
from lint_sessions.store import FOLDER, SUFFIX

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"

DB = """from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

Local = sessionmaker(create_engine("sqlite://"))
"""
ROUTES = """from app.db import Local


def count(query):
    db = Local()
    rows = db.execute(query).all()
    db.close()
    return len(rows)
"""
CONFIGURED = "[tool.lint-sessions]\nper-file-ignores = { 'app/quiet.py' = ['LS3'] }\n"


class Place(NamedTuple):
    path: str
    row: int
    column: int
    code: str


class Flake8:
    """flake8 in a process of its own, with the plugin of this checkout as if it were installed."""

    def __init__(self, folder: Path) -> None:
        installed = folder / "lint_sessions-0.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lint-sessions\nVersion: {__version__}\n")
        (installed / "entry_points.txt").write_text("[flake8.extension]\nLS = lint_sessions.flake8:Plugin\n")
        path = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}

    def __call__(self, *argv: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flake8", "--isolated", "--select", "LS", *argv]
        return subprocess.run(
            command, capture_output=True, check=False, env=self.environ, input=stdin, encoding="utf-8", timeout=300
        )

    def places(self, *argv: str, stdin: str | None = None) -> list[Place]:
        done = self("--format", "%(path)s|%(row)d|%(col)d|%(code)s", *argv, stdin=stdin)
        assert done.stderr == ""
        return sorted(_places(done.stdout.splitlines()))


def _places(lines: list[str]) -> Iterator[Place]:
    for line in lines:
        path, row, column, code = line.split("|")
        yield Place(os.path.abspath(path), int(row), int(column), code)


@pytest.fixture
def flake8(tmp_path_factory: pytest.TempPathFactory) -> Flake8:
    return Flake8(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("app").mkdir()
    Path("app/__init__.py").touch()
    Path("app/db.py").write_text(DB, "utf-8")
    Path("pyproject.toml").write_text(CONFIGURED, "utf-8")
    return tmp_path


def commands(capsys: pytest.CaptureFixture[str], *argv: str) -> list[Place]:
    """What the command finds, except where Python cannot parse the file."""
    cli.main(["check", "--output-format", "json", *argv])
    records = json.loads(capsys.readouterr().out)
    return sorted(
        Place(item["filename"], item["location"]["row"], item["location"]["column"], item["code"])
        for item in records
        if item["code"] != "LS000"
    )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_finds_what_the_command_finds(flake8: Flake8, capsys: pytest.CaptureFixture[str], jobs: str) -> None:
    folders = [
        str(FIXTURES / stem) for stem in ("depends_called", "missing_rollback", "unawaited_call", "use_after_close")
    ]
    expected = commands(capsys, *folders)
    assert len({place.code for place in expected}) >= 4
    assert flake8.places("--jobs", jobs, *folders) == expected


@pytest.mark.usefixtures("project")
class TestProject:
    def test_names_and_configuration_are_those_of_the_project(
        self, flake8: Flake8, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("routes", "quiet"):
            Path(f"app/{name}.py").write_text(ROUTES, "utf-8")
        expected = commands(capsys)
        assert expected == [Place(os.path.abspath("app/routes.py"), 5, 10, "LS301")]
        assert flake8.places("--jobs", "2", ".") == expected
        assert flake8.places("app/routes.py", "app/quiet.py") == expected

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(ROUTES.replace("\n", "\r\n").encode(), id="crlf"),
            pytest.param(b"\xef\xbb\xbf" + ROUTES.encode(), id="byte-order-mark"),
            pytest.param(("# coding: latin-1\n# ä\n" + ROUTES).encode("latin-1"), id="latin-1"),
            pytest.param(ROUTES.replace("    db = ", "    größe = '名'; db = ").encode(), id="columns-of-characters"),
            pytest.param(ROUTES.replace("def", "x = '\x0c'\ndef").encode(), id="form-feed"),
        ],
    )
    def test_any_encoding(self, flake8: Flake8, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
        Path("app/routes.py").write_bytes(data)
        expected = commands(capsys, "app/routes.py")
        assert [place.code for place in expected] == ["LS301"]
        assert flake8.places("app/routes.py") == expected

    @pytest.mark.parametrize("on_disk", [True, False])
    def test_standard_input_under_its_name(self, flake8: Flake8, on_disk: bool) -> None:
        if on_disk:
            Path("app/routes.py").write_text("x = 1\n", "utf-8")
        argv = ("-", "--stdin-display-name", "app/routes.py")
        assert flake8.places(*argv, stdin=ROUTES) == [Place(os.path.abspath("app/routes.py"), 5, 10, "LS301")]
        assert flake8.places("-", "--stdin-display-name", "app/quiet.py", stdin=ROUTES) == []

    @pytest.mark.parametrize("comment", ["noqa: LS301", "noqa: unclosed-session", "noqa"])
    def test_noqa(self, flake8: Flake8, comment: str) -> None:
        Path("app/routes.py").write_text(ROUTES.replace("Local()", f"Local()  # {comment}"), "utf-8")
        assert flake8.places("app/routes.py") == []

    def test_noqa_on_the_last_row_of_the_statement(self, flake8: Flake8) -> None:
        Path("app/routes.py").write_text(ROUTES.replace("Local()", "Local(\n    )  # noqa: LS301"), "utf-8")
        assert flake8.places("app/routes.py") == []

    def test_invalid_syntax_is_e999(self, flake8: Flake8) -> None:
        Path("app/routes.py").write_text("def (\n", "utf-8")
        done = flake8("--extend-select", "E9", "app/routes.py")
        assert done.returncode == 1
        assert "E999" in done.stdout
        assert "LS" not in done.stdout

    def test_excluded_files_are_left_out(self, flake8: Flake8) -> None:
        Path("app/routes.py").write_text(ROUTES, "utf-8")
        Path("pyproject.toml").write_text("[tool.lint-sessions]\nextend-exclude = ['routes.py']\n", "utf-8")
        assert flake8.places("app/routes.py") == []

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_a_wrong_configuration_is_told(self, flake8: Flake8, jobs: str) -> None:
        Path("pyproject.toml").write_text("[tool.lint-sessions]\nselekt = []\n", "utf-8")
        done = flake8("--jobs", jobs, "app")
        assert done.returncode not in (0, None)
        assert "unknown key `selekt`; did you mean `select`?" in done.stdout + done.stderr


@pytest.mark.usefixtures("project")
class TestKept:
    """What one run finds out is told by the next, whichever process of flake8 has found it."""

    @pytest.fixture
    def kept(self, flake8: Flake8) -> Flake8:
        """flake8 with a cache."""
        del flake8.environ["LINT_SESSIONS_CACHE_DIR"]
        for number in range(6):
            Path(f"app/routes{number}.py").write_text(ROUTES.replace("count", f"count{number}"), "utf-8")
        return flake8

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_files_are_told_without_the_analysis(
        self, kept: Flake8, tmp_path_factory: pytest.TempPathFactory, jobs: str
    ) -> None:
        first = kept.places("--jobs", jobs, "app")
        assert len(first) == 6
        assert 1 <= len([*Path(FOLDER).glob(f"flake8-*{SUFFIX}")]) <= int(jobs)
        hook = tmp_path_factory.mktemp("hook")
        (hook / "sitecustomize.py").write_text("import sys\nsys.modules['lint_sessions.single'] = None\n", "utf-8")
        kept.environ["PYTHONPATH"] += os.pathsep + str(hook)
        assert kept.places("--jobs", jobs, "app") == first
        Path("app/db.py").write_text("x = 1\n", "utf-8")
        done = kept("--jobs", jobs, "app")
        assert "lint_sessions.single" in done.stdout + done.stderr

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_a_change_is_seen(self, kept: Flake8, jobs: str) -> None:
        assert len(kept.places("--jobs", jobs, "app")) == 6
        Path("app/db.py").write_text("def Local():\n    return open('x')\n", "utf-8")
        assert kept.places("--jobs", jobs, "app") == []
        Path("app/db.py").write_text(DB, "utf-8")
        Path("app/routes1.py").write_text("x = 1\n", "utf-8")
        assert len(kept.places("--jobs", jobs, "app")) == 5
        Path("pyproject.toml").write_text("[tool.lint-sessions]\nignore = ['LS3']\n", "utf-8")
        assert kept.places("--jobs", jobs, "app") == []

    def test_standard_input_is_not_kept(self, kept: Flake8) -> None:
        argv = ("-", "--stdin-display-name", "app/routes1.py")
        assert kept.places(*argv, stdin="x = 1\n") == []
        assert len(kept.places("app/routes1.py")) == 1
        assert kept.places(*argv, stdin="x = 1\n") == []


class TestPlugin:
    """In this process, with one opt-in rule."""

    @pytest.fixture(autouse=True)
    def _opt_in(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def check_document(document: Document, config: Config, **_: object) -> list[Finding]:
            at = Position(2, 5)
            on = config.selects("LS301", "unclosed-session", False, document.path)
            return [Finding(document.path, at, at, "LS301", "unclosed-session", document.text)] if on else []

        monkeypatch.setattr(engine, "check_document", check_document)
        monkeypatch.setattr(Plugin, "kept", None)
        monkeypatch.setattr(Plugin, "codes", ())
        monkeypatch.setattr(disk, "witness_from_here", disk.Witness)
        assert project

    def run(self, text: str = "x\ny\n") -> list[tuple[int, int, str, type]]:
        from ast import parse

        return list(Plugin(parse(text), "app/new.py", io.StringIO(text).readlines()).run())

    def test_an_opt_in_rule_is_off(self) -> None:
        Plugin.parse_options(Namespace(select=["LS", "LS3"], extend_select=None))
        assert self.run() == []

    def test_flake8_can_turn_it_on(self) -> None:
        Plugin.parse_options(Namespace(select=None, extend_select=["LS301"]))
        assert self.run() == [(2, 4, "LS301 x\ny\n", Plugin)]

    def test_the_project_can_turn_it_on(self) -> None:
        Path("pyproject.toml").write_text("[tool.lint-sessions]\nextend-select = ['unclosed-session']\n", "utf-8")
        assert len(self.run()) == 1

    def test_an_unknown_rule_is_an_error(self) -> None:
        Path("pyproject.toml").write_text("[tool.lint-sessions]\nselect = ['LS999']\n", "utf-8")
        with pytest.raises(ConfigError, match="no rule is named `LS999`"):
            self.run()

    def test_what_the_text_says_of_its_encoding_is_true(self) -> None:
        Plugin.parse_options(Namespace(select=None, extend_select=["LS301"]))
        [(_, _, message, _)] = self.run("# coding: latin-1\n# ä\n")
        assert message.endswith("# ä\n")
