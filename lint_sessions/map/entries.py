"""What is called from outside the project's own calls: routes, and what runs beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import libcst as cst

from lint_sessions.flow.origins import Origins
from lint_sessions.flow.tasks import Tasks
from lint_sessions.project.annotations import definition
from lint_sessions.project.known import FRAMEWORKS
from lint_sessions.project.scopes import Scope, last_name
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External
from lint_sessions.project.wiring import ROUTE_DECORATORS, Wiring

_WORKING: Final = frozenset(
    ["task", "shared_task", "periodic_task", "actor", "cron", "scheduled_job", "job", "db_task", "broker_task"]
)
"""Decorators of what runs beside the requests: Celery, Dramatiq, taskiq, huey, APScheduler, rq, arq."""
_WEB: Final = FRAMEWORKS | {"flask"}
_HANDING: Final = frozenset(["add_task", "add_job"])
"""Methods of published packages that have a function called later: background tasks, schedulers."""
_STARTING: Final = re.compile(r"create_task|ensure_future|start_soon|Thread|submit|run_in_executor")


def is_route(wiring: Wiring, scope: Scope) -> bool:
    """Whether a web framework calls a function for requests."""
    return wiring.is_route(scope) or any(
        kind.last in (*ROUTE_DECORATORS, "route") and kind.name.partition(".")[0] in _WEB
        for kind in _decorators(wiring.types, scope)
    )


def _decorators(types: Types, scope: Scope) -> Iterator[External]:
    node, around = scope.function, scope.parent
    if node is None or around is None:
        return
    for decorator in node.decorators:
        made = decorator.decorator
        kind = types.infer(made.func if isinstance(made, cst.Call) else made, around)
        if isinstance(kind, External):
            yield kind


def is_task(node: cst.FunctionDef) -> bool:
    """Whether a decorator makes a function a task of a queue or of a schedule."""
    return any(last_name(decorator.decorator) in _WORKING for decorator in node.decorators)


def handed_over(types: Types, call: cst.Call, scope: Scope) -> tuple[cst.BaseExpression, tuple[cst.Arg, ...]] | None:
    """What a call of `add_task` and its like has called later, and with which arguments."""
    if last_name(call.func) not in _HANDING or not call.args or call.args[0].keyword is not None:
        return None
    if not (isinstance(types.infer(call.func, scope), External) or _is_scheduler(types, call.func, scope)):
        return None
    return call.args[0].value, tuple(call.args[1:])


def _is_scheduler(types: Types, method: cst.BaseExpression, scope: Scope) -> bool:
    """Whether a method is one of APScheduler's, by the call that made its object."""
    found = definition(types, method.value, scope) if isinstance(method, cst.Attribute) else None
    value = found[0].value if found is not None else None
    kind = types.infer(value.func, found[1]) if found is not None and isinstance(value, cst.Call) else None
    return isinstance(kind, External) and kind.name.startswith("apscheduler.")


def started(types: Types, scope: Scope) -> Iterator[tuple[cst.BaseExpression, tuple[cst.Arg, ...]]]:
    """The tasks and threads that a function starts, each with its arguments."""
    if scope.block is not None and _STARTING.search(scope.block.text):
        for task in Tasks(Origins(types), scope).started:
            yield task.func, task.args
