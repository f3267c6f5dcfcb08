"""What a rule can ask while one block is visited, and where it reports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import libcst as cst

from lint_sessions.config import Config
from lint_sessions.finding import Finding, Note, Position
from lint_sessions.flow.blocking import Blocking
from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.providers import Provider, provider
from lint_sessions.flow.summaries import SummaryTable
from lint_sessions.project.calls import Mention, mentions_of
from lint_sessions.project.names import path_to
from lint_sessions.project.scopes import Scope
from lint_sessions.project.serving import Serving
from lint_sessions.project.types import Flavor, FunctionType
from lint_sessions.requirements import FastAPI, Requirements
from lint_sessions.rule import LateFix, Rule, TraceStep
from lint_sessions.source.document import Block


class Context:
    """What a rule can ask while one block is visited, and where it reports."""

    def __init__(
        self,
        summaries: SummaryTable,
        blocking: Blocking,
        serving: Serving,
        requirements: Requirements,
        config: Config,
        path: Path,
        block: Block,
        scope: Scope,
        *,
        fixes: bool,
    ) -> None:
        self.types = summaries.types
        self.summaries = summaries
        self.blocking = blocking
        self.serving = serving
        self.wiring = serving.wiring
        self.config = config
        self.path = path
        self.document = block.document
        self.block = block
        self.scope = scope
        """The scope around the node that is being visited."""
        self.findings: list[tuple[Finding, range]] = []
        self._requirements = requirements
        self._fixes = fixes

    @property
    def fastapi(self) -> FastAPI:
        """The versions of FastAPI that the project may run with."""
        return self._requirements.fastapi(self.path)

    def enters(self, flavor: Flavor) -> bool:
        """Whether a session is a context manager: not a registry, and not before SQLAlchemy 1.4."""
        return not flavor.is_scoped and (flavor.is_async or self._requirements.enters_sessions(self.path))

    def scope_of(self, node: cst.FunctionDef) -> Scope:
        """The scope of a function that is being visited."""
        return self.scope.child(node, self.block)

    def lifecycle(self, scope: Scope) -> Lifecycle:
        """Every run of a function of this block."""
        return self.summaries.lifecycle(scope)

    def provider(self, scope: Scope) -> Provider | None:
        """What a function of this block does once it has lent a session; None where it lends none."""
        return provider(self.summaries, scope)

    def is_sound(self, provider: FunctionType) -> bool:
        """Whether a yield provider closes its session on every way out of its yield."""
        runs = self.summaries.lifecycle(provider.scope)
        return not runs.gave_up and not any(leak.lent for leak in runs.leaks)

    def is_only_depended_on(self, function: Scope) -> bool:
        """Whether nothing in the project uses a function but `Depends` and its like: then what it gives to others may
        change."""
        return all(self._is_given_to_marker(mention) for mention in mentions_of(self.types, function))

    def _is_given_to_marker(self, mention: Mention) -> bool:
        match mention.around:
            case [*_, cst.Call() as call, cst.Arg()]:
                return self.wiring.marker(call, mention.scope) is not None
            case [*_, cst.Subscript(value=cst.Attribute(attr=cst.Name(value="dependency_overrides"))), _, _]:
                return True
        return False

    def source(self, node: cst.CSTNode, block: Block | None = None) -> str:
        """The text of a node as it stands in the file; `block` where it stands in another than the one visited."""
        place = block or self.block
        start, end = place.span(node)
        return place.document.text[place.document.offset(start) : place.document.offset(end)]

    def short(self, node: cst.CSTNode, limit: int = 40, block: Block | None = None) -> str:
        """The text of a node on one line, cut to `limit` characters."""
        text = " ".join(re.sub(r"\\(?=[\r\n])", "", self.source(node, block)).split())
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def add(self, rule: Rule, node: cst.CSTNode, message: str, trace: Iterable[TraceStep], fix: LateFix | None) -> None:
        """Record a finding of `rule` at `node`."""
        start, end = self._place(node)
        notes = tuple(self._note(step) for step in trace)
        made = fix() if fix is not None and self._fixes else None
        finding = Finding(self.path, start, end, rule.code, rule.rule_name(), message, notes, made)
        rows = _statement_rows(self.block, node)
        if all(known != finding for known, _ in self.findings):
            self.findings.append((finding, rows))

    def _note(self, step: TraceStep) -> Note:
        block = step.block or self.block
        path = None if block.document is self.document else block.document.path
        return Note(block.span(step.node)[0], step.text, path)

    def owns(self, node: cst.CSTNode) -> bool:
        """Whether a node stands in this block."""
        try:
            self.block.span(node)
        except KeyError:
            return False
        return True

    def _place(self, node: cst.CSTNode) -> tuple[Position, Position]:
        """Where to underline: of a compound statement only its first line."""
        start, end = self.block.span(node)
        if (
            isinstance(node, (cst.ExceptHandler, cst.ExceptStarHandler, cst.BaseCompoundStatement))
            and end.row > start.row
        ):
            text = self.document.text[self.document.offset(start) :].split("\n", 1)[0].split("#", 1)[0].rstrip()
            end = Position(start.row, start.column + len(text))
        return start, end


def _statement_rows(block: Block, node: cst.CSTNode) -> range:
    """The rows of the statement that `node` stands in; of a compound statement those of its header."""
    first, last = (place.row for place in block.span(node))
    path = path_to(block.node, node)
    for around in reversed(path):
        if isinstance(around, cst.SimpleStatementLine):
            start, end = block.span(around)
            return range(start.row, end.row + 1)
        body = getattr(around, "body", None)
        if isinstance(body, cst.BaseSuite) and not isinstance(around, cst.BaseSuite):
            first = min(first, block.span(around)[0].row)
            if body.body:
                last = max(first, min(last, block.span(body.body[0])[0].row - 1))
            break
    return range(first, last + 1)
