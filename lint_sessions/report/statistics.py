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


@dataclass(frozen=True)
class Count:
    """Of one rule, of one file, or of all findings that can be mended alike."""

    of: tuple[str, str] | Path | str
    findings: int
    safe: int
    unsafe: int

    def fixable(self, *, unsafe: bool) -> bool:
        return bool(self.safe or (unsafe and self.unsafe))


def count(findings: Sequence[Finding], kind: str) -> list[Count]:
    """The most frequent first."""
    groups: dict[tuple[str, str] | Path | str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_of(finding, kind), []).append(finding)
    counts = [
        Count(of, len(found), *(count_fixable(found, safety) for safety in (Safety.SAFE, Safety.UNSAFE)))
        for of, found in groups.items()
    ]
    return sorted(counts, key=lambda one: (-one.findings, str(one.of)))


def _of(finding: Finding, kind: str) -> tuple[str, str] | Path | str:
    match kind:
        case "module":
            return finding.path
        case "fixability":
            return f"{finding.fix.safety.value} fix" if finding.fix else "no fix"
        case _:
            return finding.code, finding.name


def text(findings: Sequence[Finding], kind: str, style: Style, *, unsafe: bool) -> Iterator[str]:
    counts = count(findings, kind)
    width = len(str(max((one.findings for one in counts), default=0)))
    for one in counts:
        mark = style.paint("[*]", "mark") if one.fixable(unsafe=unsafe) else "[ ]"
        fixes = ", ".join(f"{n} {word}" for n, word in ((one.safe, "safe"), (one.unsafe, "unsafe")) if n)
        if isinstance(one.of, str):
            yield f"{one.findings:{width}}  {mark} {one.of}"
            continue
        name = printable(shown_path(one.of)) if isinstance(one.of, Path) else one.of[1]
        code = "" if isinstance(one.of, Path) else f"{style.paint(one.of[0], 'code')}  "
        yield f"{one.findings:{width}}  {code}{mark} {name}{f'  (fixes: {fixes})' if fixes else ''}"


def records(findings: Sequence[Finding], kind: str, *, unsafe: bool) -> str:
    return json.dumps([_record(one, unsafe=unsafe) for one in count(findings, kind)], indent=2)


def _record(one: Count, *, unsafe: bool) -> dict[str, object]:
    named: dict[str, object]
    match one.of:
        case Path() as path:
            named = {"filename": file_name(path)}
        case str() as fixability:
            named = {"fixability": fixability}
        case code, name:
            named = {"code": code, "name": name}
    fixes = {"fixable": one.fixable(unsafe=unsafe), "safe_fixes": one.safe, "unsafe_fixes": one.unsafe}
    return {**named, "count": one.findings, **fixes}
