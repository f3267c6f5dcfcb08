"""What methods of sessions and queries do, and what handlers catch (source: SQLAlchemy's ORM Session API, 2.0, 2.1)."""

from __future__ import annotations

import builtins

from lint_sessions.flow.state import Cause, Raised

CLOSING = frozenset(["close", "aclose", "invalidate", "reset", "remove", "__exit__", "__aexit__"])
"""Give the connection back and end the transaction; after any of them nothing is owed."""

NEUTRAL = frozenset(
    ["expunge", "expunge_all", "get_bind", "in_transaction", "in_nested_transaction", "get_transaction", "is_modified"]
    + ["get_nested_transaction", "no_autoflush", "info", "dirty", "new", "deleted", "is_active", "bind", "identity_map"]
    + ["identity_key", "object_session", "expire", "expire_all", "configure", "registry", "bind_mapper", "bind_table"]
    + [
        "autoflush",
        "autocommit",
        "expire_on_commit",
        "registry",
        "session_factory",
        "prepare",
        "enable_relationship_loading",
    ]
)
"""Neither open a connection nor fail on a poisoned transaction."""

COROUTINES = frozenset(
    [
        "close",
        "aclose",
        "close_all",
        "commit",
        "connection",
        "delete",
        "execute",
        "exec",
        "flush",
        "get",
        "get_one",
        "invalidate",
    ]
    + ["merge", "refresh", "reset", "rollback", "run_sync", "scalar", "scalars", "stream", "stream_scalars", "remove"]
    + ["__aexit__"]
)
"""Methods of AsyncSession and async_scoped_session that do nothing until awaited."""

FLUSHING = frozenset(["flush", "commit"])
"""When they fail, the transaction is poisoned until a rollback (sqlalche.me/e/20/7s2a)."""

BUILDERS = frozenset(
    [
        "filter",
        "filter_by",
        "where",
        "order_by",
        "group_by",
        "having",
        "limit",
        "offset",
        "options",
        "join",
        "outerjoin",
    ]
    + ["distinct", "with_for_update", "select_from", "with_entities", "add_columns", "add_entity", "union", "union_all"]
    + ["subquery", "exists", "correlate", "enable_eagerloads", "execution_options", "populate_existing", "yield_per"]
    + [
        "statement",
        "as_scalar",
        "scalar_subquery",
        "label",
        "cte",
        "slice",
        "reset_joinpoint",
        "with_hint",
        "params",
        "query",
    ]
    + [
        "session",
        "whereclause",
        "column_descriptions",
        "autoflush",
        "from_statement",
        "select_entity_from",
        "intersect",
    ]
)
"""Methods of a legacy Query that build on it and run nothing."""

NULLABLE = frozenset(["first", "one_or_none", "scalar_one_or_none", "scalar", "get"])
"""May give None."""

PLURAL = frozenset(
    ["all", "scalars", "execute", "exec", "fetchall", "mappings", "unique", "partitions", "fetchmany", "stream"]
)
"""Give a result or a list, not an instance."""

QUIET_RECEIVERS = frozenset(["logger", "log", "logging", "_logger", "LOGGER", "LOG", "_log", "structlog"])
"""What is called on these is a log call, which does not raise."""

QUIET_CALLS = frozenset(
    [
        "print",
        "len",
        "isinstance",
        "issubclass",
        "type",
        "id",
        "str",
        "repr",
        "bool",
        "hasattr",
        "callable",
        "super",
        "range",
    ]
    + [
        "dict",
        "list",
        "set",
        "tuple",
        "frozenset",
        "enumerate",
        "zip",
        "time.time",
        "time.monotonic",
        "time.perf_counter",
    ]
    + ["datetime.datetime.now", "datetime.datetime.utcnow", "uuid.uuid4", "logging.getLogger", "warnings.warn"]
    + [
        "sqlalchemy.select",
        "sqlalchemy.update",
        "sqlalchemy.delete",
        "sqlalchemy.insert",
        "sqlalchemy.text",
        "sqlalchemy.func",
    ]
    + ["sqlmodel.select", "sqlalchemy.future.select", "sqlalchemy.and_", "sqlalchemy.or_", "sqlalchemy.desc"]
    + [
        "sqlalchemy.orm.selectinload",
        "sqlalchemy.orm.joinedload",
        "sqlalchemy.inspect",
        "asyncio.shield",
        "asyncio.gather",
    ]
    + [f"contextlib.{n}" for n in ("suppress", "closing", "aclosing", "nullcontext", "ExitStack", "AsyncExitStack")]
)
"""Do not raise in practice, and keep nothing they are given."""

CONSUMERS = frozenset(
    ["list", "set", "tuple", "dict", "sorted", "next", "iter", "any", "all", "max", "min", "sum", "len"]
)
"""Run a query that they are given."""

CONTAINER_METHODS = frozenset(["append", "appendleft", "add", "extend", "insert", "update", "setdefault", "put", "set"])
"""Methods that keep what they are given."""

NEVER_RETURN = frozenset(["sys.exit", "os._exit", "os.abort", "exit", "quit", "os.execv", "os.execvp"])

KEEPERS = frozenset(
    ["enter_context", "enter_async_context", "push", "push_async_exit", "callback", "push_async_callback"]
    + ["addfinalizer", "addCleanup", "addAsyncCleanup", "register", "finalize", "on_teardown"]
)
"""Methods that take over the duty to close what they are given."""

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
    if _is_refused(name, raised):
        return False
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


def _is_refused(name: str, raised: Raised) -> bool:
    """Whether the exception has passed a handler that would have taken everything which this one takes."""
    if not raised.refused:
        return False
    if name in {refused.removeprefix("builtins.") for refused in raised.refused}:
        return True
    own = _builtin(name)
    if own is None:
        return name.startswith("sqlalchemy.") and any(r.endswith(".SQLAlchemyError") for r in raised.refused)
    wider = (_builtin(refused.removeprefix("builtins.")) for refused in raised.refused)
    return any(cls is not None and issubclass(own, cls) for cls in wider)


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


def _builtin(name: str) -> type[BaseException] | None:
    found = getattr(builtins, name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None
