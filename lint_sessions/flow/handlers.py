"""What handlers take: which except clause an exception in flight enters (source: SQLAlchemy's and Python's classes)."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.state import State
from lint_sessions.flow.values import Cause, Raised
from lint_sessions.project.types import ClassType, External

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator

_UNBOUND_ERRORS = frozenset(["SQLAlchemyError", "IntegrityError", "OperationalError", "DBAPIError", "DatabaseError"])
"""Names that mean SQLAlchemy's exceptions where nothing at all binds them."""
PENDING_ROLLBACK = "sqlalchemy.exc.PendingRollbackError"
"""What a session raises whose transaction has failed, whatever it is asked for."""
_PARENTS = {PENDING_ROLLBACK.rpartition(".")[2]: ("InvalidRequestError", "SQLAlchemyError")}
_OUTSIDE_EXCEPTION = frozenset(
    ["asyncio.CancelledError", "asyncio.exceptions.CancelledError", "concurrent.futures.CancelledError"]
)


def catches(handler: str, raised: Raised) -> bool | None:
    """Whether an except clause for the class `handler`, a dotted name, takes what was raised; None: it may."""
    name = handler.removeprefix("builtins.")
    if name == "BaseException":
        return True
    if _is_within(name, raised.refused):
        return False  # it has passed a handler that would have taken everything which this one takes
    if raised.name is not None:
        return _named(name, raised)
    if raised.cause is Cause.EXIT:
        if name in _OUTSIDE_EXCEPTION:
            return True
        return None if name in ("GeneratorExit", "KeyboardInterrupt", "SystemExit") else False
    if name == "Exception":
        return True
    if name in _OUTSIDE_EXCEPTION or name in ("GeneratorExit", "KeyboardInterrupt", "SystemExit"):
        return False
    if raised.cause is Cause.DATABASE:
        if name.startswith("sqlalchemy.") or name in _UNBOUND_ERRORS:
            return True if name.endswith("SQLAlchemyError") else None
        return False
    if raised.cause is Cause.LOOKUP:
        return (
            None
            if name in ("AttributeError", "KeyError", "IndexError", "LookupError", "TypeError", "ValueError")
            else False
        )
    return None


def _named(handler: str, raised: Raised) -> bool | None:
    name = (raised.name or "").removeprefix("builtins.")
    if handler == name:
        return True
    kind = name.rpartition(".")[2]
    if kind in _PARENTS and (handler.startswith("sqlalchemy.") or handler in _UNBOUND_ERRORS):
        return handler.rpartition(".")[2] in (kind, *_PARENTS[kind])
    caught, thrown = _builtin(handler), _builtin(name)
    if thrown is not None and caught is not None:
        return issubclass(thrown, caught)
    if handler == "Exception":
        return name not in _OUTSIDE_EXCEPTION
    if thrown is not None:
        return False
    if "HTTPException" in name:
        return None if "HTTPException" in handler else False
    if handler.startswith("sqlalchemy.") != name.startswith("sqlalchemy."):
        return False
    return None if caught is None else False


_GROUPS = {"ExceptionGroup": Exception, "BaseExceptionGroup": BaseException}
"""What stands for the groups under Python 3.10, which has none."""


def _builtin(name: str) -> type[BaseException] | None:
    found = getattr(builtins, name, _GROUPS.get(name))
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def dispatch(run: Evaluator, handlers: Sequence[cst.BaseExpression], state: State) -> tuple[list[State], list[State]]:
    """The states in which a handler for these classes takes the exception in flight, and those it passes."""
    raised = state.raised or Raised(Cause.ERROR)
    classes = [e.value for h in handlers for e in (h.elements if isinstance(h, cst.Tuple) else [cst.Element(h)])]
    names = [exception_of(run, c) for c in classes]
    if raised.taken and all(_is_within(taken, names) for taken in raised.taken):
        return [state], []
    verdicts = [catches(name, raised) if name is not None else None for name in names]
    if raised.cause is Cause.ERROR and raised.name is None and _is_failing(state):
        # Whether some call raises the project's own class, just then, is anybody's guess.
        verdicts = [
            False if v is None and name is not None and _is_specific(name) else v
            for name, v in zip(names, verdicts, strict=True)
        ]
    if raised.taken:
        verdicts = [
            False if v is None and name is not None and all(_are_apart(t, name) for t in raised.taken) else v
            for name, v in zip(names, verdicts, strict=True)
        ]
    if True in verdicts:
        return [state], []
    if None not in verdicts:
        return [], [state]
    refused = raised.refused.union(name for name in names if name is not None)
    taken = raised.taken or frozenset(names)
    return [state.raise_(replace(raised, taken=taken))], [state.raise_(replace(raised, refused=refused))]


def _is_within(name: str | None, classes: Collection[str | None]) -> bool:
    """Whether one of some classes is the named one, or wider."""
    if name is None or name in classes:
        return name in classes
    others = [other.removeprefix("builtins.") for other in classes if other is not None]
    bare = name.removeprefix("builtins.")
    own = _builtin(bare)
    if own is None:
        is_ours = name.startswith("sqlalchemy.") and any(other.endswith(".SQLAlchemyError") for other in others)
        return bare in others or is_ours
    return any(cls is not None and issubclass(own, cls) for cls in map(_builtin, others))


def _are_apart(taken: str | None, name: str) -> bool:
    """Whether nothing is of both classes."""
    if taken is None:
        return False
    one, other = _builtin(taken.removeprefix("builtins.")), _builtin(name.removeprefix("builtins."))
    if one is not None and other is not None:
        return not issubclass(one, other) and not issubclass(other, one)
    narrow = one or other
    is_narrow = narrow is not None and not issubclass(Exception, narrow)
    return is_narrow and taken.startswith("sqlalchemy.") != name.startswith("sqlalchemy.")


def exception_of(run: Evaluator, node: cst.BaseExpression) -> str | None:
    """The dotted name of the exception class that an expression names or makes."""
    kind = run.infer(node.func if isinstance(node, cst.Call) else node)
    match kind:
        case External(name=name):
            return name
        case ClassType(scope=scope):
            return f"project.{scope.qualified_name}"
    return None


def _is_failing(state: State) -> bool:
    """Whether an exception in flight leaves a poisoned session behind."""
    return any(session.failed is not None and session.swallowed is None for _, session in state.sessions)


def _is_specific(name: str) -> bool:
    """Whether an exception class is one of the project's, or an HTTP error: raised for a reason of its own."""
    return name.startswith("project.") or name.endswith("HTTPException")
