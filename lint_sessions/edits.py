"""Text edits that a careful person would make: wrap statements in a block, insert and delete lines.

Edits work on the text between statements, so that comments, strings and newlines stay as they are; rows inside a string
that spans several are never re-indented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

import libcst as cst

from lint_sessions.finding import Edit, Fix, Position, Safety
from lint_sessions.late import hangers_on, returns_lazily
from lint_sessions.project.names import bindings, children, mentions, path_to, walk
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.source.document import Block


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits made that do not overlap."""
    parts: list[str] = []
    place = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        parts += [text[place : edit.start], edit.text]
        place = edit.end
    return "".join([*parts, text[place:]])


class Lines:
    """The rows of one block's document, and edits on whole rows."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.document = block.document

    def rows(self, nodes: Sequence[cst.CSTNode]) -> range:
        """The rows from the first to the last of some nodes."""
        return range(self.block.span(nodes[0])[0].row, self.block.span(nodes[-1])[1].row + 1)

    def with_comments(self, rows: range, after: int) -> range:
        """The rows, and those of the comments right above them, down to the row `after`."""
        first = rows.start
        while first - 1 > after and self.text(first - 1).lstrip().startswith("#"):
            first -= 1
        return range(first, rows.stop)

    def start(self, row: int) -> int:
        """The offset of a row's first character; of the row after the last, the end of the text."""
        try:
            return self.document.offset(Position(row, 1))
        except (ValueError, IndexError):
            return len(self.document.text)

    def text(self, row: int) -> str:
        """A row with its newline."""
        return self.document.text[self.start(row) : self.start(row + 1)]

    def indent(self, row: int) -> str:
        """The white space that a row begins with, past a form feed, from which Python counts anew."""
        found = re.match(r"[ \t]*", self.text(row)[self._margin(row) :])
        return found.group() if found else ""

    def _margin(self, row: int) -> int:
        """The column from 0 at which the indentation of a row begins."""
        found = re.match(r"[ \t\f]*\f", self.text(row))
        return found.end() if found else 0

    def newline(self, row: int) -> str:
        """The newline a row ends with; of a last row without one, that of the first row."""
        for text in (self.text(row), self.text(1)):
            stripped = text.rstrip("\r\n")
            if stripped != text:
                return text[len(stripped) :]
        return "\n"

    @property
    def step(self) -> str:
        """One level of indentation, as the body of the block has it."""
        body = getattr(self.block.node, "body", None)
        if isinstance(body, cst.IndentedBlock) and body.body:
            outer = self.indent(self.rows([self.block.node]).start)
            inner = self.indent(self.rows([body.body[0]]).start)
            return inner.removeprefix(outer) or "    "
        return "    "

    def insert(self, row: int, lines: Iterable[str]) -> Edit:
        """Put lines before a row."""
        newline = self.newline(max(row - 1, 1))
        place = self.start(row)
        text = "".join(line + newline for line in lines)
        before = self.document.text[:place]
        if before and not before.endswith(("\n", "\r")):
            text = newline + text.removesuffix(newline)
        return Edit(place, place, text)

    def copied(self, rows: range) -> list[str]:
        """The text of rows, without their newlines."""
        return [self.text(row).rstrip("\r\n") for row in rows]

    def with_blank(self, rows: range) -> range:
        """The rows, and the blank ones above that would stand twice when they are gone."""
        first = rows.start
        while not self.text(rows.stop).strip() and first > 1 and not self.text(first - 1).strip():
            first -= 1
        return range(first, rows.stop)

    def blank(self, rows: range) -> range:
        """The blank rows at the beginning of some rows; not where a backslash goes on to them."""
        if self.text(rows.start - 1).rstrip().endswith("\\"):
            return range(rows.start, rows.start)
        stop = next((row for row in rows if self.text(row).strip()), rows.stop)
        return range(rows.start, stop)

    def delete(self, rows: range) -> Edit:
        """Take out whole rows."""
        return Edit(self.start(rows.start), self.start(rows.stop), "")

    def deeper(self, rows: Sequence[int], step: str) -> list[Edit]:
        """Indent rows by one more level, but for blank ones and those that begin inside a string."""
        inside = self._rows_in_strings(rows)
        kept = [row for row in rows if row not in inside and self.text(row).strip(" \t\f\r\n")]
        starts = [self.start(row) + self._margin(row) for row in kept]
        return [Edit(start, start, step) for start in starts]

    def shallower(self, rows: range) -> list[Edit]:
        """Take one level of indentation from rows, but for blank ones and those that begin inside a string."""
        inside = self._rows_in_strings(rows)
        kept = [row for row in rows if row not in inside and self.indent(row).startswith(self.step)]
        starts = [self.start(row) + self._margin(row) for row in kept]
        return [Edit(start, start + len(self.step), "") for start in starts]

    def _rows_in_strings(self, rows: Iterable[int]) -> set[int]:
        found: set[int] = set()
        for node in walk(self.block.node):
            if isinstance(node, (cst.SimpleString, cst.FormattedString, cst.TemplatedString)):
                start, end = self.block.span(node)
                found.update(range(start.row + 1, end.row + 1))
        return found & set(rows)


def siblings(root: cst.CSTNode, node: cst.CSTNode) -> tuple[Sequence[cst.CSTNode], int] | None:
    """The statements of the suite in which `node` stands somewhere inside one, and the place of that one; innermost."""
    best: tuple[Sequence[cst.CSTNode], int] | None = None
    for part in walk(root):
        if isinstance(part, (cst.IndentedBlock, cst.Module)):
            for i, statement in enumerate(part.body):
                if any(inner is node for inner in walk(statement)):
                    best = (part.body, i)
    return best


def call_of(statement: cst.CSTNode, name: str, methods: frozenset[str]) -> bool:
    """Whether a statement is just `name.method()` or `await name.method()`."""
    match statement:
        case cst.SimpleStatementLine(body=[cst.Expr(value=value)]):
            if isinstance(value, cst.Await):
                value = value.expression
            match value:
                case cst.Call(func=cst.Attribute(value=cst.Name(value=owner), attr=cst.Name(value=method)), args=[]):
                    return owner == name and method in methods
    return False


CLOSES = frozenset(["close", "aclose"])
_STARTING = frozenset(
    ["create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon", "submit", "run_in_executor", "Thread"]
    + ["add_task", "BackgroundTask"]
)
"""What begins work that nobody here waits for."""


def only_closes(statement: cst.CSTNode, name: str) -> cst.Finally | None:
    """The `finally` of a `try` that does nothing but close what a name holds."""
    match statement:
        case cst.Try(finalbody=cst.Finally(body=cst.IndentedBlock(body=[only])) as clause):
            return clause if call_of(only, name, CLOSES) else None
    return None


def closed_name(statement: cst.CSTNode) -> str | None:
    """The name that a statement does nothing but close."""
    names = {part.value for part in walk(statement) if isinstance(part, cst.Name)}
    return next((name for name in names if call_of(statement, name, CLOSES)), None)


class Acquisition:
    """A statement `name = <call that makes a session>`, and the suite it stands in."""

    def __init__(
        self, lines: Lines, suite: Sequence[cst.CSTNode], place: int, name: str, value: cst.BaseExpression
    ) -> None:
        self.lines = lines
        self.suite = suite
        self.place = place
        self.name = name
        self.value = value

    @classmethod
    def of(cls, block: Block, call: cst.CSTNode) -> Acquisition | None:
        """The statement that binds what `call` gives to one plain name; None when there is no such statement."""
        found = siblings(block.node, call)
        if found is None:
            return None
        suite, place = found
        match suite[place]:
            case cst.SimpleStatementLine(
                body=[
                    cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value)
                    | cst.AnnAssign(target=cst.Name(value=name), value=cst.BaseExpression() as value)
                ]
            ) if value is call or (isinstance(value, cst.Await) and value.expression is call):
                return cls(Lines(block), suite, place, name, value)
        return None

    @property
    def statement(self) -> cst.CSTNode:
        return self.suite[self.place]

    @property
    def rest(self) -> Sequence[cst.CSTNode]:
        """The statements after it in its suite."""
        return self.suite[self.place + 1 :]

    def is_close(self, statement: cst.CSTNode) -> bool:
        return call_of(statement, self.name, CLOSES)

    def is_half_closed(self, *, is_async: bool) -> bool:
        """Whether a later statement names the close without calling it, or calls it without awaiting it: that is
        what has to be mended then."""
        statements = (part.value for statement in self.rest for part in walk(statement) if isinstance(part, cst.Expr))
        for value in statements:
            match value.func if is_async and isinstance(value, cst.Call) else value:
                case cst.Attribute(value=cst.Name(value=owner), attr=cst.Name(value=method)):
                    if owner == self.name and method in CLOSES:
                        return True
        return False

    def mentions(self, statement: cst.CSTNode) -> bool:
        return mentions(statement, self.name)

    def rebinds(self) -> bool:
        """Whether a later statement of the suite gives the name another value."""
        bound = (binding for statement in self.rest for binding in bindings(_wrapped(statement)))
        deleted = (part for statement in self.rest for part in walk(statement) if isinstance(part, cst.Del))
        return any(b.name == self.name for b in bound) or any(self.mentions(part) for part in deleted)

    def is_used_outside(self) -> bool:
        """Whether the name, or that of what needs the session still, is mentioned where a run may come by after the
        suite, or in the next turn of a loop."""
        names = hangers_on(self.rest, self.name)
        path = path_to(self.lines.block.node, self.statement)
        inside = {id(self.statement), *map(id, self.rest)}
        first = max((i for i, node in enumerate(path) if isinstance(node, cst.FunctionDef)), default=0)
        for outer, inner in pairwise(path[first:]):
            if isinstance(outer, cst.If):
                continue  # of the branches one is taken
            parts = children(outer)
            if not isinstance(outer, (cst.For, cst.While)):
                parts = parts[next(i for i, part in enumerate(parts) if part is inner) + 1 :]
            if any(_is_read(part, names, inside) for part in parts):
                return True
        return False

    def uses_and_rest(self) -> tuple[Sequence[cst.CSTNode], Sequence[cst.CSTNode]]:
        """The statements of the suite down to the last that needs the session, and those after it."""
        last = self._last(self.rest)
        return ([], self.rest) if last is None else (self.rest[: last + 1], self.rest[last + 1 :])

    def _last(self, statements: Sequence[cst.CSTNode]) -> int | None:
        """The place of the last statement that mentions the name, or what needs the session still; where the code
        itself closes it, that of the close."""
        named = [i for i, statement in enumerate(statements) if self.mentions(statement)]
        if not named or self.is_close(statements[named[-1]]):
            return named[-1] if named else None
        names = hangers_on(statements, self.name)
        return max(i for i, statement in enumerate(statements) if any(mentions(statement, name) for name in names))

    def enclosed(self, header: str) -> tuple[tuple[Edit, ...], bool] | None:
        """Put the uses into a block that `header` begins, in place of the statement and of what closes there; and
        whether the last statement was a close. None where there is no use."""
        found = self._uses()
        if found is None:
            return None
        lines, (body, gone, closes) = self.lines, found
        used = range(lines.rows([self.statement]).stop, lines.rows(body).stop)
        start, end = (lines.document.offset(place) for place in lines.block.span(self.statement))
        semicolon = re.compile(r"[ \t]*;").match(lines.document.text, end)
        last, freed = self._freed(body[-1])
        deeper = [row for row in used if row not in freed]
        edits = [
            Edit(start, semicolon.end() if semicolon is not None else end, header),
            *lines.deeper(deeper, lines.step),
        ]
        gone = [lines.with_blank(rows) for rows in (*gone, *last)]
        return tuple(without(edits, [*gone, lines.blank(used)], lines)), closes or bool(last)

    def _freed(self, statement: cst.CSTNode) -> tuple[list[range], range]:
        """Of a `try` that ends with the close in its `finally`, which a block around it makes needless: the rows that
        go, and those that keep their indentation since the `try` goes with them."""
        lines, nothing = self.lines, range(0)
        match statement:
            case cst.Try(finalbody=cst.Finally(body=cst.IndentedBlock(body=[*_, close])) as clause):
                if not self.is_close(close) or any("#" in lines.text(row) for row in lines.rows([clause])):
                    return [], nothing
            case _:
                return [], nothing
        if len(clause.body.body) > 1:
            return [lines.rows([close])], nothing
        first, last = lines.rows([statement]), lines.rows([clause])
        if statement.handlers:
            return [range(last.start, first.stop)], nothing
        if lines.text(first.start).strip() != "try:" or not isinstance(statement.body, cst.IndentedBlock):
            return [range(last.start, first.stop)] if statement.orelse is not None else [], nothing
        return [range(first.start, first.start + 1), range(last.start, first.stop)], range(first.start + 1, last.start)

    def guarded(self, close: str) -> tuple[tuple[Edit, ...], bool] | None:
        """Put the uses into a `try`, with `close` in its `finally` or the close that is there; else as `enclosed`."""
        found = self._uses()
        if found is None:
            return None
        lines, (body, gone, closes) = self.lines, found
        own, used = lines.rows([self.statement]), lines.rows(body)
        if used.start < own.stop:
            return None  # both stand in one row
        rows = lines.with_comments(used, own.stop - 1)
        indent, step = lines.indent(used.start), lines.step
        edits = [lines.insert(rows.start, [f"{indent}try:"]), *lines.deeper(rows, step)]
        if closes:
            old = range(used.stop, gone.pop().stop)
            blank = lines.blank(old)
            edits += [lines.insert(blank.stop, [f"{indent}finally:"]), *lines.deeper(old, step)]
            gone.append(blank)
        else:
            edits.append(lines.insert(rows.stop, [f"{indent}finally:", f"{indent}{step}{close}"]))
        return tuple(without(edits, gone, lines)), closes

    def _uses(self) -> tuple[Sequence[cst.CSTNode], list[range], bool] | None:
        """The statements that use the session, the rows of those that close it, and whether the last of these comes
        after all uses. None where nothing uses it, or may do so later on."""
        rest = list(self.rest)
        last = self._last(rest)
        if last is None or (not self.is_close(rest[last]) and returns_lazily(rest, self.name)):
            return None
        closes = self.is_close(rest[last])
        body = rest[:last] if closes else rest[: last + 1]
        if not body or any(self._is_given_to_a_task(statement) for statement in body):
            return None
        closing = [*self.last_closes(body), *(rest[last : last + 1] if closes else [])]
        return body, [self.lines.rows([statement]) for statement in closing], closes

    def _is_given_to_a_task(self, statement: cst.CSTNode) -> bool:
        """Whether something is started that uses the session, and may go on after the block."""
        return any(
            isinstance(part, cst.Call) and last_name(part.func) in _STARTING and self.mentions(part)
            for part in walk(statement)
        )

    def last_closes(self, statements: Iterable[cst.CSTNode]) -> list[cst.CSTNode]:
        """Close statements inside others right before the function is left, with nothing that still uses the session:
        no handler, no `finally`, no other context manager."""
        found: list[cst.CSTNode] = []
        for part in (part for statement in statements for part in self._unguarded(statement)):
            if isinstance(part, cst.IndentedBlock):
                found += [
                    s
                    for s, after in pairwise(part.body)
                    if self.is_close(s) and leaves(after) and not self.mentions(after)
                ]
        return found

    def _unguarded(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """A node and all in it, but for the insides of what mentions the name when it is left."""
        yield node
        match node:
            case cst.Try() | cst.TryStar():
                guards = [*node.handlers, *(part for part in (node.orelse, node.finalbody) if part is not None)]
                if any(self.mentions(guard) for guard in guards):
                    return
            case cst.With(items=items) if any(self.mentions(item) for item in items):
                return
        for part in children(node):
            yield from self._unguarded(part)


def _is_read(node: cst.CSTNode, names: AbstractSet[str], inside: AbstractSet[int]) -> bool:
    """Whether one of some names stands in a node, but not inside these parts of it."""
    if id(node) in inside:
        return False
    if isinstance(node, cst.Name) and node.value in names:
        return True
    return any(_is_read(part, names, inside) for part in children(node))


def inner_closes(statements: Iterable[cst.CSTNode], name: str) -> list[cst.CSTNode]:
    """Statements inside others that do nothing but close what a name holds, and can be taken out because something
    else stands beside them."""
    found: list[cst.CSTNode] = []
    for statement in statements:
        for part in walk(statement):
            if isinstance(part, cst.IndentedBlock) and len(part.body) > 1:
                found += [inner for inner in part.body if call_of(inner, name, CLOSES)]
    return found


def leaves(statement: cst.CSTNode) -> bool:
    """Whether a statement does nothing but leave the function."""
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], (cst.Return, cst.Raise))


def _wrapped(statement: cst.CSTNode) -> cst.CSTNode:
    """A nested definition binds its own name only, not those of its body."""
    return cst.Pass() if isinstance(statement, (cst.FunctionDef, cst.ClassDef)) else statement


def without(edits: Iterable[Edit], rows: Iterable[range], lines: Lines) -> list[Edit]:
    """The edits that do not touch rows which are deleted, and the deletions."""
    gone = list(rows)
    spans = [(lines.start(r.start), lines.start(r.stop)) for r in gone]
    kept = [e for e in edits if not any(start <= e.start < end for start, end in spans)]
    return kept + [lines.delete(r) for r in gone]


def await_call(block: Block, call: cst.CSTNode, scope: Scope) -> Fix | None:
    """Put `await` before a call, in parentheses where something is done with the result at once; an `await` of that
    goes. None where nothing can be awaited."""
    if scope.function is None or scope.function.asynchronous is None:
        return None
    start, end = (block.document.offset(place) for place in block.span(call))
    chain = _chain_from(block.node, call)
    if len(chain) == 1:
        return Fix("Add `await`", Safety.SAFE, (Edit(start, start, "await "),))
    edits = [Edit(start, start, "(await "), Edit(end, end, ")")]
    outer = chain[-1]
    if isinstance(outer, cst.Await):
        first = block.document.offset(block.span(outer)[0])
        if not re.fullmatch(r"await\s+", block.document.text[first:start]):
            return None
        edits[0] = Edit(first, start, "(await ")
    return Fix("Add `await`", Safety.SAFE, tuple(edits))


def _chain_from(root: cst.CSTNode, node: cst.CSTNode) -> list[cst.CSTNode]:
    """`node` and what is done with it: its attribute, the call of that, …, up to an `await` of all."""
    chain = [node]
    for outer in reversed(list(walk(root))):
        match outer:
            case cst.Attribute(value=inner) | cst.Call(func=inner) | cst.Subscript(value=inner):
                if inner is chain[-1]:
                    chain.append(outer)
            case cst.Await(expression=inner) if inner is chain[-1] and inner is not node:
                chain.append(outer)
    return chain
