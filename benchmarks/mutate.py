"""Break sound code of real projects, fix what is reported of it, and hold the result against the original.

python benchmarks/mutate.py OUT PROJECT…      each PROJECT is a folder; a table and what is to be read go to OUT

A mutant is one function of which nothing was reported, with one thing taken out that a careful person had put in. Of
each function every kind of mutant is made once. What becomes of one:

    silent       nothing more is reported than before
    unfixed      it is reported, and no fix is offered
    same text    the fixed text is the original
    same tree    it differs from the original in comments, blank rows or layout alone
    same shape   it differs in how a session is closed: `with`, or `try` and `finally`; told by machine
    other        to be read: the three texts are in OUT/other.diff

All fixes are applied, unsafe ones too; LS404, which is opt-in, is selected as well. The projects are only read.
"""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import libcst as cst

from lint_sessions import engine, fixing
from lint_sessions.config import Config
from lint_sessions.edits import CLOSES, Lines, apply, call_of
from lint_sessions.engine import Analysis
from lint_sessions.finding import Edit
from lint_sessions.project.names import dotted, walk
from lint_sessions.project.scripts import is_test
from lint_sessions.registry import rules
from lint_sessions.source.document import Block, Document

SESSION = re.compile(r"(.*_)?(db|database|sess|session|s)", re.IGNORECASE)
"""What people call a session. A mutant may only look like one of ours: it is counted, as silent."""
PROVIDER = re.compile(r"(.*_)?(db|session)(_.*)?", re.IGNORECASE)
COROUTINES = frozenset(["commit", "delete", "execute", "flush", "get", "refresh", "rollback", "scalar", "scalars"])
OUTCOMES = ("silent", "unfixed", "same text", "same tree", "same shape", "other")

Mutator = Callable[[Lines, cst.CSTNode], Iterable[Edit] | None]


# --- mutators -----------------------------------------------------------------------------------------------------


def with_to_assignment(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """`with f() as db:` becomes `db = f()`, with a close at the end."""
    match node:
        case cst.With(items=[cst.WithItem(item=cst.Call(func=func) as call, asname=cst.AsName(name=cst.Name(name)))]):
            opened = (dotted(func) or "").rpartition(".")[2]
        case _:
            return None
    body = node.body
    if not SESSION.fullmatch(name) or opened in ("begin", "begin_nested", "closing", "") or not _is_block(body):
        return None
    rows, inner = lines.rows([node]), lines.rows(body.body)
    if not lines.text(rows.start).rstrip().endswith(":"):
        return None
    indent, end = lines.indent(rows.start), lines.start(rows.start + 1) - len(lines.newline(rows.start))
    source = lines.document.text
    start, stop = (lines.document.offset(place) for place in lines.block.span(call))
    edits = [Edit(lines.start(rows.start), end, f"{indent}{name} = {source[start:stop]}")]
    edits += lines.shallower(range(rows.start + 1, inner.stop))
    if not _leaves(body.body[-1]):
        edits.append(lines.insert(inner.stop, [f"{indent}{'await ' * bool(node.asynchronous)}{name}.close()"]))
    return edits


def finally_to_end(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """The close of a `finally` comes after what was in the `try`, and is not reached where that fails."""
    clause = _closing(node)
    if clause is None or not isinstance(node, cst.Try) or node.handlers or not _is_block(node.body):
        return None
    first, last = lines.rows([node]), lines.rows([clause])
    return [
        lines.delete(range(first.start, first.start + 1)),
        *lines.shallower(range(first.start + 1, last.start)),
        lines.delete(range(last.start, last.start + 1)),
        *lines.shallower(range(last.start + 1, first.stop)),
    ]


def drop_finally(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """The `finally` that closes goes, and the handlers stay."""
    clause = _closing(node)
    if clause is None or not isinstance(node, cst.Try) or not node.handlers:
        return None
    return [lines.delete(range(lines.rows([clause]).start, lines.rows([node]).stop))]


def drop_rollback(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """A handler does not roll back."""
    if not isinstance(node, cst.ExceptHandler) or not _is_block(node.body):
        return None
    return _without(lines, node.body.body, "rollback")


def drop_commit(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """What is written is not committed."""
    return _without(lines, node.body, "commit") if isinstance(node, cst.IndentedBlock) else None


def drop_raise(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """A handler of a generator takes an exception and does not raise it again."""
    match node:
        case cst.ExceptHandler(
            body=cst.IndentedBlock(body=[_, *_, cst.SimpleStatementLine(body=[cst.Raise(exc=None)]) as last])
        ):
            if any(isinstance(part, cst.Yield) for part in walk(lines.block.node)):
                return [lines.delete(lines.rows([last]))]
    return None


def call_provider(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """`Depends(get_db)` becomes `Depends(get_db())`."""
    match node:
        case cst.Call(func=cst.Name("Depends"), args=[cst.Arg(value=cst.Name() | cst.Attribute() as given), *_]):
            if PROVIDER.fullmatch((dotted(given) or "").rpartition(".")[2]):
                end = lines.document.offset(lines.block.span(given)[1])
                return [Edit(end, end, "()")]
    return None


def drop_await(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """A coroutine of a session is not awaited."""
    match node:
        case cst.Await(expression=cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(method))) as call):
            if method in COROUTINES and SESSION.fullmatch((dotted(owner) or "").rpartition(".")[2]):
                start = lines.document.offset(lines.block.span(node)[0])
                return [Edit(start, lines.document.offset(lines.block.span(call)[0]), "")]
    return None


def drop_call(lines: Lines, node: cst.CSTNode) -> list[Edit] | None:
    """`db.close()` becomes `db.close`."""
    match node:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call(func=cst.Attribute(value=cst.Name(name)) as func))]):
            if SESSION.fullmatch(name) and call_of(node, name, CLOSES):
                end, stop = (lines.document.offset(lines.block.span(part)[1]) for part in (func, node.body[0]))
                return [Edit(end, stop, "")]
    return None


MUTATORS: tuple[Mutator, ...] = (
    *(with_to_assignment, finally_to_end, drop_finally, drop_rollback, drop_commit),
    *(drop_raise, call_provider, drop_await, drop_call),
)


def _is_block(body: cst.BaseSuite) -> bool:
    return isinstance(body, cst.IndentedBlock)


def _leaves(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[-1], (cst.Return, cst.Raise))


def _closing(node: cst.CSTNode) -> cst.Finally | None:
    """The `finally` of a `try` that does nothing but close a session."""
    match node:
        case cst.Try(finalbody=cst.Finally(body=cst.IndentedBlock(body=[only])) as clause):
            names = [part.value for part in walk(only) if isinstance(part, cst.Name) and SESSION.fullmatch(part.value)]
            return clause if any(call_of(only, name, CLOSES) for name in names) else None
    return None


def _without(lines: Lines, suite: Sequence[cst.CSTNode], method: str) -> list[Edit] | None:
    """A suite without its first call of a session's method, which is a statement."""
    for statement in suite:
        names = [part.value for part in walk(statement) if isinstance(part, cst.Name) and SESSION.fullmatch(part.value)]
        if any(call_of(statement, name, frozenset([method])) for name in names):
            rows = lines.rows([statement])
            if len(suite) > 1:
                return [lines.delete(rows)]
            return [
                Edit(lines.start(rows.start), lines.start(rows.start), f"{lines.indent(rows.start)}pass\n"),
                lines.delete(rows),
            ]
    return None


# --- one project --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    kind: str
    function: str
    before: Document
    broken: Document


def mutants(document: Document, found: Sequence[str]) -> Iterator[Mutant]:
    """Those of the functions of a document of which nothing was `found`."""
    for block, name in functions(document.blocks):
        if name in found:
            continue
        lines = Lines(block)
        for mutator in MUTATORS:
            made = next((edits for node in walk(block.node) if (edits := mutator(lines, node))), None)
            if made is not None:
                broken = Document.from_bytes(document.path, document.encode(apply(document.text, made)))
                if _tree(broken) is not None:
                    yield Mutant(mutator.__name__, name, document, broken)


def functions(blocks: Iterable[Block], around: str = "") -> Iterator[tuple[Block, str]]:
    for block in blocks:
        name = f"{around}{block.name or ''}"
        if block.kind == "function":
            yield block, name
        yield from functions(block.children, f"{name}.")


def outcome(mutant: Mutant, base: Analysis) -> tuple[str, Document]:
    """What becomes of a mutant, and its fixed text."""
    before = _kinds(mutant.before, base)
    analysis = base.after({mutant.broken.path: mutant.broken})
    analysis.documents = {mutant.broken.path: mutant.broken}
    findings = engine.check_document(mutant.broken, analysis.config, analysis=analysis)
    state = fixing.State(analysis, {mutant.broken.path: findings})
    if all(before[fixing.kind(state, finding)] > 0 for finding in findings):
        return "silent", mutant.broken
    new = [finding for finding in findings if not before[fixing.kind(state, finding)]]
    fixed = fixing.fix(new, analysis, unsafe=True).after(mutant.broken)
    if fixed is mutant.broken:
        return "unfixed", fixed
    return compared(mutant.before, fixed), fixed


def compared(before: Document, fixed: Document) -> str:
    """How a fixed text differs from the original."""
    if fixed.text == before.text:
        return "same text"
    trees = _tree(before), _tree(fixed)
    if trees[0] is not None and trees[1] is not None:
        if ast.dump(trees[0]) == ast.dump(trees[1]):
            return "same tree"
        if ast.dump(Blocks().visit(trees[0])) == ast.dump(Blocks().visit(trees[1])):
            return "same shape"
    return "other"


def _kinds(document: Document, analysis: Analysis) -> Counter[fixing.Kind]:
    findings = engine.check_document(document, analysis.config, fixes=False, analysis=analysis)
    state = fixing.State(_only(document, analysis), {document.path: findings})
    return Counter(fixing.kind(state, finding) for finding in findings)


def _only(document: Document, analysis: Analysis) -> Analysis:
    analysis.documents[document.path] = document
    return analysis


def _tree(document: Document) -> ast.Module | None:
    try:
        return ast.parse(document.data)
    except SyntaxError:
        return None


class Blocks(ast.NodeTransformer):
    """Writes `db = f()` with a `try` after it that closes `db` in its `finally` as a `with` block."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            suite = getattr(node, field, None)
            if isinstance(suite, list):
                setattr(node, field, self._joined(suite))
        return node

    def _joined(self, suite: list[ast.stmt]) -> list[ast.stmt]:
        for i, (first, second) in enumerate(pairwise(suite)):
            match first, second:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=value),
                    ast.Try(
                        finalbody=[ast.Expr(value=ast.Await(value=ast.Call() as close) | (ast.Call() as close)) as last]
                    ),
                ) if value is not None and ast.unparse(close) == f"{name}.close()":
                    kind = ast.AsyncWith if isinstance(last.value, ast.Await) else ast.With
                    inner: list[ast.stmt] = second.body
                    if second.handlers:
                        inner = [ast.Try(second.body, second.handlers, second.orelse, [])]
                    item = ast.withitem(value, ast.Name(name, ast.Store()))
                    return [*suite[:i], kind([item], inner), *self._joined(suite[i + 2 :])]
        return suite


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    out, *projects = map(Path, arguments)
    out.mkdir(parents=True, exist_ok=True)
    counted: Counter[tuple[str, str]] = Counter()
    used = 0
    with (out / "other.diff").open("w", encoding="utf-8") as other:
        for project in projects:
            codes = tuple(rule.code for rule in rules() if rule.fixable is not None)
            analysis = Analysis(Config(project.resolve(), select=codes))
            report = engine.check([project.resolve()], analysis.config, fixes=False, analysis=analysis)
            before = counted.total()
            for document in list(analysis.documents.values()):
                if is_test(document.path, project.resolve()):
                    continue
                state = fixing.State(analysis, {})
                found = [fixing.kind(state, f)[2] for f in report.findings if f.path == document.path]
                for mutant in mutants(document, found):
                    what, fixed = outcome(mutant, analysis)
                    counted[mutant.kind, what] += 1
                    if what in ("other", "unfixed", "silent"):
                        other.write(told(mutant, what, fixed))
            used += counted.total() > before
            print(f"{project.name}: {counted.total() - before} mutants", flush=True)
            lines = "\n".join(table(counted, used))
            (out / "table.md").write_text(lines + "\n", encoding="utf-8")
    print(lines)
    return 0


def told(mutant: Mutant, what: str, fixed: Document) -> str:
    """What was broken, and how the fixed text differs from the original."""
    texts = [document.text.splitlines(keepends=True) for document in (mutant.before, mutant.broken, fixed)]
    name = f"{mutant.before.path.name}:{mutant.function}"
    broken = difflib.unified_diff(texts[0], texts[1], name, "broken", n=2)
    left = difflib.unified_diff(texts[0], texts[2], name, "fixed", n=3) if what == "other" else ()
    return "".join([f"=== {mutant.kind}: {what}\n", *broken, *left])


def table(counted: Counter[tuple[str, str]], projects: int) -> Iterator[str]:
    yield f"{counted.total()} mutants of {projects} projects"
    yield ""
    yield f"| mutant | made | {' | '.join(OUTCOMES)} |"
    yield f"| --- |{' ---: |' * (len(OUTCOMES) + 1)}"
    for kind in [mutator.__name__ for mutator in MUTATORS]:
        counts = [counted[kind, what] for what in OUTCOMES]
        yield f"| {kind.replace('_', ' ')} | {sum(counts)} | {' | '.join(map(str, counts))} |"
    sums = [sum(n for (_, what), n in counted.items() if what == each) for each in OUTCOMES]
    yield f"| all | {counted.total()} | {' | '.join(map(str, sums))} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
