"""Findings as GitLab's Code Quality report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.finding import INVALID_SYNTAX
from lint_sessions.report import Sources, path_from
from lint_sessions.report.fingerprint import fingerprints

if TYPE_CHECKING:
    from lint_sessions.finding import Finding


def report(findings: Sequence[Finding], sources: Sources, root: Path) -> str:
    marks = fingerprints(findings, sources, root)
    issues = [_issue(finding, mark, root) for finding, mark in zip(findings, marks, strict=True)]
    return json.dumps(issues, indent=2)


def _issue(finding: Finding, fingerprint: str, root: Path) -> dict[str, object]:
    return {
        "check_name": finding.code,
        "description": f"{finding.code} {finding.name}: {finding.message}",
        "severity": "critical" if finding.code == INVALID_SYNTAX[0] else "major",
        "fingerprint": fingerprint,
        "location": {
            "path": path_from(root, finding.path) or str(finding.path),
            "lines": {"begin": finding.start.row, "end": finding.end.row},
        },
    }
