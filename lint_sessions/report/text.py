"""Findings for people: the source line, the path that proves the finding, and the fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.finding import Safety
from lint_sessions.report import Sources, count_fixable, shown_path
from lint_sessions.report.terminal import Style, cells, excerpt, pad, printable

if TYPE_CHECKING:
    from lint_sessions.finding import Finding, Position

LINE_ROOM = 140
STEP_ROOM = 60


def full(findings: Sequence[Finding], sources: Sources, style: Style, *, unsafe: bool) -> Iterator[str]:
    """Each finding with its source line, its numbered steps and its fix, and an empty line after it."""
    for finding in findings:
        margin = " " * len(str(finding.start.row))
        yield _headline(finding, style, unsafe=unsafe)
        yield from _snippet(finding, sources, style, margin)
        yield from _proof(finding, sources, style, margin)
        yield ""


def brief(finding: Finding, sources: Sources, style: Style, *, unsafe: bool) -> Iterator[str]:
    """A finding with its steps and its fix, for where the source line is shown beside it."""
    yield _headline(finding, style, unsafe=unsafe)
    yield from _proof(finding, sources, style, "")


def concise(findings: Sequence[Finding], style: Style, *, unsafe: bool) -> Iterator[str]:
    """Each finding on one line."""
    for finding in findings:
        yield _headline(finding, style, unsafe=unsafe)


def grouped(findings: Sequence[Finding], style: Style, *, unsafe: bool) -> Iterator[str]:
    """Each finding on one line, below the name of its file, and an empty line after each file."""
    for path, found in groupby(findings, lambda finding: finding.path):
        rows = list(found)
        places = [f"{finding.start.row}:{finding.start.column}" for finding in rows]
        yield f"{style.paint(printable(shown_path(path)), 'strong')}{style.paint(':', 'mark')}"
        for finding, place in zip(rows, places, strict=True):
            yield f"  {place:{max(map(len, places))}} {_verdict(finding, style, unsafe=unsafe)}"
        yield ""


def summary(findings: Sequence[Finding], files: int, unread: int, *, unsafe: bool, new: bool = False) -> str:
    """The last line: what was found, in how much, and what to do about it; `new` where only that was asked for."""
    if not files and not unread:
        return "No Python files found."
    checked, problem = number(files, "file"), "new problem" if new else "problem"
    if findings:
        result = f"Found {number(len(findings), problem)} in {checked}{_remedy(findings, unsafe=unsafe)}."
    elif unread or new:
        result = f"No {problem}s found in {checked}."
    else:
        result = f"All checks passed: {checked}."
    return f"{result} {number(unread, 'input')} could not be used." if unread else result


def fixed(count: int, files: int, *, would: bool = False) -> str:
    return f"{'Would fix' if would else 'Fixed'} {number(count, 'problem')} in {number(files, 'file')}."


def _headline(finding: Finding, style: Style, *, unsafe: bool) -> str:
    path = style.paint(printable(shown_path(finding.path)), "strong")
    colon = style.paint(":", "mark")
    place = f"{path}{colon}{finding.start.row}{colon}{finding.start.column}{colon}"
    return f"{place} {_verdict(finding, style, unsafe=unsafe)}"


def _verdict(finding: Finding, style: Style, *, unsafe: bool) -> str:
    mark = f"{style.paint('[*]', 'mark')} " if _applies(finding, unsafe=unsafe) else ""
    return f"{style.paint(finding.code, 'code')} {mark}{printable(finding.message)}"


def _proof(finding: Finding, sources: Sources, style: Style, margin: str) -> Iterator[str]:
    yield from _steps(finding, sources, style, margin)
    if finding.fix:
        kind = "fix" if finding.fix.safety is Safety.SAFE else "unsafe fix"
        yield f"{margin} {style.paint('=', 'mark')} {style.paint(kind, 'strong')}: {finding.fix.title}"


def _snippet(finding: Finding, sources: Sources, style: Style, margin: str) -> Iterator[str]:
    line = sources.line(finding.path, finding.start.row)
    if line is None:
        return
    one_row = finding.end.row == finding.start.row
    shown = excerpt(line, finding.start.column, finding.end.column if one_row else len(line) + 1, LINE_ROOM)
    bar = style.paint("|", "mark")
    yield f"{margin} {bar}"
    yield f"{finding.start.row} {bar} {shown.text}".rstrip()
    yield f"{margin} {bar} {' ' * shown.start}{style.paint('^' * shown.width, 'bad')}"


def _steps(finding: Finding, sources: Sources, style: Style, margin: str) -> Iterator[str]:
    """The trace as a table: number, place, what happens there, and the source line."""
    places = [_place(step.path or finding.path, step.position) for step in finding.trace]
    messages = [printable(step.message) for step in finding.trace]
    place_width = max(map(cells, places), default=0)
    message_width = max(map(cells, messages), default=0)
    for number, (step, place, message) in enumerate(zip(finding.trace, places, messages, strict=True), 1):
        line = (sources.line(step.path or finding.path, step.position.row) or "").strip()
        source = style.paint(excerpt(line, 1, 1, STEP_ROOM).text, "faint")
        count = style.paint(f"{number:{len(str(len(places)))}}", "mark")
        yield f"{margin} {count} {pad(place, place_width)}  {pad(message, message_width)}  {source}".rstrip()


def _place(path: Path, position: Position) -> str:
    return f"{printable(shown_path(path))}:{position.row}:{position.column}"


def _applies(finding: Finding, *, unsafe: bool) -> bool:
    return finding.fix is not None and (unsafe or finding.fix.safety is Safety.SAFE)


def _remedy(findings: Sequence[Finding], *, unsafe: bool) -> str:
    safe, risky = (count_fixable(findings, safety) for safety in (Safety.SAFE, Safety.UNSAFE))
    if unsafe:
        safe, risky = safe + risky, 0
    if safe and risky:
        return f" ({safe} fixable with --fix, {risky} more with --unsafe-fixes)"
    if safe or risky:
        return f" ({safe or risky} fixable with --fix{' --unsafe-fixes' if risky else ''})"
    return ""


def number(count: int, noun: str) -> str:
    """How many there are, in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
