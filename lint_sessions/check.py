"""`lint-sessions check`: find, fix, report. What needs the analysis is in `linting`, imported where there is no answer
in the cache."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TextIO

from lint_sessions import disk, timing
from lint_sessions.cache import Cache
from lint_sessions.progress import Progress
from lint_sessions.report import output, shown_path, text
from lint_sessions.report.terminal import printable
from lint_sessions.run import UNUSABLE, Run
from lint_sessions.sift import Sieve, SiftError
from lint_sessions.write import WriteError


def check(asked: Namespace) -> int:
    """Run the command with its parsed arguments and return its exit status."""
    started = time.monotonic()
    if asked.timing:
        timing.begin()
    run = begin(asked)
    if isinstance(run, int):
        return run
    with closing(run.progress):
        status = _check(run)
    if asked.verbose:
        run.tell(f"{run.files} files in {time.monotonic() - started:.2f} s")
    if times := timing.take():
        for line in times.told(run.files):
            run.tell(line)
    return status


def begin(asked: Namespace) -> Run | int:
    """A run of what was asked for; the exit status where that cannot be done."""
    asked.fix = asked.fix or asked.fix_only
    run = Run(asked, Progress(wanted=not asked.quiet))
    if clash := _clash(asked):
        run.problem(*clash)
        return UNUSABLE
    try:
        named = asked.output_format or ()
        run.outputs = output.plan(named, asked.output_file, bool(asked.statistics), os.environ, explain=asked.explain)
        run.sieve = Sieve.of(asked)
    except (output.OutputError, SiftError) as error:
        run.problem("command line", str(error))
        return UNUSABLE
    return run


def _check(run: Run) -> int:
    if "-" in run.asked.paths:
        from lint_sessions.linting import lint_stdin

        # Standard output is the file once it is fixed; what is left to say goes elsewhere.
        stopped, stream = lint_stdin(run), sys.stderr if run.asked.fix else sys.stdout
    else:
        stopped, stream = _lint_paths(run), sys.stdout
    run.progress.close()
    if stopped is not None:
        return stopped
    with timing.stage("report"):
        return _end_of_diff(run) if run.asked.diff else tell(run, stream)


def _lint_paths(run: Run) -> int | None:
    """What is known of the files already, else what can be found out; the exit status if neither."""
    cache = Cache.of(run)
    if cache is not None and cache.recall(run):
        try:
            run.sieve.look_at(run.root)
        except SiftError as error:
            run.problem("command line", str(error))
            return UNUSABLE
        return None
    from lint_sessions.linting import lint_paths

    if cache is not None:
        cache.store.prepare()
    with disk.witnessed() as witness:
        stopped = lint_paths(run)
    if cache is not None and stopped is None:
        cache.keep(run, witness)
    return stopped


def _clash(asked: Namespace) -> tuple[str, str] | None:
    """What was asked for and cannot be done together."""
    rewrites = asked.add_noqa or asked.write_baseline is not None
    reports = asked.output_file or any(file for _, file in asked.output_format or ())
    clashes = (
        ("-", "standard input stands alone; leave out the other paths", "-" in asked.paths and len(asked.paths) > 1),
        (
            "-",
            "standard input has no rows that git knows; name the file instead",
            "-" in asked.paths and asked.diff_base is not None,
        ),
        ("-", "standard input cannot be written to; name the file instead", "-" in asked.paths and asked.add_noqa),
        (
            "--diff-base",
            "fixes concern whole files, not rows; leave out one of the two",
            asked.diff_base is not None and (asked.fix or asked.diff),
        ),
        (
            "--diff",
            "changes nothing, so it writes no baseline and no comments; leave out one of the two",
            asked.diff and rewrites,
        ),
        (
            "--diff",
            "prints a diff and no findings, so it writes no report; leave out one of the two",
            asked.diff and reports,
        ),
    )
    return next(((place, message) for place, message, clashing in clashes if clashing), None)


def _end_of_diff(run: Run) -> int:
    if not run.asked.quiet:
        print(*_fixed(run, would=True), sep="\n", file=sys.stderr)
    return run.status(found=bool(run.fixed))


def _fixed(run: Run, *, would: bool = False) -> Iterator[str]:
    """How much was fixed; and what, by file and rule, if that is asked for."""
    files = dict.fromkeys(finding.path for finding in sorted(run.fixed, key=lambda finding: finding.order))
    yield text.fixed(len(run.fixed), len(files), would=would)
    for path in files if run.asked.show_fixes else ():
        yield f"- {printable(shown_path(path))}:"
        counts = Counter((f.code, f.name) for f in run.fixed if f.path == path)
        width = len(str(max(counts.values())))
        for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            yield f"    {count:{width}} x {code} ({name})"


def tell(run: Run, stream: TextIO) -> int:
    """Write the reports; the exit status."""
    findings, unread = sorted(run.findings, key=lambda finding: finding.order), run.unusable
    findings = [] if run.asked.fix_only else findings
    try:
        findings = run.sieve.sift(findings, run.sources, run.decided)
    except SiftError as error:
        run.problem("command line", str(error))
    unsafe: bool = run.asked.unsafe_fixes
    remarks = [*_fixed(run)] if run.fixed or run.asked.fix_only else []
    if run.asked.add_noqa:
        from lint_sessions.linting import silence

        count, findings = len(findings), silence(findings, run)
        remarks.append(f"Silenced {text.number(count - len(findings), 'problem')}.")
    summary = text.summary(findings, run.files, unread, unsafe=unsafe, new=run.sieve.passes_new)
    left = [] if run.asked.fix_only else [*run.sieve.remarks, summary]
    remarks = [] if run.asked.quiet else [*remarks, *left]
    results = output.Results(
        findings,
        run.sources,
        run.root,
        remarks,
        not run.unusable and not run.faults,
        unsafe,
        run.asked.statistics,
        run.asked.explain,
    )
    for one in run.outputs:
        try:
            output.write(one, results, stream, color=run.asked.color)
        except WriteError as error:
            run.problem(str(one.file), str(error))
    if all(one.file for one in run.outputs):
        output.show(remarks, stream)
    return run.status(found=bool(findings))
