"""Findings for programs: JSON in Ruff's shape, with `name` and `trace` besides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lint_sessions.finding import INVALID_SYNTAX
from lint_sessions.published import address
from lint_sessions.report import Sources, file_name

if TYPE_CHECKING:
    from lint_sessions.finding import Edit, Finding, Fix, Position
    from lint_sessions.source.document import Document

Json = dict[str, object]


def records(findings: Sequence[Finding], sources: Sources) -> str:
    return json.dumps([_record(finding, sources) for finding in findings], indent=2)


def lines(findings: Sequence[Finding], sources: Sources) -> Iterator[str]:
    """Each record on a line of its own."""
    for finding in findings:
        yield json.dumps(_record(finding, sources))


def _record(finding: Finding, sources: Sources) -> Json:
    return {
        "cell": None,
        "code": finding.code,
        "end_location": _location(finding.end),
        "filename": file_name(finding.path),
        "fix": _fix(finding.fix, sources.document(finding.path)) if finding.fix else None,
        "location": _location(finding.start),
        "message": finding.message,
        "name": finding.name,
        "noqa_row": None if finding.code == INVALID_SYNTAX[0] else finding.start.row,
        "trace": [
            {
                "filename": file_name(step.path or finding.path),
                "location": _location(step.position),
                "message": step.message,
            }
            for step in finding.trace
        ],
        "url": address(finding.code, finding.name),
    }


def _fix(fix: Fix, document: Document | None) -> Json | None:
    if document is None:
        return None
    edits = [_edit(edit, document) for edit in fix.edits]
    return {"applicability": fix.safety.value, "edits": edits, "message": fix.title}


def _edit(edit: Edit, document: Document) -> Json:
    start, end = document.position(edit.start), document.position(edit.end)
    return {"content": edit.text, "end_location": _location(end), "location": _location(start)}


def _location(position: Position) -> Json:
    return {"column": position.column, "row": position.row}
