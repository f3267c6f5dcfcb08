"""The names that decide what something is: classes and functions of published packages, and well-known names."""

from __future__ import annotations

import builtins

from lint_sessions.project.types import Flavor

SESSION_CLASSES = {
    **{f"sqlalchemy.{m}.Session": Flavor() for m in ("orm", "orm.session")},
    **{f"sqlmodel.{m}Session": Flavor() for m in ("", "orm.session.")},
    **{f"sqlalchemy.ext.asyncio.{m}AsyncSession": Flavor(is_async=True) for m in ("", "session.")},
    **{f"sqlmodel.ext.asyncio.{m}AsyncSession": Flavor(is_async=True) for m in ("", "session.")},
}
SCOPED_CLASSES = {
    **{f"sqlalchemy.orm.{m}scoped_session": False for m in ("", "scoping.")},
    **{f"sqlalchemy.ext.asyncio.{m}async_scoped_session": True for m in ("", "scoping.")},
}
FACTORY_CLASSES = {
    **{f"sqlalchemy.orm.{m}sessionmaker": False for m in ("", "session.")},
    **{f"sqlalchemy.ext.asyncio.{m}async_sessionmaker": True for m in ("", "session.")},
}
ENGINE_MAKERS = {
    **{f"{m}.create_engine": False for m in ("sqlalchemy", "sqlalchemy.engine", "sqlmodel")},
    **{f"{m}.engine_from_config": False for m in ("sqlalchemy", "sqlalchemy.engine")},
    **{f"sqlalchemy.ext.asyncio.{m}create_async_engine": True for m in ("", "engine.")},
}
ENGINE_CLASSES = {
    **{
        f"{m}.Engine": False for m in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.engine.base", "sqlalchemy.future")
    },
    **{f"sqlalchemy.ext.asyncio.{m}AsyncEngine": True for m in ("", "engine.")},
}
CONNECTION_CLASSES = {
    **{f"{m}.Connection": False for m in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.engine.base")},
    **{f"sqlalchemy.ext.asyncio.{m}AsyncConnection": True for m in ("", "engine.")},
}
SESSION_ATTRIBUTES = {
    "fastapi_sqlalchemy.db.session": Flavor(expires=None),
    "fastapi_async_sqlalchemy.db.session": Flavor(is_async=True, expires=None),
}
"""Where packages keep the session of the request for everybody."""
CONTEXT_DECORATORS = frozenset(["contextlib.contextmanager", "contextlib.asynccontextmanager"])
PLAIN_BASES = frozenset(["object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol"])
"""Classes that a class may inherit from without inheriting any behaviour."""

WRAPPED_GENERICS = frozenset(
    f"{m}.{n}"
    for m in ("typing", "collections.abc", "typing_extensions", "contextlib")
    for n in ("Generator", "AsyncGenerator", "Iterator", "AsyncIterator", "Iterable", "AsyncIterable")
)
MARKERS = frozenset(
    ["fastapi.Depends", "fastapi.Security", "fastapi.param_functions.Depends", "fastapi.param_functions.Security"]
    + ["fastapi.params.Depends", "fastapi.params.Security", "litestar.di.Provide", "taskiq.TaskiqDepends"]
    + ["fast_depends.Depends", "starlite.Provide", "faststream.Depends", "aiogram_dialog.Depends"]
)
"""What marks a parameter as provided by a callable."""

UNBOUND_SESSIONS = {"Session": Flavor(), "AsyncSession": Flavor(is_async=True)}
"""Names that mean a session class where nothing at all binds them, as in a part of a program."""

UNBOUND_MARKERS = frozenset(["Depends", "Security"])
"""The same for what marks a parameter as provided."""

FACTORY_NAMES = frozenset(
    ["SessionLocal", "AsyncSessionLocal", "LocalSession", "SessionFactory", "AsyncSessionFactory", "session_factory"]
    + ["async_session_factory", "async_session_maker", "async_sessionmaker_factory", "session_maker", "SessionMaker"]
    + ["AsyncSessionMaker", "local_session", "async_session", "DBSession"]
)
"""Names that mean a session factory where the module they come from can't be found."""

PROVIDER_NAMES = frozenset(
    ["get_db", "get_session", "get_async_session", "get_async_db", "get_db_session", "get_database_session"]
)
"""Names that mean a yield provider where the module they come from can't be found."""

FRAMEWORKS = frozenset(
    ["fastapi", "starlette", "litestar", "starlite", "sanic", "quart", "aiohttp", "blacksheep", "esmerald", "socketio"]
    + ["aiogram", "aiogram_dialog", "telegram", "telethon", "pyrogram", "telebot", "discord", "disnake", "nextcord"]
    + ["hikari", "vkbottle", "mcp", "fastmcp", "strawberry", "ariadne", "sqladmin", "starlette_admin", "fastapi_users"]
    + ["fastapi_utils", "fastapi_restful", "slowapi", "sse_starlette"]
)
"""Top-level packages that call coroutine functions for whoever comes, all of them on one event loop."""

SLOW_PACKAGES = frozenset(
    ["httpx", "aiohttp", "openai", "anthropic", "litellm", "cohere", "mistralai", "groq", "replicate", "ollama"]
    + ["aiosmtplib", "aioboto3", "aiobotocore", "google.genai", "google.generativeai", "langchain", "langchain_openai"]
    + ["langchain_core", "llama_index", "stripe", "twilio", "playwright"]
)
"""Packages whose coroutines wait for somebody else's server."""

SLOW_CALLS = frozenset(
    ["asyncio.sleep", "anyio.sleep", "trio.sleep", "anyio.run_process", "asyncio.create_subprocess_exec"]
    + ["asyncio.create_subprocess_shell"]
)
"""Functions that wait by design."""

PUBLISHED = (
    FRAMEWORKS
    | SLOW_PACKAGES
    | frozenset(
        ["sqlalchemy", "sqlmodel", "fastapi", "starlette", "litestar", "contextlib", "functools", "asyncio", "typing"]
        + [
            "requests",
            "aiohttp",
            "boto3",
            "aioboto3",
            "httpx",
            "flask",
            "flask_sqlalchemy",
            "django",
            "celery",
            "pydantic",
        ]
        + [
            "collections",
            "abc",
            "os",
            "sys",
            "logging",
            "datetime",
            "pytest",
            "aiogram",
            "telegram",
            "sqlite3",
            "psycopg2",
        ]
    )
)
"""Top-level packages that are never a missing module of the project."""

BUILTINS = frozenset(dir(builtins))


def is_listed(name: str) -> bool:
    """Whether a dotted name is in any of the tables."""
    return any(
        name in table
        for table in (
            SESSION_CLASSES,
            SCOPED_CLASSES,
            FACTORY_CLASSES,
            ENGINE_MAKERS,
            ENGINE_CLASSES,
            CONTEXT_DECORATORS,
            MARKERS,
        )
    )
