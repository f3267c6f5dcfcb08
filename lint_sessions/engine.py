"""Gate, parse, run the rules in one traversal, collect; and the loop that applies fixes until nothing changes."""

from __future__ import annotations

import ast
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import libcst as cst

from lint_sessions.config import Config
from lint_sessions.context import Context
from lint_sessions.edits import apply
from lint_sessions.flow.blocking import Blocking
from lint_sessions.flow.summaries import SummaryTable
from lint_sessions.project.modules import Project
from lint_sessions.project.names import children
from lint_sessions.project.scopes import Scope, leaves
from lint_sessions.project.serving import Serving
from lint_sessions.project.sessions import Types
from lint_sessions.project.wiring import Wiring
from lint_sessions.registry import INVALID_SYNTAX, UNUSED_SUPPRESSION, known, rules
from lint_sessions.requirements import Requirements
from lint_sessions.rule import Edit, Finding, Fix, Position, Rule, Safety
from lint_sessions.source.document import Document, SourceError, SyntaxProblem
from lint_sessions.source.files import discover
from lint_sessions.source.suppress import Rules, Suppressions

MAX_PASSES = 10
"""Passes over one file before the fix loop stops."""


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


@dataclass(frozen=True)
class FixResult:
    """A document's text after its fixes, what was applied, and what is left to report."""

    text: str
    applied: tuple[Fix, ...]
    findings: tuple[Finding, ...]


class Analysis:
    """What is known of one project while it is being checked: each module read, each function followed at most once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.project = Project(config.root, (*config.exclude, *config.extend_exclude))
        self.types = Types(self.project, config.factories, config.providers)
        self.wiring = Wiring(self.types)
        self.serving = Serving(self.wiring)
        self.summaries = SummaryTable(self.types)
        self.blocking = Blocking(self.types)
        self.requirements = Requirements(config.root, config.fastapi_version)


def check(
    paths: Sequence[Path], config: Config, *, fixes: bool = True, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Check all Python files below `paths`; a file that can't be read is a problem, and the rest is still checked."""
    files, unreadable = discover(paths, root=config.root, exclude=(*config.exclude, *config.extend_exclude))
    problems = [Problem(path, message) for path, message in unreadable]
    analysis = Analysis(config)
    findings: list[Finding] = []
    checked = 0
    for i, path in enumerate(files):
        if progress is not None:
            progress(i, len(files))
        try:
            findings += check_document(Document.read(path), config, fixes=fixes, analysis=analysis)
            checked += 1
        except RecursionError:
            problems.append(Problem(path, "nested too deeply to be followed"))
        except SourceError as error:
            problems.append(Problem(path, str(error)))
        except Exception as error:
            problems.append(Problem(path, confession(error), fault=True))
    if progress is not None:
        progress(len(files), len(files))
    given_up = tuple(f"{s.module.path}: {s.qualified_name}" for s in analysis.summaries.given_up)
    return Report(tuple(sorted(findings, key=lambda f: f.order)), tuple(problems), checked, given_up)


def check_document(
    document: Document, config: Config, *, fixes: bool = True, analysis: Analysis | None = None
) -> tuple[Finding, ...]:
    """The findings in one document, `noqa` and the selection of rules applied."""
    path = document.path
    chosen = [r for r in rules() if config.selects(r.code, r.rule_name(), r.default, path)]
    parsed = True
    try:
        found = _unsuppressed(document, chosen, analysis or Analysis(config), fixes)
    except SyntaxProblem as problem:
        parsed = False
        if not config.selects(*INVALID_SYNTAX, True, path):
            return ()
        place = Position(problem.row, problem.column)
        finding = Finding(path, place, place, *INVALID_SYNTAX, f"the file can't be parsed: {problem.message}")
        found = [(finding, range(place.row, place.row + 1))]
    suppressions = Suppressions.of(document)
    kept = [finding for finding, rows in found if not suppressions.hides(finding, rows)]
    if parsed and config.selects(*UNUSED_SUPPRESSION, False, path):
        kept += _unused(document, suppressions, found, chosen, fixes)
    return tuple(sorted(kept, key=lambda finding: finding.order))


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
        text = _as_published(document.text[block.start : block.end], aliases).encode("utf-8", "replace")
        suspects = [rule for rule in chosen if all(re.search(gate, text) for gate in rule.gates)]
        if suspects:
            facts = analysis.summaries, analysis.blocking, analysis.serving, analysis.requirements, analysis.config
            context = Context(*facts, document.path, block, scope, fixes=fixes)
            _visit(block.node, _visitors([rule(context) for rule in suspects]), context)
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


# --- the fix loop -------------------------------------------------------------------------------------------------


def fix_document(document: Document, config: Config, *, unsafe: bool) -> FixResult:
    """Apply fixes until nothing changes; a pass whose outcome would not parse is not applied. Writes nothing."""
    applied: list[Fix] = []
    findings = check_document(document, config)
    for _ in range(MAX_PASSES):
        chosen = _apart(f.fix for f in findings if f.fix is not None and (unsafe or f.fix.safety is Safety.SAFE))
        if not chosen:
            break
        text = apply(document.text, [edit for fix in chosen for edit in fix.edits])
        changed = Document.from_bytes(document.path, document.encode(text))
        try:
            _ = changed.module
        except SyntaxProblem:
            break
        document = changed
        applied += chosen
        findings = check_document(document, config)
    return FixResult(document.text, tuple(applied), findings)


def _apart(fixes: Iterable[Fix]) -> list[Fix]:
    """The first fixes, in the order of their places, that do not touch each other; an outer one before an inner one."""
    chosen: list[Fix] = []
    end = -1
    for fix in sorted(fixes, key=lambda f: (min(e.start for e in f.edits), -max(e.end for e in f.edits))):
        if min(edit.start for edit in fix.edits) > end:
            chosen.append(fix)
            end = max(edit.end for edit in fix.edits)
    return chosen


def confession(error: Exception) -> str:
    """Our own fault in one line, with the rule or module in which it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    place = next((f for f in reversed(frames) if Path(f.filename).parent.name == "rules"), frames[-1])
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"{type(error).__name__} in {where}: {error}; please report this fault of lint-sessions"
