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
from lint_sessions.project.types import External, argument
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
    return wiring.is_route(scope) or _registered(wiring, scope) is not None


def answered(wiring: Wiring, scope: Scope) -> str:
    """`GET /users` of a route, by its decorator and the prefix of its router; empty where that cannot be read."""
    call = _registered(wiring, scope)
    path = _text(argument(call, 0, "path") or argument(call, 0, "rule")) if call is not None else None
    if call is None or path is None or scope.parent is None:
        return ""
    name, given = last_name(call.func) or "", argument(call, 99, "methods")
    methods = [name.upper()] if name not in ("route", "api_route") else []
    if not methods and isinstance(given, (cst.List, cst.Tuple, cst.Set)):
        methods = [text for element in given.elements if (text := _text(element.value)) is not None]
    return f"{'/'.join(methods)} {_prefix(wiring.types, call.func, scope.parent)}{path}".strip()


def _registered(wiring: Wiring, scope: Scope) -> cst.Call | None:
    """The decorator by which a web framework is told of a function."""
    node, around = scope.function, scope.parent
    for decorator in node.decorators if node is not None else ():
        call = decorator.decorator
        if isinstance(call, cst.Call) and around is not None and _registers(wiring, call, around):
            return call
    return None


def _registers(wiring: Wiring, call: cst.Call, scope: Scope) -> bool:
    kind = wiring.types.infer(call.func, scope)
    is_published = isinstance(kind, External) and kind.name.partition(".")[0] in _WEB
    return wiring.is_route_decorator(call, scope) or (
        is_published and last_name(call.func) in (*ROUTE_DECORATORS, "route")
    )


def _prefix(types: Types, method: cst.BaseExpression, scope: Scope) -> str:
    """What a router puts before all its paths, where it says so itself."""
    found = definition(types, method.value, scope) if isinstance(method, cst.Attribute) else None
    made = found[0].value if found is not None else None
    if not isinstance(made, cst.Call):
        return ""
    return _text(argument(made, 99, "prefix")) or _text(argument(made, 99, "url_prefix")) or ""


def _text(node: cst.BaseExpression | None) -> str | None:
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None


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
