"""Gate, parse, run the rules in one traversal, collect."""

from __future__ import annotations

import ast
import gc
import re
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import libcst as cst

from lint_sessions import timing
from lint_sessions.config import Config
from lint_sessions.config.settings import absolute
from lint_sessions.context import Context
from lint_sessions.fault import confession
from lint_sessions.finding import INVALID_SYNTAX, UNUSED_SUPPRESSION, Edit, Finding, Fix, Position, Safety
from lint_sessions.flow.blocking import Blocking
from lint_sessions.flow.summaries import SummaryTable
from lint_sessions.project.modules import Project
from lint_sessions.project.names import children
from lint_sessions.project.scopes import Scope, leaves
from lint_sessions.project.serving import Serving
from lint_sessions.project.sessions import Types
from lint_sessions.project.wiring import Wiring
from lint_sessions.registry import known, rules
from lint_sessions.requirements import Requirements
from lint_sessions.rule import Rule
from lint_sessions.source.document import Document, SourceError, SyntaxProblem
from lint_sessions.source.files import discover
from lint_sessions.source.suppress import Rules, Suppressions


@dataclass(frozen=True)
class Problem:
    """Input that could not be checked; `fault` when the reason is ours."""

    path: Path
    message: str
    fault: bool = False


@dataclass(frozen=True)
class Report:
    """The outcome of one run, findings in the order of their places."""

    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    files: int
    given_up: tuple[str, ...] = ()
    """Functions that were too intricate to be followed, as `path: name`; nothing is reported for them."""


class Analysis:
    """What is known of one project while it is being checked: each module read, each function followed at most once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.documents: dict[Path, Document] = {}
        """The files that could be checked, by the paths they were given by."""
        self.project = Project(config.root, (*config.exclude, *config.extend_exclude))
        self.types = Types(self.project, config.factories, config.providers)
        self.wiring = Wiring(self.types)
        self.serving = Serving(self.wiring)
        self.summaries = SummaryTable(self.types)
        self.blocking = Blocking(self.types)
        self.requirements = Requirements(config.root, config.fastapi_version)

    def after(self, changed: Mapping[Path, Document], without: Container[Path] = ()) -> Analysis:
        """The same project with another text in some files: nothing is known of it, but what is parsed stays parsed.
        What is read of files `without` which it is, by absolute paths, is forgotten."""
        analysis = Analysis(self.config)
        kept = {path: document for path, document in self.documents.items() if path not in without}
        analysis.documents = {**kept, **changed}
        read = (document for document in self.project.documents if absolute(document.path) not in without)
        for document in (*read, *changed.values()):
            analysis.project.add(document)
        return analysis


def check(
    paths: Sequence[Path],
    config: Config,
    *,
    fixes: bool = True,
    progress: Callable[[int, int], None] | None = None,
    analysis: Analysis | None = None,
) -> Report:
    """Check all Python files below `paths`; a file that can't be read is a problem, and the rest is still checked."""
    files, unreadable = discover(paths, root=config.root, exclude=(*config.exclude, *config.extend_exclude))
    report = check_files(files, config, fixes=fixes, progress=progress, analysis=analysis)
    problems = tuple(Problem(path, message) for path, message in unreadable)
    return replace(report, problems=(*problems, *report.problems))


def check_files(
    files: Sequence[Path],
    config: Config,
    *,
    fixes: bool = True,
    progress: Callable[[int, int], None] | None = None,
    analysis: Analysis | None = None,
) -> Report:
    """Check these files, which are known to be there: nobody looks for them again."""
    analysis = analysis or Analysis(config)
    problems: list[Problem] = []
    findings: list[Finding] = []
    checked = 0
    with _keeping_all():
        for i, path in enumerate(files):
            if progress is not None:
                progress(i, len(files))
            try:
                with timing.stage("gates"):
                    document = Document.read(path)
                timing.read(document.data)
                findings += check_document(document, config, fixes=fixes, analysis=analysis)
                analysis.documents[path] = document
                checked += 1
            except RecursionError:
                problems.append(Problem(path, "nested too deeply to be followed; add it to extend-exclude"))
            except SourceError as error:
                problems.append(Problem(path, str(error)))
            except Exception as error:
                problems.append(Problem(path, confession(error), fault=True))
    if progress is not None:
        progress(len(files), len(files))
    given_up = tuple(f"{s.module.path}: {s.qualified_name}" for s in analysis.summaries.given_up)
    return Report(tuple(sorted(findings, key=lambda f: f.order)), tuple(problems), checked, given_up)


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Without the cycle collector, which takes a sixth of the time of a run to find that the analysis, of which nothing
    is dropped, has no garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def check_document(
    document: Document, config: Config, *, fixes: bool = True, analysis: Analysis | None = None
) -> tuple[Finding, ...]:
    """The findings in one document, `noqa` and the selection of rules applied."""
    path = document.path
    chosen = [r for r in rules() if config.selects(r.code, r.rule_name(), r.default, path)]
    parsed = True
    try:
        with timing.stage("gates"):
            found = _unsuppressed(document, chosen, analysis or Analysis(config), fixes)
    except SyntaxProblem as problem:
        parsed = False
        if not config.selects(*INVALID_SYNTAX, True, path):
            return ()
        place = Position(problem.row, problem.column)
        finding = Finding(path, place, place, *INVALID_SYNTAX, f"the file can't be parsed: {problem.message}")
        found = [(finding, range(place.row, place.row + 1))]
    suppressions = Suppressions.of(document)
    kept = [replace(finding, rows=rows) for finding, rows in found if not suppressions.hides(finding, rows)]
    if parsed and config.selects(*UNUSED_SUPPRESSION, False, path):
        kept += _unused(document, suppressions, found, chosen, fixes)
    return tuple(sorted((_held(finding, config) for finding in kept), key=lambda finding: finding.order))


def _held(finding: Finding, config: Config) -> Finding:
    """The finding, its fix as safe as the configuration holds it to be."""
    if finding.fix is None:
        return finding
    safety = config.safety(finding.code, finding.name, finding.fix.safety)
    return replace(finding, fix=replace(finding.fix, safety=safety))


def _unused(
    document: Document,
    suppressions: Suppressions,
    found: Sequence[tuple[Finding, range]],
    chosen: Iterable[type[Rule]],
    fixes: bool,
) -> Iterator[Finding]:
    """What LS001 finds; nothing silences it but its own code or name."""
    ran = frozenset({(rule.code, rule.rule_name()) for rule in chosen} | {INVALID_SYNTAX, UNUSED_SUPPRESSION})
    for unused in suppressions.unused(found, Rules(ran, frozenset(known()) - ran)):
        comment = unused.comment
        if suppressions.names(UNUSED_SUPPRESSION, comment.row):
            continue
        named = "noqa: " + ", ".join(unused.names) if unused.names else "lint-sessions: noqa"
        fix = Fix("Remove it", Safety.SAFE, (Edit(*unused.removal(document.text)),)) if fixes else None
        start, end = document.position(comment.start), document.position(comment.end)
        yield Finding(document.path, start, end, *UNUSED_SUPPRESSION, f"`{named}` silences nothing", (), fix)


def _unsuppressed(
    document: Document, chosen: Sequence[type[Rule]], analysis: Analysis, fixes: bool
) -> list[tuple[Finding, range]]:
    _check_syntax(document)
    module = analysis.project.add(document)
    found: list[tuple[Finding, range]] = []
    aliases = {alias: name for name, alias in _ALIAS.findall(document.text)}
    for block, scope in leaves(module.blocks, analysis.types.module_scope(module)):
        text = _as_published(block.text, aliases).encode("utf-8", "replace")
        suspects = [rule for rule in chosen if all(re.search(gate, text) for gate in rule.gates)]
        if suspects:
            facts = analysis.summaries, analysis.blocking, analysis.serving, analysis.requirements, analysis.config
            context = Context(*facts, document.path, block, scope, fixes=fixes)
            try:
                with timing.stage("rules"):
                    _visit(block.node, _visitors([rule(context) for rule in suspects]), context)
            except SyntaxProblem:
                # That of this file, or of another that it imports: then that one is told of, and this block is left.
                _ = document.module
            found += context.findings
    return found


_ALIAS = re.compile(r"\b(\w+)[ \t]+as[ \t]+(\w+)[ \t]*(?=[,)\r\n#]|\Z)")


def _as_published(text: str, aliases: dict[str, str]) -> str:
    """A text as the gates see it: what the file imports under another name goes by its own there as well."""
    found = {word for word in aliases if word in text}
    return "\n".join([text, *(re.sub(rf"\b{word}\b", aliases[word], text) for word in sorted(found))])


def _check_syntax(document: Document) -> None:
    """Raise SyntaxProblem where LibCST can't parse the file; Python's own parser, being quicker, is asked first."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(document.data, "<document>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        _ = document.module


# --- the traversal ------------------------------------------------------------------------------------------------

Visit = Callable[[cst.CSTNode], object]


def _visitors(visitors: Iterable[Rule]) -> dict[str, list[Visit]]:
    """The visit methods of the rules by the name of the node type they visit."""
    methods: dict[str, list[Visit]] = {}
    for visitor in visitors:
        for name in _visit_names(type(visitor)):
            methods.setdefault(name.removeprefix("visit_"), []).append(getattr(visitor, name))
    return methods


@cache
def _visit_names(rule: type[Rule]) -> tuple[str, ...]:
    return tuple(name for name in vars(rule) if name.startswith("visit_"))


def _visit(node: cst.CSTNode, visitors: dict[str, list[Visit]], context: Context) -> None:
    """Call the visit methods of all rules on `node` and all in it, parents first, with the scope around each."""
    stack: list[tuple[cst.CSTNode, Scope]] = [(node, context.scope)]
    while stack:
        current, scope = stack.pop()
        context.scope = scope
        for visit in visitors.get(type(current).__name__, ()):
            visit(current)
        inner = (
            scope.child(current, context.block)
            if isinstance(current, (cst.FunctionDef, cst.ClassDef, cst.Lambda))
            else scope
        )
        stack.extend((part, inner) for part in reversed(children(current)))
