"""LS405: a commit, a rollback or a new session in a module that is not to have any."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.project.names import path_to
from lint_sessions.project.types import ClassType, External, FactoryType, SessionType
from lint_sessions.rule import Rule

DOES = {"commit": "commits", "rollback": "rolls back", "open": "opens a session"}


class StrayCommit(Rule):
    """Module commits, rolls back or opens sessions, which the configuration leaves to others.

    ## What it does
    Finds commits, rollbacks and new sessions in modules that are not among the `owners` in the configuration:

    ```toml
    [tool.lint-sessions.owners]
    commit = ["services/"]
    rollback = ["services/"]
    open = ["db.py"]
    ```

    The patterns are those of .gitignore, relative to the folder of the configuration. What is not configured everybody
    may do; without `owners` the rule finds nothing.

    ## Why is this bad?
    Who commits decides what is stored together. Where a repository commits by itself, a service that calls two of them
    can't do both or neither: the second fails, and the first is in the database.

    ## Example
    ```python
    class Users:
        def __init__(self, db: Session):
            self.db = db

        def add(self, user: User):
            self.db.add(user)
            self.db.commit()
    ```

    ## Use instead
    ```python
    class Users:
        def __init__(self, db: Session):
            self.db = db

        def add(self, user: User):
            self.db.add(user)
            self.db.flush()
    ```

    ## What it leaves alone
    Owners; connections, and whatever else has a `commit()`; savepoints (`begin_nested()`) and their ends; providers and
    helpers of an owner that are called elsewhere.

    ## Fix safety
    No fix is offered: the commit has to move to an owner.
    """

    code = "LS405"
    message = "`{call}` {does}, and this module is none of those that may"
    gates = (rb"\(",)
    default = False

    def visit_Call(self, node: cst.Call) -> None:
        context = self.context
        barred = [what for what in DOES if not context.config.may(what, context.path)]
        if barred:
            done = [DOES[what] for what in _done(context, node) if what in barred]
            if done:
                self.report(node, call=context.short(node), does=" and ".join(done))


def _done(context: Context, node: cst.Call) -> Iterator[str]:
    """What a call does of what can be left to owners."""
    types, scope = context.types, context.scope
    match node.func:
        case cst.Attribute(value=owner, attr=cst.Name(value="commit" | "rollback" as name)):
            if isinstance(types.infer(owner, scope), SessionType):
                yield name
        case cst.Attribute(value=owner, attr=cst.Name(value="begin")):
            kind = types.infer(owner, scope)
            if isinstance(kind, FactoryType):
                yield "open"
            if isinstance(kind, (FactoryType, SessionType)) and _is_entered(context, node):
                yield "commit"  # at the end of the block
        case _ if isinstance(types.infer(node, scope), SessionType):
            if isinstance(types.infer(node.func, scope), (FactoryType, ClassType, External)):
                yield "open"


def _is_entered(context: Context, node: cst.Call) -> bool:
    """Whether a call is entered by a `with` statement."""
    return any(isinstance(part, cst.WithItem) and part.item is node for part in path_to(context.block.node, node))
