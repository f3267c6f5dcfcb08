"""Lines that GitHub Actions and Azure Pipelines read in a job's log, and show beside the code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.report import Sources, file_name, path_from, text
from lint_sessions.report.terminal import Style

if TYPE_CHECKING:
    from lint_sessions.finding import Finding

_GITHUB = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_GITHUB_PROPERTY = _GITHUB | str.maketrans({":": "%3A", ",": "%2C"})
_AZURE = str.maketrans({"%": "%AZP25", "\r": "%0D", "\n": "%0A"})
_AZURE_PROPERTY = _AZURE | str.maketrans({";": "%3B", "]": "%5D"})


def github(findings: Sequence[Finding], sources: Sources, root: Path, *, unsafe: bool) -> Iterator[str]:
    """Workflow commands; the log shows the whole finding, its path and its fix included."""
    for finding in findings:
        properties = {
            "title": f"lint-sessions ({finding.code})",
            "file": path_from(root, finding.path) or str(finding.path),
            "line": finding.start.row,
        }
        if finding.start.row == finding.end.row:
            # Columns are refused where there is more than one row.
            properties |= {"col": finding.start.column, "endLine": finding.end.row, "endColumn": finding.end.column}
        else:
            properties |= {"endLine": finding.end.row}
        shown = "\n".join(text.brief(finding, sources, Style(), unsafe=unsafe))
        named = ",".join(f"{name}={str(value).translate(_GITHUB_PROPERTY)}" for name, value in properties.items())
        yield f"::error {named}::{shown.translate(_GITHUB)}"


def azure(findings: Sequence[Finding]) -> Iterator[str]:
    """Logging commands."""
    for finding in findings:
        yield (
            f"##vso[task.logissue type=error;sourcepath={file_name(finding.path).translate(_AZURE_PROPERTY)}"
            f";linenumber={finding.start.row};columnnumber={finding.start.column};code={finding.code};]"
            f"{finding.message.translate(_AZURE)}"
        )
