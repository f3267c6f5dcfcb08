"""How many findings each rule or each file has, and how many of them can be fixed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.finding import Safety
from lint_sessions.report import count_fixable, file_name, shown_path
from lint_sessions.report.terminal import Style, printable

if TYPE_CHECKING:
    from lint_sessions.finding import Finding

KINDS = ("rule", "module")


@dataclass(frozen=True)
class Count:
    """Of one rule, or of one file."""

    of: tuple[str, str] | Path
    findings: int
    safe: int
    unsafe: int

    def fixable(self, *, unsafe: bool) -> bool:
        return bool(self.safe or (unsafe and self.unsafe))


def count(findings: Sequence[Finding], kind: str) -> list[Count]:
    """The most frequent first."""
    groups: dict[tuple[str, str] | Path, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.path if kind == "module" else (finding.code, finding.name), []).append(finding)
    counts = [
        Count(of, len(found), *(count_fixable(found, safety) for safety in (Safety.SAFE, Safety.UNSAFE)))
        for of, found in groups.items()
    ]
    return sorted(counts, key=lambda one: (-one.findings, str(one.of)))


def text(findings: Sequence[Finding], kind: str, style: Style, *, unsafe: bool) -> Iterator[str]:
    counts = count(findings, kind)
    width = len(str(max((one.findings for one in counts), default=0)))
    for one in counts:
        mark = style.paint("[*]", "mark") if one.fixable(unsafe=unsafe) else "[ ]"
        fixes = ", ".join(f"{n} {word}" for n, word in ((one.safe, "safe"), (one.unsafe, "unsafe")) if n)
        name = printable(shown_path(one.of)) if isinstance(one.of, Path) else one.of[1]
        code = "" if isinstance(one.of, Path) else f"{style.paint(one.of[0], 'code')}  "
        yield f"{one.findings:{width}}  {code}{mark} {name}{f'  (fixes: {fixes})' if fixes else ''}"


def records(findings: Sequence[Finding], kind: str, *, unsafe: bool) -> str:
    return json.dumps([_record(one, unsafe=unsafe) for one in count(findings, kind)], indent=2)


def _record(one: Count, *, unsafe: bool) -> dict[str, object]:
    named = {"filename": file_name(one.of)} if isinstance(one.of, Path) else {"code": one.of[0], "name": one.of[1]}
    fixes = {"fixable": one.fixable(unsafe=unsafe), "safe_fixes": one.safe, "unsafe_fixes": one.unsafe}
    return {**named, "count": one.findings, **fixes}
