"""The databases that programs run on: one engine for a process, whose statements may fail; and the session factories.

Each pooled connection is an in-memory database of its own, so that sessions never wait for each other.
"""

from __future__ import annotations

import asyncio
import atexit
import sqlite3
import sys
from contextlib import suppress
from typing import Any

from greenlet import getcurrent
from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import await_only

from .world import STAGE, AsyncWatched, Run, Watched, places


def _engine() -> Any:
    engine = create_engine(
        "sqlite://",
        poolclass=QueuePool,
        pool_size=40,
        pool_timeout=0,
        pool_use_lifo=True,  # a session mostly gets the connection again that it had before
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _create)
    event.listen(engine, "do_execute", _do_execute)
    event.listen(engine.pool, "checkin", _checkin)
    engine.dialect.do_commit = _do_commit  # type: ignore[method-assign, assignment]
    return engine


def _create(connection: Any, _: object) -> None:
    connection.executescript("create table item (id integer primary key);" + ENTRIES)


ENTRIES = """
    drop table if exists entry;
    create table entry (id integer primary key, name text);
    with recursive number(id) as (select 1 union all select id + 1 from number where id < 40)
        insert into entry select id, 'old' from number;
"""
"""The rows that instances are got from."""


def _do_execute(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
    if STAGE.broken is not None and statement.startswith("INSERT"):
        raise STAGE.broken("broken")
    if not statement.startswith("ROLLBACK"):
        may_fail(statement.split(None, 1)[0].lower())


def _do_commit(connection: Any) -> None:
    may_fail("commit")
    connection.commit()
    if STAGE.run is not None:
        STAGE.run.written.append(connection.driver_connection)


def may_fail(what: str) -> None:
    """A statement of the database: it may fail, and under asyncio be cancelled."""
    run = STAGE.run
    if run is None or run.spoiled:
        return
    if run.task is not None and not getattr(getcurrent(), "__sqlalchemy_greenlet_provider__", False):
        await_only(asyncio.sleep(0))  # a driver of asyncio waits, which nobody can who does not `await`
    kinds, row = run.database()
    index = run.choices.fail(len(kinds) + (run.task is not None), f"{what} fails at row {row}")
    if index > len(kinds):
        assert run.task is not None
        run.task.cancel()
        await_only(asyncio.sleep(0))
    elif index:
        raise kinds[index - 1](f"{what} fails")


def _after_begin(session: Session, transaction: object, connection: Connection) -> None:
    record = connection.connection.record_info
    if isinstance(session, Watched) and record is not None and record.get("holder") is not session:
        record["holder"] = session
        session.holding += 1
        session.shut = False
        if STAGE.run is None:
            session.over = False  # whoever it is lent to has begun it
        elif session.over and session.reopened is None:
            rows = dict(places(sys._getframe(1)))
            session.reopened = rows.get(session.owner, next(reversed(rows.values()), None))


def _after_commit(session: Session) -> None:
    if STAGE.run is not None and isinstance(session, Watched) and not session.in_nested_transaction():
        for row, item in session.added:
            if inspect(item).persistent:
                STAGE.run.choices.note(f"what row {row} adds is stored")
        session.added.clear()


def _checkin(connection: object, record: Any) -> None:
    session = record.record_info.pop("holder", None)
    if session is not None:
        session.holding -= 1


ENGINE = _engine()
_INNER = _engine()
_INNER.dialect.is_async = True  # nothing in it waits, save where `may_fail` does
ASYNC = AsyncEngine(_INNER)
event.listen(Watched, "after_begin", _after_begin)
event.listen(Watched, "after_commit", _after_commit)
atexit.register(ENGINE.dispose)
atexit.register(_INNER.dispose)

SessionLocal = sessionmaker(ENGINE, class_=Watched)
AsyncLocal = async_sessionmaker(ASYNC, class_=AsyncWatched)


def settle(run: Run) -> None:
    """Give everything back, so that the next run starts clean."""
    STAGE.run = None
    for session in run.sessions:
        if session.holding or session.in_transaction():
            session.expunge_all()
            session.close()
    for connection in {id(c): c for c in run.written}.values():
        with suppress(sqlite3.ProgrammingError):  # cancellation has closed it
            connection.execute("delete from item")
            connection.commit()
            if run.has_entries:
                connection.executescript(ENTRIES)
