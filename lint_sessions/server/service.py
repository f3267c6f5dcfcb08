"""The server: what it is told, and what it answers. The analysis is asked one thing at a time, in another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer

from lint_sessions import __version__, fixing
from lint_sessions.finding import Finding, Safety
from lint_sessions.flow.callers import functions
from lint_sessions.open_project import Answer, OpenProject
from lint_sessions.pages import Page, markdown, pages
from lint_sessions.project.wiring import Use
from lint_sessions.server.messages import (
    FIX_ALL,
    Places,
    at_rows,
    changes,
    diagnostic,
    difference,
    problem,
    quick_fix,
)
from lint_sessions.source.document import Document, SourceError
from lint_sessions.source.suppress import silenced

T = TypeVar("T")

PAUSE: Final = 0.3
"""Seconds after the last key before a text is checked; the client's `pause` in milliseconds takes its place."""


class Service:
    """The files that are open, and what is known of them."""

    def __init__(self, server: LanguageServer) -> None:
        self.server = server
        self.project = OpenProject()
        self.answers: dict[str, Answer] = {}
        self.pause = PAUSE
        self._turn = asyncio.Lock()
        self._waiting: dict[str, asyncio.Task[None]] = {}

    async def ask(self, question: Callable[[], T]) -> T:
        """What the analysis answers, which takes a while and answers one at a time."""
        async with self._turn:
            return await asyncio.to_thread(question)

    # --- texts ------------------------------------------------------------------------------------------------------

    def changed(self, uri: str, pause: float) -> None:
        """A text is another; it is checked when nothing has come for a while, and with it all that are open."""
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.cancel()
        self._waiting[uri] = asyncio.ensure_future(self._check_later(uri, pause))

    async def _check_later(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        self._waiting.pop(uri, None)
        document = self.server.workspace.text_documents.get(uri)
        if document is None:
            return
        text, path = document.source, path_of(uri)
        try:
            await self.ask(lambda: self.project.edit(path, text))
        except SourceError as error:
            self._publish(uri, Answer(None, problem=str(error)))
            return
        for other in [uri, *(other for other in self.server.workspace.text_documents if other != uri)]:
            await self.check(other)

    async def check(self, uri: str) -> None:
        """Tell what is found in an open file."""
        version = self._version(uri)
        answer = await self.ask(lambda: self.project.check(path_of(uri)))
        # Another key may have been pressed meanwhile: then the places are no more.
        if uri in self.server.workspace.text_documents and version == self._version(uri):
            self._publish(uri, answer)

    def _publish(self, uri: str, answer: Answer) -> None:
        self.answers[uri] = answer
        shown = [problem(answer.problem)] if answer.problem is not None else []
        if answer.document is not None:
            places = self.places(answer.document)
            shown += [diagnostic(finding, places) for finding in answer.findings]
        self.server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri, shown, version=self._version(uri))
        )

    def _version(self, uri: str) -> int | None:
        document = self.server.workspace.text_documents.get(uri)
        return document.version if document is not None else None

    def places(self, document: Document) -> Places:
        return Places(document, self.server.workspace.position_codec)

    def closed(self, uri: str) -> None:
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.cancel()
        self.answers.pop(uri, None)
        self.project.close(path_of(uri))
        self.server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    async def saved(self, paths: list[Path]) -> None:
        """Files have changed on the disk: what is open may be told otherwise now."""
        await self.ask(lambda: self.project.saved(paths))
        for uri in list(self.server.workspace.text_documents):
            await self.check(uri)

    # --- answers ----------------------------------------------------------------------------------------------------

    def actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Fixes and comments for the findings on some rows, and what mends the whole file."""
        uri, only = params.text_document.uri, params.context.only
        answer = self.answers.get(uri)
        if answer is None or answer.document is None:
            return []
        found: list[types.CodeAction] = []
        places, version = self.places(answer.document), self._version(uri)
        if _wants(only, types.CodeActionKind.QuickFix):
            for finding in at_rows(answer.findings, params.range.start.line + 1, params.range.end.line + 1):
                shown = diagnostic(finding, places)
                if finding.fix is not None and finding.fix.edits:
                    found.append(quick_fix(finding, shown, places, version))
                if (comment := _comment(answer.document, finding, shown, places, version)) is not None:
                    found.append(comment)
        if _wants(only, FIX_ALL) and any(_is_safe(finding) for finding in answer.findings):
            found.append(types.CodeAction("Fix all safe problems of lint-sessions", kind=FIX_ALL, data=uri))
        return found

    async def fix_all(self, action: types.CodeAction) -> types.CodeAction:
        """The action, with the edit that it stands for."""
        uri = str(action.data)
        answer, version = self.answers.get(uri), self._version(uri)
        if answer is None or answer.document is None:
            return action
        document = answer.document
        after = await self.ask(lambda: self._fixed(document, answer.findings))
        edit = self.places(document).edit(difference(document.text, after.text))
        action.edit = changes(document.path, [edit], version)
        return action

    def _fixed(self, document: Document, findings: tuple[Finding, ...]) -> Document:
        analysis = self.project.analysis(self.project.config(document.path)).after({})
        analysis.documents = {document.path: document}
        return fixing.fix(findings, analysis, unsafe=False).after(document)

    async def hover(self, params: types.HoverParams) -> types.Hover | None:
        """The page of the rule that is reported there; of a function, who depends on it."""
        answer, row = self.answers.get(params.text_document.uri), params.position.line + 1
        if answer is None:
            return None
        known = {page.code: page for page in pages()}
        here = {finding.code for finding in at_rows(answer.findings, row, row)}
        parts = [_page(known[code]) for code in sorted(here) if code in known]
        for at, uses in await self.dependents(params.text_document.uri):
            if at == row:
                told = (f"- `{use.by}`, {use.module.path.name}:{_row(use)}" for use in uses)
                parts.append("\n".join([f"**{_count(len(uses))}** on this:\n", *told]))
        if not parts:
            return None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, "\n\n---\n\n".join(parts)))

    async def lenses(self, uri: str) -> list[types.CodeLens]:
        """Above each function that a framework is told to call: how many places tell it so."""
        found = []
        for row, uses in await self.dependents(uri):
            at = types.Position(row - 1, 0)
            found.append(types.CodeLens(types.Range(at, at), types.Command(_count(len(uses)), "")))
        return found

    async def dependents(self, uri: str) -> list[tuple[int, list[Use]]]:
        """The functions of a file that something depends on, by the row of their `def`."""
        answer = self.answers.get(uri)
        if answer is None or answer.document is None or answer.problem is not None:
            return []
        document = answer.document

        def look() -> list[tuple[int, list[Use]]]:
            analysis = self.project.analysis(self.project.config(document.path))
            module = analysis.project.add(document)
            found = []
            for block, scope in functions(module.blocks, analysis.types.module_scope(module)):
                uses = [use for use in analysis.wiring.uses(scope) if use.is_fastapi]
                if uses:
                    found.append((document.row(block.piece.head), uses))
            return found

        return await self.ask(look)


def path_of(uri: str) -> Path:
    return Path(uris.to_fs_path(uri) or uri)


def _wants(only: Any, kind: str) -> bool:
    return only is None or any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in only)


def _is_safe(finding: Finding) -> bool:
    return finding.fix is not None and bool(finding.fix.edits) and finding.fix.safety is Safety.SAFE


def _comment(
    document: Document, finding: Finding, shown: types.Diagnostic, places: Places, version: int | None
) -> types.CodeAction | None:
    after, homeless = silenced(document, [finding])
    if homeless or after.text == document.text:
        return None
    edit = places.edit(difference(document.text, after.text))
    return types.CodeAction(
        f"Silence {finding.code} here",
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[shown],
        edit=changes(finding.path, [edit], version),
    )


def _page(page: Page) -> str:
    """The page without the table of what was counted, which takes more room than a hover has."""
    return markdown(page).partition("\n## Observed")[0]


def _count(number: int) -> str:
    return f"{number} dependent{'' if number == 1 else 's'}"


def _row(use: Use) -> int:
    return use.module.document.row(use.offset)


def make_server() -> LanguageServer:
    """A server that is ready to be started."""
    server = LanguageServer("lint-sessions", __version__)
    service = Service(server)

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        given = params.initialization_options
        pause = given.get("pause") if isinstance(given, dict) else getattr(given, "pause", None)
        if isinstance(pause, (int, float)) and pause >= 0:
            service.pause = pause / 1000

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        service.changed(params.text_document.uri, 0)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        service.changed(params.text_document.uri, service.pause)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        service.closed(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def did_change_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
        await service.saved([path_of(change.uri) for change in params.changes])

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def did_save(params: types.DidSaveTextDocumentParams) -> None:
        await service.saved([path_of(params.text_document.uri)])

    kinds = [types.CodeActionKind.QuickFix, FIX_ALL]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds, resolve_provider=True))
    def code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        return service.actions(params)

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(params: types.CodeAction) -> types.CodeAction:
        return await service.fix_all(params)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        return await service.hover(params)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def code_lens(params: types.CodeLensParams) -> list[types.CodeLens]:
        return await service.lenses(params.text_document.uri)

    return server
