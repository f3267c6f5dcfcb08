"""Findings for programs: JSON in Ruff's shape, with `name` and `trace` besides."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.registry import INVALID_SYNTAX
from lint_sessions.report import STDIN, Sources
from lint_sessions.rule import Safety

if TYPE_CHECKING:
    from lint_sessions.rule import Edit, Finding, Fix, Position
    from lint_sessions.source.document import Document

Json = dict[str, object]


def records(findings: Sequence[Finding], sources: Sources) -> str:
    return json.dumps([_record(finding, sources) for finding in findings], indent=2)


def statistics(findings: Sequence[Finding], *, unsafe: bool) -> str:
    counts = Counter((finding.code, finding.name) for finding in findings)
    fixable = {finding.code for finding in findings if finding.fix and (unsafe or finding.fix.safety is Safety.SAFE)}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [{"code": code, "name": name, "count": n, "fixable": code in fixable} for (code, name), n in ordered]
    return json.dumps(rows, indent=2)


def _record(finding: Finding, sources: Sources) -> Json:
    return {
        "cell": None,
        "code": finding.code,
        "end_location": _location(finding.end),
        "filename": _filename(finding.path),
        "fix": _fix(finding.fix, sources.document(finding.path)) if finding.fix else None,
        "location": _location(finding.start),
        "message": finding.message,
        "name": finding.name,
        "noqa_row": None if finding.code == INVALID_SYNTAX[0] else finding.start.row,
        "trace": [
            {
                "filename": _filename(step.path or finding.path),
                "location": _location(step.position),
                "message": step.message,
            }
            for step in finding.trace
        ],
        "url": None,
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


def _filename(path: Path) -> str:
    return str(path) if path == STDIN else os.path.abspath(path)
