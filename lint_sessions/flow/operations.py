"""What methods of sessions and queries do, and what handlers catch (source: SQLAlchemy's ORM Session API, 2.0, 2.1)."""

from __future__ import annotations

import re

import libcst as cst

from lint_sessions.project.scopes import last_name

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

WRITING = frozenset(["delete", "merge", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"])
"""Change what is stored, once it is committed; beside `add` and `add_all`."""

DML = frozenset(
    f"{package}.{verb}"
    for package in ("sqlalchemy", "sqlmodel", "sqlalchemy.sql", "sqlalchemy.sql.expression")
    for verb in ("insert", "update", "delete", "Insert", "Update", "Delete")
) | frozenset(f"sqlalchemy.dialects.{dialect}.insert" for dialect in ("postgresql", "mysql", "sqlite"))
"""Make a statement that changes what is stored."""

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

_LOGGER = re.compile(r"(.*_)?(log|logs|logger|logging|structlog)", re.IGNORECASE)
_LOG_METHODS = frozenset(["debug", "info", "warning", "warn", "error", "exception", "critical"])


def is_log_call(call: cst.Call) -> bool:
    """Whether a call writes a log, which does not raise: by the name of the logger, or by what it is given."""
    match call:
        case cst.Call(func=cst.Attribute(value=receiver)) if _LOGGER.fullmatch(last_name(receiver) or ""):
            return True
        case cst.Call(func=cst.Attribute(attr=cst.Name(value=method)), args=[first, *_]):
            is_text = isinstance(first.value, (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString))
            return method == "exception" or (method in _LOG_METHODS and is_text)
    return False
