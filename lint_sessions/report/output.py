"""Where findings go, and in which formats."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lint_sessions.report import Sources, text
from lint_sessions.report.terminal import Style, wants_colour
from lint_sessions.write import put

if TYPE_CHECKING:
    from lint_sessions.finding import Finding

Named = tuple[str, "str | None"]
"""A format, and the file it was asked for in."""

READ_BY_PEOPLE = ("text", "concise", "grouped", "github", "azure")
"""Formats that end with a line on what was found; the others are one document."""
COUNTED = ("text", "concise", "grouped", "json")
"""Formats in which counts can take the place of findings."""


EXPLAINED = ("text", "concise", "grouped")
"""Formats behind which there is room for an explanation."""


class OutputError(Exception):
    """Outputs that cannot be meant; one line."""


@dataclass(frozen=True)
class Output:
    """One format in one place; None is the stream."""

    format: str
    file: Path | None


@dataclass(frozen=True)
class Results:
    """What there is to tell."""

    findings: Sequence[Finding]
    sources: Sources
    root: Path
    """The folder that paths in reports for other programs are relative to."""
    remarks: Sequence[str]
    """The last lines of reports for people."""
    complete: bool
    unsafe: bool
    statistics: str | None
    explain: bool = False
    """Whether each rule that was found is told of, where people read."""


def plan(
    named: Sequence[Named], file: str | None, counts: bool, environ: Mapping[str, str], *, explain: bool = False
) -> tuple[Output, ...]:
    """What to write, and where. Raises OutputError."""
    if not named:
        # Whoever asks for no format, on GitHub, is best served with remarks at the code.
        on_github = environ.get("GITHUB_ACTIONS") == "true" and file is None and not counts and not explain
        named = [("github" if on_github else "text", None)]
    homeless = [form for form, place in named if place is None]
    if file is not None and not homeless:
        raise OutputError(f"--output-file {file}: each --output-format has a file of its own; leave this one out")
    if len(homeless) > 1:
        where = "standard output" if file is None else file
        raise OutputError(f"{' and '.join(homeless)} cannot both go to {where}; give one a file: {homeless[1]}:FILE")
    outputs = tuple(Output(form, Path(place) if place else None) for form, place in ((f, p or file) for f, p in named))
    files = [output.file for output in outputs if output.file]
    if twice := next((path for path in files if files.count(path) > 1), None):
        raise OutputError(f"{twice}: two formats cannot go to one file; name another for one of them")
    if counts and not any(output.format in COUNTED for output in outputs):
        raise OutputError(f"statistics come as {', '.join(COUNTED)}, not as {outputs[0].format}; choose one of those")
    if explain and not any(output.format in EXPLAINED for output in outputs):
        raise OutputError(f"--explain is for people: use it with {', '.join(EXPLAINED)}, not with {outputs[0].format}")
    return outputs


def write(output: Output, results: Results, stream: TextIO, *, color: str) -> None:
    """Write one report. Raises WriteError."""
    if output.file is None:
        show(render(output.format, results, Style(wants_colour(color, stream, os.environ))), stream)
        return
    lines = render(output.format, results, Style(color == "always"))
    put(output.file, "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))


def render(form: str, results: Results, style: Style) -> Iterator[str]:
    findings, sources, root, unsafe = results.findings, results.sources, results.root, results.unsafe
    # What one format takes is imported for it alone: an answer from the cache takes less time than all of them.
    if results.statistics and form in COUNTED:
        from lint_sessions.report import statistics

        if form == "json":
            yield statistics.records(findings, results.statistics, unsafe=unsafe)
        else:
            yield from statistics.text(findings, results.statistics, style, unsafe=unsafe)
    else:
        match form:
            case "text":
                yield from text.full(findings, sources, style, unsafe=unsafe)
            case "concise":
                yield from text.concise(findings, style, unsafe=unsafe)
            case "grouped":
                yield from text.grouped(findings, style, unsafe=unsafe)
            case "json":
                from lint_sessions.report import ruffjson

                yield ruffjson.records(findings, sources)
            case "json-lines":
                from lint_sessions.report import ruffjson

                yield from ruffjson.lines(findings, sources)
            case "sarif":
                from lint_sessions.report import sarif

                yield sarif.report(findings, sources, root, complete=results.complete)
            case "github":
                from lint_sessions.report import joblog

                yield from joblog.github(findings, sources, root, unsafe=unsafe)
            case "gitlab":
                from lint_sessions.report import gitlab

                yield gitlab.report(findings, sources, root)
            case "junit":
                from lint_sessions.report import junit

                yield junit.report(findings, sources, root, unsafe=unsafe)
            case "azure":
                from lint_sessions.report import joblog

                yield from joblog.azure(findings)
    if results.explain and form in EXPLAINED and findings:
        yield from _explained(findings, style)
    if form in READ_BY_PEOPLE:
        yield from results.remarks


def _explained(findings: Sequence[Finding], style: Style) -> Iterator[str]:
    """Of each rule that was found, once, why that does harm and how it is mended."""
    from lint_sessions.pages import pages
    from lint_sessions.report import page

    codes = {finding.code for finding in findings}
    for one in pages():
        if one.code in codes:
            yield from page.brief(one, style, shutil.get_terminal_size((80, 24)).columns)
            yield ""


def show(lines: Iterable[str], stream: TextIO) -> None:
    """Print until nobody reads any more: the exit status is still worth having then."""
    try:
        for line in lines:
            print(line, file=stream)
        stream.flush()
    except BrokenPipeError:
        # Else Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
