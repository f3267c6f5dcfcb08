"""The language server, talked to by a client over standard input and output."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls import uris
from pygls.lsp.client import LanguageClient

from lint_sessions import engine
from lint_sessions.config import Config
from lint_sessions.open_project import OpenProject

FACTORY = "from sqlalchemy import create_engine\nfrom sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker(create_engine('sqlite:///db'))\n"
LEAK = "from db import SessionLocal\n\n\ndef read(query):\n    db = SessionLocal()\n    rows = db.execute(query).all()\n    db.close()\n    return rows\n"
FIXED = "from db import SessionLocal\n\n\ndef read(query):\n    with SessionLocal() as db:\n        rows = db.execute(query).all()\n    return rows\n"
ROUTES = "from fastapi import Depends, FastAPI\n\nfrom deps import get_db\n\napp = FastAPI()\n\n\n@app.get('/')\ndef route(db=Depends(get_db)):\n    return db.scalar('q')\n"
PROVIDER = "from db import SessionLocal\n\n\ndef get_db():\n    with SessionLocal() as db:\n        yield db\n"
PATIENCE = 60
"""Seconds after which a test fails that waits for an answer."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "db.py").write_text(FACTORY)
    (tmp_path / "users.py").write_text(LEAK)
    (tmp_path / "deps.py").write_text(PROVIDER)
    (tmp_path / "routes.py").write_text(ROUTES)
    return tmp_path


class Client(LanguageClient):
    """A client that keeps what it is told, and can wait for it."""

    def __init__(self, root: Path) -> None:
        super().__init__("test", "1")
        self.root = root
        self.told: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.versions: dict[str, int] = {}

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.told.put_nowait(params)

    def uri(self, name: str) -> str:
        return uris.from_fs_path(str(self.root / name)) or ""

    async def begin(self) -> types.InitializeResult:
        await self.start_io(
            sys.executable, "-P" if sys.version_info >= (3, 11) else "-B", "-m", "lint_sessions", "server"
        )
        result = await self.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(),
                root_uri=uris.from_fs_path(str(self.root)),
                initialization_options={"pause": 0},
            )
        )
        self.initialized(types.InitializedParams())
        return result

    def open(self, name: str, text: str | None = None) -> None:
        text = (self.root / name).read_text("utf-8") if text is None else text
        self.versions[name] = 1
        item = types.TextDocumentItem(self.uri(name), types.LanguageKind.Python, 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, name: str, text: str) -> None:
        self.versions[name] += 1
        document = types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def hears(self, name: str, version: int | None = None) -> list[types.Diagnostic]:
        """What is told next of a file in its newest version."""
        wanted = self.versions.get(name) if version is None else version
        while True:
            told = await asyncio.wait_for(self.told.get(), PATIENCE)
            if told.uri == self.uri(name) and told.version == wanted:
                return list(told.diagnostics)

    async def actions(self, name: str, row: int, only: list[str] | None = None) -> list[types.CodeAction]:
        place = types.Position(row - 1, 0)
        asked = types.CodeActionParams(
            types.TextDocumentIdentifier(self.uri(name)), types.Range(place, place), types.CodeActionContext([], only)
        )
        return [a for a in await self.text_document_code_action_async(asked) or [] if isinstance(a, types.CodeAction)]


def with_client(project: Path, steps: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        client = Client(project)
        await asyncio.wait_for(client.begin(), PATIENCE)
        try:
            await asyncio.wait_for(steps(client), 2 * PATIENCE)
        finally:
            await asyncio.wait_for(client.shutdown_async(None), PATIENCE)
            client.exit(None)
            await client.stop()  # type: ignore[no-untyped-call]

    asyncio.run(run())


def applied(text: str, edit: types.WorkspaceEdit | None) -> str:
    """The text after the edits of one file."""
    assert edit is not None
    assert edit.document_changes is not None
    [change] = edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    lines = text.splitlines(keepends=True)

    def offset(place: types.Position) -> int:
        row = "".join(lines[: place.line])
        units = lines[place.line].encode("utf-16-le") if place.line < len(lines) else b""
        return len(row) + len(units[: 2 * place.character].decode("utf-16-le"))

    edits = [one for one in change.edits if isinstance(one, types.TextEdit)]
    for one in sorted(edits, key=lambda one: offset(one.range.start), reverse=True):
        text = text[: offset(one.range.start)] + one.new_text + text[offset(one.range.end) :]
    return text


def test_as_one_types(project: Path) -> None:
    async def steps(client: Client) -> None:
        client.open("users.py")
        [told] = await client.hears("users.py")
        assert (told.code, told.source, told.severity) == ("LS301", "lint-sessions", types.DiagnosticSeverity.Warning)
        assert told.range == types.Range(types.Position(4, 9), types.Position(4, 23))
        assert told.related_information is not None
        assert [step.location.range.start.line for step in told.related_information] == [4, 5]
        client.type("users.py", FIXED)
        assert await client.hears("users.py") == []
        client.type("users.py", "def read(:\n")
        [broken] = await client.hears("users.py")
        assert (broken.code, broken.severity) == ("LS000", types.DiagnosticSeverity.Error)
        client.type("users.py", LEAK)
        assert len(await client.hears("users.py")) == 1
        client.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(client.uri("users.py")))
        )
        client.versions.clear()
        while (said := await asyncio.wait_for(client.told.get(), PATIENCE)).diagnostics:
            pass
        assert said.uri == client.uri("users.py")

    with_client(project, steps)


def test_an_unsaved_text_counts_for_others(project: Path) -> None:
    """The provider that another file depends on is changed, and not saved."""
    helper = "def opened():\n    from db import SessionLocal\n    return SessionLocal()\n"
    user = "from helper import opened\n\n\ndef read(query):\n    db = opened()\n    rows = db.execute(query).all()\n    db.close()\n    return rows\n"
    (project / "helper.py").write_text("def opened():\n    return None\n")
    (project / "user.py").write_text(user)

    async def steps(client: Client) -> None:
        client.open("user.py")
        assert await client.hears("user.py") == []
        client.open("helper.py")
        assert await client.hears("helper.py") == []
        client.type("helper.py", helper)
        assert await client.hears("helper.py") == []
        [told] = await client.hears("user.py")
        assert told.code == "LS301"

    with_client(project, steps)


def test_a_saved_file_and_a_configuration_count(project: Path) -> None:
    async def steps(client: Client) -> None:
        client.open("users.py")
        assert len(await client.hears("users.py")) == 1
        (project / "pyproject.toml").write_text("[tool.lint-sessions]\nignore = ['LS301']\n")
        changed = types.FileEvent(client.uri("pyproject.toml"), types.FileChangeType.Changed)
        client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([changed]))
        assert await client.hears("users.py") == []
        (project / "pyproject.toml").write_text("[tool.lint-sessions]\nignroe = []\n")
        client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([changed]))
        [told] = await client.hears("users.py")
        assert "unknown key `ignroe`" in told.message

    with_client(project, steps)


def test_fixes_and_comments(project: Path) -> None:
    odd = LEAK.replace("rows = db.execute(query).all()", "rows = db.execute(query, '😀').all()")

    async def steps(client: Client) -> None:
        client.open("users.py", odd)
        await client.hears("users.py")
        fix, comment, everything = await client.actions("users.py", 5)
        assert (fix.title, fix.kind, fix.is_preferred) == ("Use `with` (LS301)", "quickfix", True)
        assert applied(odd, fix.edit) == FIXED.replace("(query)", "(query, '😀')", 1).replace(
            "def read(query, '😀')", "def read(query)"
        ).replace("execute(query)", "execute(query, '😀')")
        assert comment.title == "Silence LS301 here"
        assert "db = SessionLocal()  # noqa: LS301\n" in applied(odd, comment.edit)
        assert everything.kind == "source.fixAll.lint-sessions"
        resolved = await client.code_action_resolve_async(everything)
        assert applied(odd, resolved.edit) == applied(odd, fix.edit)
        assert await client.actions("users.py", 1, ["quickfix"]) == []
        assert [a.kind for a in await client.actions("users.py", 1, ["source.fixAll"])] == [
            "source.fixAll.lint-sessions"
        ]

    with_client(project, steps)


def test_hover_and_lens(project: Path) -> None:
    async def steps(client: Client) -> None:
        client.open("deps.py")
        client.open("users.py")
        await client.hears("deps.py")
        await client.hears("users.py")
        document = types.TextDocumentIdentifier(client.uri("deps.py"))
        [lens] = await client.text_document_code_lens_async(types.CodeLensParams(document)) or []
        assert lens.command is not None
        assert (lens.range.start.line, lens.command.title) == (3, "1 dependent")
        hover = await client.text_document_hover_async(types.HoverParams(document, types.Position(3, 5)))
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        assert "- `route`, routes.py:9" in hover.contents.value
        users = types.TextDocumentIdentifier(client.uri("users.py"))
        hover = await client.text_document_hover_async(types.HoverParams(users, types.Position(4, 10)))
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        assert hover.contents.value.startswith("# unclosed-session (LS301)")
        assert await client.text_document_hover_async(types.HoverParams(users, types.Position(0, 0))) is None

    with_client(project, steps)


def test_it_says_what_it_needs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lint_sessions.cli import main
    from lint_sessions.commands import server

    monkeypatch.chdir(project)
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    assert main(["server"]) == 2
    assert (
        capsys.readouterr().err
        == "lint-sessions: the language server needs pygls; pip install 'lint-sessions[server]'\n"
    )


class TestOpenProject:
    """Whatever is edited, saved and closed: what is found is what a run finds that knows nothing yet."""

    @pytest.fixture
    def opened(self) -> OpenProject:
        return OpenProject()

    def steps(self, project: Path, opened: OpenProject) -> Iterator[dict[str, str]]:
        """Changes, and the texts that are not saved after each."""
        yield {}
        opened.edit(project / "db.py", "SessionLocal = None\n")
        yield {"db.py": "SessionLocal = None\n"}
        opened.close(project / "db.py")
        yield {}
        opened.edit(project / "users.py", FIXED)
        yield {"users.py": FIXED}
        (project / "users.py").write_text(FIXED)
        opened.close(project / "users.py")
        opened.saved([project / "users.py"])
        yield {}
        (project / "deps.py").write_text(
            PROVIDER.replace("with SessionLocal() as db:", "db = SessionLocal()").replace("        yield", "    yield")
        )
        opened.saved([project / "deps.py"])
        yield {}
        (project / "more.py").write_text(LEAK)
        opened.saved([project / "more.py"])
        yield {}
        (project / "db.py").unlink()
        opened.saved([project / "db.py"])
        yield {}

    def test_it_finds_what_a_new_run_finds(
        self, project: Path, opened: OpenProject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        counts = []
        for unsaved in self.steps(project, opened):
            copy = tmp_path_factory.mktemp("copy")
            for path in project.iterdir():
                (copy / path.name).write_text(unsaved.get(path.name, path.read_text("utf-8")))
            report = engine.check([copy], Config(copy))
            expected = sorted((f.path.name, f.start, f.code, f.message) for f in report.findings)
            answers = [opened.check(path) for path in sorted(project.glob("*.py"))]
            found: list[Any] = sorted((f.path.name, f.start, f.code, f.message) for a in answers for f in a.findings)
            assert found == expected
            counts.append(len(found))
        assert len(set(counts)) > 2

    def test_what_cannot_be_checked_is_told(self, project: Path, opened: OpenProject) -> None:
        assert opened.check(project / "gone.py").problem == "no such file"
        (project / "pyproject.toml").write_text("[tool.lint-sessions]\nselect = ['LS999']\n")
        opened.saved([project / "pyproject.toml"])
        assert "LS999" in str(opened.check(project / "users.py").problem)
