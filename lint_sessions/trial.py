"""Whether a fix holds what it promises: the text that it makes is followed like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import apply
from lint_sessions.finding import Edit
from lint_sessions.flow.answers import answers
from lint_sessions.flow.callers import functions
from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.slow import is_slow
from lint_sessions.flow.values import Derived, Form, Items, sites_in
from lint_sessions.project.modules import Module
from lint_sessions.project.scopes import Scope
from lint_sessions.source.document import Document


class Trial:
    """The functions of a file, and what becomes of them by some edits."""

    def __init__(self, context: Context, edits: Iterable[Edit]) -> None:
        self._context = context
        document = context.document
        changed = Document.from_bytes(document.path, document.encode(apply(document.text, edits)))
        before, after = context.scope.module, Module(context.scope.module.project, changed)
        self._pairs = list(zip(self._functions(before), self._functions(after), strict=False))

    def _functions(self, module: Module) -> Iterator[Scope]:
        return (scope for _, scope in functions(module.blocks, self._context.types.module_scope(module)))

    def is_sound(self, scope: Scope, *, reopened: int) -> bool:
        """Whether a function now uses a closed session in no more than so many places, does no harm that it did not
        do before, and hands out neither a session of its own, which may be closed by then, nor a query that has
        still to run in one."""
        after = next((new for old, new in self._pairs if old is scope and new.name == old.name), None)
        if after is None:
            return False
        runs = self._context.lifecycle(after)
        if runs.gave_up or len({id(leak.reopened) for leak in runs.leaks if leak.reopened is not None}) > reopened:
            return False
        if _hands_out(runs):
            return False
        before = self._context.lifecycle(scope)
        return all(new <= old for new, old in zip(self._harm(runs, after), self._harm(before, scope), strict=True))

    def _harm(self, runs: Lifecycle, scope: Scope) -> list[int]:
        """How often each of the misuses is seen that a longer or shorter life of a session may bring about."""
        found: list[Iterable[cst.CSTNode | str | None]] = [
            (leak.site.key for leak in runs.leaks if leak.reopened is None),
            (lost.write for lost in runs.lost),
            (poisoned.handler for poisoned in runs.poisoned),
            (read.use for read in runs.unloaded),
            (refresh.node for refresh in runs.early),
            (query.node for query in runs.unseen),
            (node for node, waited in runs.waited.items() if is_slow(self._context.types, waited.node, scope)),
            (overrun.use for overrun in runs.overrun),
            (begun.node for begun in runs.begun_twice),
            (commit.node for commit in runs.late),
            (answer.place for answer in answers(self._context.wiring, runs, scope)),
        ]
        return [len(set(part)) for part in found]


def _hands_out(runs: Lifecycle) -> bool:
    """Whether some run returns a session of its own, or a query that has not run."""
    for _, value in runs.returned:
        if any(site.acquired for site in sites_in(value)):
            return True
        if isinstance(value, Derived) and value.form is Form.QUERY and value.site.acquired:
            return True
    return False


def gives_instances(runs: Lifecycle) -> bool:
    """Whether some run returns what it has read, so that relationships may be loaded when it is done."""
    values = [value for _, value in runs.returned]
    while values:
        match values.pop():
            case Derived():
                return True
            case Items(items=parts):
                values += parts
    return False
