"""The files of a run, checked and fixed: what takes the analysis, and so is slow to import."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from lint_sessions import engine, fixing, registry, timing, workers
from lint_sessions.config import Config, ConfigError, Configs, Selection
from lint_sessions.fault import confession
from lint_sessions.finding import INVALID_SYNTAX, UNUSED_SUPPRESSION, Finding
from lint_sessions.registry import RegistryError, known
from lint_sessions.report import STDIN, Sources, diff, output, shown_path, source_root
from lint_sessions.report.terminal import Style, wants_colour
from lint_sessions.run import FAULT, UNUSABLE, Run, blame
from lint_sessions.sift import SiftError
from lint_sessions.source.document import Document
from lint_sessions.source.files import discover
from lint_sessions.source.suppress import silenced
from lint_sessions.write import replace


def lint_paths(run: Run) -> int | None:
    """Check the files that were asked for, and fix them if that was asked; the exit status where that can't be done."""
    configs = configs_of(run)
    if isinstance(configs, int):
        return configs
    with timing.stage("collect"):
        groups = groups_of(configs, run)
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
            run.fault(", ".join(map(shown_path, paths)), confession(error))
            continue
        run.files += report.files
        run.paths += paths
        unchecked = {problem.path for problem in report.problems}
        _note_left_out(run, config, (path for path in paths if path not in unchecked))
        if run.asked.verbose:
            for function in report.given_up:
                run.tell(f"{function}: too intricate to be followed, so nothing is reported for it")
        for problem in report.problems:
            (run.fault if problem.fault else run.problem)(shown_path(problem.path), problem.message)
        run.findings += _fix(report.findings, analysis, run) if fixing_wanted else report.findings
    return None


def configs_of(run: Run) -> Configs | int:
    """Where the configuration of each file is found; the exit status where what is configured can't be used."""
    asked = run.asked
    select = None if asked.select is None else tuple(asked.select)
    command = Selection(select, tuple(asked.ignore), tuple(asked.extend_select))
    try:
        Config(Path(), command=command).check_selectors(known())
        return Configs(isolated=asked.isolated, file=asked.config, command=command)
    except ConfigError as error:
        run.problem(*error.args)
        return UNUSABLE
    except RegistryError as error:
        run.fault("rules", f"{error}; please report this fault of lint-sessions")
        return FAULT


def lint_stdin(run: Run) -> int | None:
    """The same for the text on standard input; what fixes make of it goes to standard output."""
    configs = configs_of(run)
    if isinstance(configs, int):
        return configs
    path = Path(run.asked.stdin_filename) if run.asked.stdin_filename else STDIN
    data = sys.stdin.buffer.read()
    config = _config(configs, path.parent, path.parent, run)
    if config and not (run.asked.force_exclude and config.excludes(path)):
        with blame(path, run):
            document = Document.from_bytes(path, data)
            run.sources, run.files = Sources([document]), 1
            run.root = source_root([config.root])
            _note_left_out(run, config, [path])
            if run.asked.fix or run.asked.diff:
                fixed = fixing.fix_document(document, config, unsafe=run.asked.unsafe_fixes)
                run.findings += _settle(fixed, (), run)
                after = fixed.after(document)
                run.sources, data = Sources([after]), after.data
            else:
                run.findings += engine.check_document(document, config)
    if run.asked.fix and not run.asked.diff:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return None


def groups_of(configs: Configs, run: Run) -> dict[Config, dict[Path, None]]:
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


def _note_left_out(run: Run, config: Config, paths: Iterable[Path]) -> None:
    """Which rules do not run on which files, for a baseline: what it knows of those is not gone."""
    if run.sieve.old is not None:
        rules = [(rule.code, rule.rule_name(), rule.default) for rule in registry.rules()]
        rules += [(*INVALID_SYNTAX, True), (*UNUSED_SUPPRESSION, False)]
        for path in paths:
            codes = tuple(code for code, name, default in rules if not config.selects(code, name, default, path))
            run.left_out[os.path.abspath(path)] = codes


def _fix(findings: Sequence[Finding], analysis: engine.Analysis, run: Run) -> Sequence[Finding]:
    """Fix what was found, or show how; what is left to report."""
    try:
        fixed = fixing.fix(findings, analysis, unsafe=run.asked.unsafe_fixes)
    except Exception as error:
        run.fault("the fixes", confession(error))
        return findings
    return _settle(fixed, findings, run)


def _settle(fixed: fixing.Fixed, findings: Sequence[Finding], run: Run) -> list[Finding]:
    """Write or show what the fixes have made of the files in which these were the findings; what is left to report."""
    for fault in fixed.faults:
        (run.fault if fault.fault else run.say)(shown_path(fault.path), fault.message)
    unwritten = {before.path for before, after in fixed.changed if not _keep(before, after, run)}
    run.fixed += (finding for finding in fixed.applied if finding.path not in unwritten)
    left = [finding for finding in fixed.findings if finding.path not in unwritten]
    return left + [finding for finding in findings if finding.path in unwritten]


def _keep(before: Document, after: Document, run: Run) -> bool:
    """Write what the fixes have made of a file, or show it; whether that went well."""
    with blame(before.path, run):
        if run.asked.diff:
            style = Style(wants_colour(run.asked.color, sys.stdout, os.environ))
            output.show(diff.unified(before.path, before.text, after.text, style), sys.stdout)
        elif "-" not in run.asked.paths:
            replace(before.path, before.data, after.data)
        return True
    return False


def silence(findings: Iterable[Finding], run: Run) -> list[Finding]:
    """Write a comment at each finding; what is left to report."""
    left: list[Finding] = []
    for path, found in groupby(findings, lambda finding: finding.path):
        here = list(found)
        kept = [finding for finding in here if finding.code in (INVALID_SYNTAX[0], UNUSED_SUPPRESSION[0])]
        unwritten = here
        with blame(path, run):
            document = Document.read(path)
            commented, homeless = silenced(document, [finding for finding in here if finding not in kept])
            replace(path, document.data, commented.data)
            unwritten = [*kept, *homeless]
        left += unwritten
    return left
