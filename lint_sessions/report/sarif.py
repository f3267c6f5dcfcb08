"""Findings as SARIF 2.1.0, with what GitHub's code scanning makes use of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lint_sessions import __version__
from lint_sessions.finding import Safety
from lint_sessions.pages import Page, markdown, pages
from lint_sessions.published import address
from lint_sessions.report import STDIN, Sources, path_from
from lint_sessions.report.fingerprint import fingerprints

if TYPE_CHECKING:
    from lint_sessions.finding import Finding, Fix, Position
    from lint_sessions.source.document import Document

Json = dict[str, object]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RESULTS = 25_000
"""GitHub takes no file with more results in a run; of those it takes it shows 5,000."""
ROOT = "%SRCROOT%"
FINGERPRINT = "lintSessions/v1"
"""Not `primaryLocationLineHash`, which GitHub's upload computes itself, and complains of one that differs."""


def report(findings: Sequence[Finding], sources: Sources, root: Path, *, complete: bool) -> str:
    """One run; `complete` unless some input could not be used."""
    marks = fingerprints(findings, sources, root)
    codes = sorted({finding.code for finding in findings})
    rules = [_rule(page) for page in pages() if page.code in codes]
    results = [
        _result(finding, codes.index(finding.code), mark, sources, root)
        for finding, mark in islice(zip(findings, marks, strict=True), RESULTS)
    ]
    invocation: Json = {"executionSuccessful": complete}
    if len(findings) > RESULTS:
        message = f"These are the first {RESULTS} of {len(findings)} findings; GitHub takes no more."
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": message}}]
    run: Json = {
        "tool": {
            "driver": {
                "name": "lint-sessions",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": rules,
            }
        },
        "invocations": [invocation],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(page: Page) -> Json:
    what = dict(page.sections)
    text = "\n\n".join(f"{title}\n{body}" for title, body in page.sections)
    url = address(page.code, page.name)
    return {
        "id": page.code,
        "name": page.name,
        "shortDescription": {"text": page.summary},
        "fullDescription": {"text": " ".join(what["What it does"].split())},
        "help": {"text": text, "markdown": markdown(page)},
        **({"helpUri": url} if url else {}),
        "defaultConfiguration": {"enabled": page.default, "level": "error"},
        "properties": {"precision": "high", "problem.severity": "error", "tags": ["correctness", "sqlalchemy"]},
    }


def _result(finding: Finding, rule: int, fingerprint: str, sources: Sources, root: Path) -> Json:
    result: Json = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": _message(finding.message)},
        "locations": [_location(finding.path, finding.start, finding.end, root)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
    }
    if finding.trace:
        steps = [
            {
                "location": {
                    **_location(step.path or finding.path, step.position, None, root),
                    "message": {"text": _message(step.message)},
                }
            }
            for step in finding.trace
        ]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    document = sources.document(finding.path)
    if finding.fix and document:
        result["fixes"] = [_fix(finding.fix, document, root)]
    return result


def _fix(fix: Fix, document: Document, root: Path) -> Json:
    replacements = [
        {
            "deletedRegion": _region(document.position(edit.start), document.position(edit.end)),
            "insertedContent": {"text": edit.text},
        }
        for edit in fix.edits
    ]
    risk = "" if fix.safety is Safety.SAFE else " (unsafe: read it before you keep it)"
    return {
        "description": {"text": _message(fix.title) + risk},
        "artifactChanges": [{"artifactLocation": _artifact(document.path, root), "replacements": replacements}],
        "properties": {"applicability": fix.safety.value},
    }


def _location(path: Path, start: Position, end: Position | None, root: Path) -> Json:
    return {"physicalLocation": {"artifactLocation": _artifact(path, root), "region": _region(start, end)}}


def _region(start: Position, end: Position | None) -> Json:
    region: Json = {"startLine": start.row, "startColumn": start.column}
    return region | {"endLine": end.row, "endColumn": end.column} if end else region


def _artifact(path: Path, root: Path) -> Json:
    inside = path_from(root, path)
    if inside is None:
        return {"uri": path.absolute().as_uri()}
    return {"uri": quote(inside)} if path == STDIN else {"uri": quote(inside), "uriBaseId": ROOT}


def _message(text: str) -> str:
    """The text, with nothing in it that would be read as a link."""
    return text.replace("[", "\\[").replace("]", "\\]") if "](" in text else text
