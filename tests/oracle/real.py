"""Real instances in real sessions: each read of an attribute is SQLAlchemy's own, and what it raises is looked at.

What an expiry makes unreadable is told once, at the first read. As the rules have it, whoever is called may load the
instances that it can get at, and a query loads what it finds: then nothing is told of them until they expire again.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

from sqlalchemy import event, false, select
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import DetachedInstanceError, ObjectDeletedError, StaleDataError

from .calls import raise_one
from .engine import ASYNC, ENGINE
from .instances import UNSURE
from .world import PROGRAM, STAGE, AsyncWatched, Base, Harm, Run, Watched, sessions_in

COLUMNS = ("id", "name")


class Entry(Base):
    """What a program calls Item."""

    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(primary_key=True, default=itertools.count(1_000).__next__)
    name: Mapped[str]

    def __init__(self, name: str) -> None:
        if STAGE.run is not None:
            raise_one(STAGE.run, "Item()", meets=False)
        super().__init__(name=name)

    def __getattribute__(self, name: str) -> Any:
        run, frame = STAGE.run, sys._getframe(1)
        if name in COLUMNS and run is not None and frame.f_code.co_filename == PROGRAM:
            state, values = super().__getattribute__("_sa_instance_state"), super().__getattribute__("__dict__")
            if name in state.expired_attributes and name not in values:
                return _load(run, self, name, frame)
        return super().__getattribute__(name)


def _load(run: Run, entry: Entry, name: str, frame: FrameType) -> Any:
    """An attribute is read that is not in memory: in this run it is loaded, or raises, or the program is mended here.

    After a read that cannot succeed the linter goes on as well, so that some run has to."""
    session: Watched | None = entry._sa_instance_state.session
    is_due = entry.__dict__.get("_due") and frame.f_code.co_name == run.entry
    touch(run, _sessions(entry))
    if run.task is not None and session is not None and not session.is_broken:
        what = f"row {frame.f_lineno} reads what was loaded before"
        # Where somebody may have loaded it, it raises only if a transaction has to begin, as far as anybody can say.
        if run.choices.pick(2, what) if is_due else session.in_transaction() or not run.choices.pick(2, f"not {what}"):
            if not is_due:
                run.excused.add(Harm("LS505", frame.f_lineno))
            session.connection()
            return _mend(entry, name)
    try:
        return getattr(entry, name)
    except (MissingGreenlet, DetachedInstanceError) as error:
        is_detached = isinstance(error, DetachedInstanceError)
        harm = Harm("LS308" if is_detached else "LS505", frame.f_lineno)
        if is_due and not (is_detached and any(session.kept for session in _sessions(entry))):
            run.harm(harm.code, harm.row)
        else:
            run.excused.add(harm)
        if not is_detached:
            raise
        return _mend(entry, name)
    except ObjectDeletedError as error:
        raise run.spoil("reads a row that another connection has made") from error


def _mend(entry: Entry, name: str) -> Any:
    key = entry._sa_instance_state.key
    set_committed_value(entry, "id", key[1][0] if key is not None else None)
    set_committed_value(entry, "name", "loaded")
    return getattr(entry, name)


def _sessions(entry: Entry) -> list[Watched]:
    """The session that it is of, or was."""
    session = entry.__dict__.get("_session")
    return [session] if session is not None else []


def touch(run: Run, sessions: Iterable[Session] | None = None) -> None:
    """The instances of some sessions, or all, may have been loaded."""
    known = None if sessions is None else {id(session) for session in sessions}
    for entry in run.entries:
        if known is None or id(entry.__dict__.get("_session")) in known:
            entry.__dict__["_due"] = False


def _expire(entry: Entry, _: object) -> None:
    session = entry._sa_instance_state.session
    if session is not None and not session._flushing:  # what a failed flush expires is no rule's affair
        entry.__dict__["_due"] = True


def _attached(session: Session, entry: object) -> None:
    if isinstance(entry, Entry) and STAGE.run is not None:
        entry.__dict__["_session"] = session
        STAGE.run.entries.add(entry)


class Real(Watched):
    """A session that adds what it is given, and finds what is there."""

    def guard(self, method: Callable[..., Any], args: Any, options: Any) -> Any:
        try:
            return super().guard(method, args, options)
        except StaleDataError as error:
            assert STAGE.run is not None
            raise STAGE.run.spoil("changes a row that another connection has made") from error

    def find(self, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """A query: it may find nothing, and what it finds is loaded."""
        run = STAGE.run
        if run is None or self.depth:
            return method(*args, **options)
        result = self.guard(method, args, options)
        touch(run, [self])
        return result

    def execute(self, statement: Any, *args: Any, **options: Any) -> Any:
        return self.find(super(Watched, self).execute, self.sure(statement), *args, **options)

    def scalars(self, statement: Any, *args: Any, **options: Any) -> Any:
        return self.find(super(Watched, self).scalars, self.sure(statement), *args, **options)

    def scalar(self, statement: Any, *args: Any, **options: Any) -> Any:
        return self.find(super(Watched, self).scalar, self.sure(statement), *args, **options)

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        found = self.find(super(Watched, self).get, entity, ident, **options)
        return found if self.is_found(ident) else None

    def get_one(self, entity: Any, ident: Any, **options: Any) -> Any:
        return self.find(super().get_one, entity, ident, **options)

    def sure(self, statement: Any) -> Any:
        """The statement, or one that finds nothing."""
        where = getattr(statement, "whereclause", None)
        key = getattr(getattr(where, "right", None), "value", None)
        return statement if self.is_found(key) else statement.where(false())

    def is_found(self, key: object) -> bool:
        run = STAGE.run
        if run is None or self.depth or key not in UNSURE:
            return True
        return not run.choices.pick(2, f"there is no row {key}")

    def add(self, instance: object, *args: Any, **options: Any) -> None:
        self.given = self.given or STAGE.run is not None
        self.guard(super(Watched, self).add, (instance, *args), options)

    def refresh(self, instance: object, *args: Any, **options: Any) -> None:
        self.given = self.given or STAGE.run is not None
        try:
            self.guard(super(Watched, self).refresh, (instance, *args), options)
        except BaseException:
            instance.__dict__["_due"] = False  # a refresh that fails expires as well, of which no rule speaks
            raise


class AsyncReal(AsyncWatched):
    sync_session_class = Real


event.listen(Entry, "expire", _expire)
for _name in ("after_attach", "loaded_as_persistent"):
    event.listen(Real, _name, _attached)


class _Meeting:
    """A generator after each step of which anything may have been loaded."""

    def __init__(self, generator: Any, run: Run) -> None:
        self.generator = generator
        self.run = run

    def __next__(self) -> Any:
        return self._met(self.generator.__next__)

    def throw(self, *error: Any) -> Any:
        return self._met(self.generator.throw, *error)

    def close(self) -> Any:
        return self._met(self.generator.close)

    async def __anext__(self) -> Any:
        return await self._met_later(self.generator.__anext__)

    async def athrow(self, *error: Any) -> Any:
        return await self._met_later(self.generator.athrow, *error)

    async def aclose(self) -> Any:
        return await self._met_later(self.generator.aclose)

    def _met(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            return step(*args)
        finally:
            touch(self.run)

    async def _met_later(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            return await step(*args)
        finally:
            touch(self.run)


_NAMES: dict[str, Any] = {
    "Session": Real,
    "AsyncSession": AsyncReal,
    "SessionLocal": sessionmaker(ENGINE, class_=Real),
    "AsyncLocal": async_sessionmaker(ASYNC, class_=AsyncReal),
    "Item": Entry,
}
KEEPING = (
    sessionmaker(ENGINE, class_=Real, expire_on_commit=False),
    async_sessionmaker(ASYNC, class_=AsyncReal, expire_on_commit=False),
)


def names(run: Run, helper: Callable[..., Any], is_async: bool) -> dict[str, Any]:
    """What the names of a program mean that reads instances."""
    run.called = functools.partial(touch, run)
    run.has_entries = True

    def shown(*values: object) -> int:
        """Who is given instances may load them, and what they are lists of, be they empty."""
        given = [session for value in values if isinstance(value, Entry) for session in _sessions(value)]
        touch(run, None if any(isinstance(value, list) for value in values) else given)
        return len(values[0]) if isinstance(values[0], list) else 0

    def managed(function: Callable[..., Any]) -> Callable[..., Any]:
        """A context manager of the program meets all when it is made, and whenever it goes on."""
        if function.__name__ == run.entry:
            return function

        @functools.wraps(function)
        def called(*args: object, **options: object) -> _Meeting:
            touch(run)
            return _Meeting(function(*args, **options), run)

        return called

    def helped(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            return managed(function)
        inner = helper(function)
        is_method = "." in function.__qualname__

        def meet(args: Sequence[object]) -> None:
            """Whoever is called loads the instances that it can get at."""
            values = [*args, *getattr(args[0], "__dict__", {}).values()] if is_method else []
            touch(run, [session for value in values for session in sessions_in(value)] if is_method else None)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: object, **options: object) -> object:
                meet(args)
                try:
                    return await inner(*args, **options)
                finally:
                    meet(args)

            return awaited

        @functools.wraps(function)
        def called(*args: object, **options: object) -> object:
            meet(args)
            try:
                return inner(*args, **options)
            finally:
                meet(args)

        return called

    def selected(entity: Any) -> Any:
        """What makes a statement is a call like others."""
        raise_one(run, "select()")
        return select(entity)

    return {
        **_NAMES,
        "select": selected,
        "Keeping": KEEPING[is_async],
        "print": shown,
        "len": shown,
        "__helper__": helped,
    }
