"""Findings in the words of the protocol. Places are rows and columns from 0, in the units that the client counts in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lsprotocol import types
from pygls import uris
from pygls.workspace import PositionCodec

from lint_sessions.finding import INVALID_SYNTAX, UNUSED_SUPPRESSION, Edit, Finding, Position, Safety
from lint_sessions.published import address
from lint_sessions.source.document import Document

SOURCE = "lint-sessions"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
FIX_ALL = "source.fixAll.lint-sessions"


class Places:
    """The places of one document, there and back."""

    def __init__(self, document: Document, codec: PositionCodec) -> None:
        self._document = document
        self._codec = codec
        self._lines = _LINE.findall(document.text)

    def position(self, place: Position) -> types.Position:
        return self._codec.position_to_client_units(self._lines, types.Position(place.row - 1, place.column - 1))

    def offset(self, place: types.Position) -> int:
        ours = self._codec.position_from_client_units(self._lines, place)
        return self._document.offset(Position(ours.line + 1, ours.character + 1))

    def range(self, start: Position, end: Position) -> types.Range:
        return types.Range(self.position(start), self.position(end))

    def edit(self, edit: Edit) -> types.TextEdit:
        start, end = self._document.position(edit.start), self._document.position(edit.end)
        return types.TextEdit(self.range(start, end), edit.text)


def diagnostic(finding: Finding, places: Places) -> types.Diagnostic:
    """A finding; the steps of its path are places that belong to it."""
    link = address(finding.code, finding.name)
    is_error = finding.code == INVALID_SYNTAX[0]
    return types.Diagnostic(
        places.range(finding.start, finding.end),
        finding.message,
        severity=types.DiagnosticSeverity.Error if is_error else types.DiagnosticSeverity.Warning,
        code=finding.code,
        code_description=types.CodeDescription(link) if link else None,
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if finding.code == UNUSED_SUPPRESSION[0] else None,
        related_information=list(_steps(finding, places)) or None,
    )


def _steps(finding: Finding, places: Places) -> Iterator[types.DiagnosticRelatedInformation]:
    for note in finding.trace:
        # A place in another file is told by its row: its text is not at hand in the client's units.
        at = places.position(note.position) if note.path is None else types.Position(note.position.row - 1, 0)
        uri = uris.from_fs_path(str(note.path or finding.path)) or ""
        yield types.DiagnosticRelatedInformation(types.Location(uri, types.Range(at, at)), note.message)


def problem(message: str) -> types.Diagnostic:
    """What keeps a file from being checked, at its beginning."""
    start = types.Position(0, 0)
    return types.Diagnostic(types.Range(start, start), message, severity=types.DiagnosticSeverity.Error, source=SOURCE)


def quick_fix(finding: Finding, shown: types.Diagnostic, places: Places, version: int | None) -> types.CodeAction:
    """The fix of a finding; one that wants to be read says so."""
    assert finding.fix is not None
    is_safe = finding.fix.safety is Safety.SAFE
    title = f"{finding.fix.title} ({finding.code}{'' if is_safe else ', unsafe'})"
    return types.CodeAction(
        title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[shown],
        is_preferred=is_safe,
        edit=changes(finding.path, map(places.edit, finding.fix.edits), version),
    )


def changes(path: Path, edits: Iterable[types.TextEdit], version: int | None) -> types.WorkspaceEdit:
    """Edits of one file, in the version that they were made for."""
    uri = uris.from_fs_path(str(path)) or ""
    document = types.OptionalVersionedTextDocumentIdentifier(uri, version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, list(edits))])


def difference(before: str, after: str) -> Edit:
    """The one edit between two texts, without what they begin and end with alike."""
    start = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    start = min(len(before), len(after)) if start is None else start
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return Edit(start, len(before) - end, after[start : len(after) - end])


def at_rows(findings: Sequence[Finding], first: int, last: int) -> list[Finding]:
    """The findings on some rows, from 1."""
    return [finding for finding in findings if finding.start.row <= last and first <= finding.end.row]
