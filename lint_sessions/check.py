"""`lint-sessions check`: find, then fix or show how, then print."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final, TextIO

from lint_sessions import engine, fixing, workers
from lint_sessions.config import Config, ConfigError, Configs, Selection
from lint_sessions.finding import Finding
from lint_sessions.pages import pages
from lint_sessions.progress import Progress
from lint_sessions.registry import INVALID_SYNTAX, UNUSED_SUPPRESSION, RegistryError, known
from lint_sessions.report import STDIN, Sources, diff, output, shown_path, source_root, text
from lint_sessions.report.terminal import Style, printable, wants_colour
from lint_sessions.sift import Sieve, SiftError
from lint_sessions.source.document import Document, SourceError
from lint_sessions.source.files import discover
from lint_sessions.source.suppress import silenced
from lint_sessions.write import WriteError, replace

CLEAN: Final = 0
FOUND: Final = 1
UNUSABLE: Final = 2
FAULT: Final = 3


@dataclass
class Run:
    """One run of the command: what it was asked for, and what it has come to so far."""

    asked: Namespace
    progress: Progress
    outputs: Sequence[output.Output] = ()
    sieve: Sieve = field(default_factory=Sieve)
    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    unusable: int = 0
    faults: int = 0
    fixed: list[Finding] = field(default_factory=list)
    sources: Sources = field(default_factory=Sources)
    root: Path = field(default_factory=Path.cwd)
    configs: dict[Path, Config] = field(default_factory=dict)
    """Of each file that could be checked."""
    refused: set[str] = field(default_factory=set)
    """Configurations already complained of."""

    def problem(self, place: str, message: str) -> None:
        """Input that cannot be used; the run goes on."""
        self.unusable += 1
        self.tell(f"{place}: {message}")

    def fault(self, place: str, message: str) -> None:
        """A fault of our own; the run goes on."""
        self.faults += 1
        self.tell(f"{place}: {message}")

    def decided(self, code: str, path: Path) -> bool:
        """Whether what ran can tell that a rule finds nothing in a file."""
        config = self.configs.get(path)
        if config is None or any(_absolute(f.path) == path and f.code == INVALID_SYNTAX[0] for f in self.findings):
            return False
        page = next((page for page in pages() if page.code == code), None)
        return page is None or config.selects(code, page.name, page.default, path)

    def tell(self, message: str) -> None:
        self.progress.close()
        print(f"lint-sessions: {printable(message)}", file=sys.stderr)

    def status(self, *, found: bool) -> int:
        if self.unusable:
            return UNUSABLE
        if self.faults:
            return FAULT
        return FOUND if found and not self.asked.exit_zero else CLEAN


def check(asked: Namespace) -> int:
    """Run the command with its parsed arguments and return its exit status."""
    started = time.monotonic()
    asked.fix = asked.fix or asked.fix_only
    run = Run(asked, Progress(wanted=not asked.quiet))
    select = None if asked.select is None else tuple(asked.select)
    command = Selection(select, tuple(asked.ignore), tuple(asked.extend_select))
    try:
        Config(Path(), command=command).check_selectors(known())
        configs = Configs(isolated=asked.isolated, file=asked.config, command=command)
    except ConfigError as error:
        run.problem(*error.args)
        return UNUSABLE
    except RegistryError as error:
        run.fault("rules", f"{error}; please report this fault of lint-sessions")
        return FAULT
    if clash := _clash(asked):
        run.problem(*clash)
        return UNUSABLE
    try:
        named = asked.output_format or ()
        run.outputs = output.plan(named, asked.output_file, bool(asked.statistics), os.environ)
        run.sieve = Sieve.of(asked)
    except (output.OutputError, SiftError) as error:
        run.problem("command line", str(error))
        return UNUSABLE
    with closing(run.progress):
        status = _check_stdin(configs, run) if "-" in asked.paths else _check_paths(configs, run)
    if asked.verbose:
        run.tell(f"{run.files} files in {time.monotonic() - started:.2f} s")
    return status


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


def _check_paths(configs: Configs, run: Run) -> int:
    groups = _groups(configs, run)
    run.root = source_root([config.root for config in groups])
    try:
        run.sieve.look_at(run.root)
    except SiftError as error:
        run.problem("command line", str(error))
        return UNUSABLE
    jobs = run.asked.jobs or workers.usable_cores()
    fixing_wanted = run.asked.fix or run.asked.diff
    for config, paths in groups.items():
        analysis = engine.Analysis(config)
        try:
            report = workers.check(
                tuple(paths), config, analysis, jobs=jobs, documents=fixing_wanted, progress=run.progress
            )
        except Exception as error:
            run.fault(", ".join(map(shown_path, paths)), engine.confession(error))
            continue
        run.files += report.files
        unchecked = {problem.path for problem in report.problems}
        run.configs |= {_absolute(path): config for path in paths if path not in unchecked}
        if run.asked.verbose:
            for function in report.given_up:
                run.tell(f"{function}: too intricate to be followed, so nothing is reported for it")
        for problem in report.problems:
            (run.fault if problem.fault else run.problem)(shown_path(problem.path), problem.message)
        run.findings += _fix(report.findings, analysis, run) if fixing_wanted else report.findings
    run.progress.close()
    if run.asked.diff:
        return _end_of_diff(run)
    return _tell(run, sys.stdout)


def _check_stdin(configs: Configs, run: Run) -> int:
    path = Path(run.asked.stdin_filename) if run.asked.stdin_filename else STDIN
    data = sys.stdin.buffer.read()
    config = _config(configs, path.parent, path.parent, run)
    if config and not (run.asked.force_exclude and config.excludes(path)):
        with _blame(path, run):
            document = Document.from_bytes(path, data)
            run.sources, run.files = Sources([document]), 1
            run.root, run.configs = source_root([config.root]), {_absolute(path): config}
            if run.asked.fix or run.asked.diff:
                fixed = fixing.fix_document(document, config, unsafe=run.asked.unsafe_fixes)
                run.findings += _settle(fixed, (), run)
                after = fixed.after(document)
                run.sources, data = Sources([after]), after.data
            else:
                run.findings += engine.check_document(document, config)
    if run.asked.diff:
        return _end_of_diff(run)
    if run.asked.fix:
        # Standard output is the file; what is left to say goes elsewhere.
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return _tell(run, sys.stderr if run.asked.fix else sys.stdout)


def _groups(configs: Configs, run: Run) -> dict[Config, dict[Path, None]]:
    """The files to check under the configuration that holds for each: a project may lie inside another."""
    groups: dict[Config, dict[Path, None]] = {}
    for given in map(Path, run.asked.paths or ["."]):
        folder = given if given.is_dir() else given.parent
        outer = _config(configs, folder, folder, run)
        if not outer:
            continue
        files, unusable = discover([given], root=outer.root, exclude=(*outer.exclude, *outer.extend_exclude))
        for path, message in unusable:
            run.problem(shown_path(path), message)
        for file in files:
            config = _config(configs, file.parent, folder, run)
            wanted = file == given and not run.asked.force_exclude
            if config and (wanted or not config.excludes(file)):
                groups.setdefault(config, {})[file] = None
    if run.asked.verbose:
        for config in groups:
            run.tell(f"configuration: {config.file or 'none'}; root: {config.root}")
    return groups


def _config(configs: Configs, folder: Path, given: Path, run: Run) -> Config | None:
    try:
        config = configs.of_folder(folder, given)
        config.check_selectors(known())
    except ConfigError as error:
        if str(error) not in run.refused:
            run.refused.add(str(error))
            run.problem(*error.args)
        return None
    return config


def _fix(findings: Sequence[Finding], analysis: engine.Analysis, run: Run) -> Sequence[Finding]:
    """Fix what was found, or show how; what is left to report."""
    try:
        fixed = fixing.fix(findings, analysis, unsafe=run.asked.unsafe_fixes)
    except Exception as error:
        run.fault("the fixes", engine.confession(error))
        return findings
    return _settle(fixed, findings, run)


def _settle(fixed: fixing.Fixed, findings: Sequence[Finding], run: Run) -> list[Finding]:
    """Write or show what the fixes have made of the files in which these were the findings; what is left to report."""
    for fault in fixed.faults:
        run.fault(shown_path(fault.path), fault.message)
    unwritten = {before.path for before, after in fixed.changed if not _keep(before, after, run)}
    run.fixed += (finding for finding in fixed.applied if finding.path not in unwritten)
    left = [finding for finding in fixed.findings if finding.path not in unwritten]
    return left + [finding for finding in findings if finding.path in unwritten]


def _keep(before: Document, after: Document, run: Run) -> bool:
    """Write what the fixes have made of a file, or show it; whether that went well."""
    with _blame(before.path, run):
        if run.asked.diff:
            style = Style(wants_colour(run.asked.color, sys.stdout, os.environ))
            output.show(diff.unified(before.path, before.text, after.text, style), sys.stdout)
        elif "-" not in run.asked.paths:
            replace(before.path, before.data, after.data)
        return True
    return False


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


@contextmanager
def _blame(path: Path, run: Run) -> Iterator[None]:
    """Turn what goes wrong with one file into one line about it."""
    try:
        yield
    except (SourceError, WriteError) as error:
        run.problem(shown_path(path), str(error))
    except Exception as error:
        run.fault(shown_path(path), engine.confession(error))


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


def _tell(run: Run, stream: TextIO) -> int:
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
        count, findings = len(findings), _silence(findings, run)
        remarks.append(f"Silenced {text.number(count - len(findings), 'problem')}.")
    summary = text.summary(findings, run.files, unread, unsafe=unsafe, new=run.sieve.passes_new)
    left = [] if run.asked.fix_only else [*run.sieve.remarks, summary]
    remarks = [] if run.asked.quiet else [*remarks, *left]
    results = output.Results(
        findings, run.sources, run.root, remarks, not run.unusable and not run.faults, unsafe, run.asked.statistics
    )
    for one in run.outputs:
        try:
            output.write(one, results, stream, color=run.asked.color)
        except WriteError as error:
            run.problem(str(one.file), str(error))
    if all(one.file for one in run.outputs):
        output.show(remarks, stream)
    return run.status(found=bool(findings))


def _silence(findings: Iterable[Finding], run: Run) -> list[Finding]:
    """Write a comment at each finding; what is left to report."""
    left: list[Finding] = []
    for path, found in groupby(findings, lambda finding: finding.path):
        here = list(found)
        kept = [finding for finding in here if finding.code in (INVALID_SYNTAX[0], UNUSED_SUPPRESSION[0])]
        unwritten = here
        with _blame(path, run):
            document = Document.read(path)
            commented, homeless = silenced(document, [finding for finding in here if finding not in kept])
            replace(path, document.data, commented.data)
            unwritten = [*kept, *homeless]
        left += unwritten
    return left
