"""What a program calls and asks that is no session: functions nothing is known of, flags, loops, and its driver."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import FrameType
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from .awaiting import given
from .world import (
    PROGRAM,
    REFUSED,
    STAGE,
    Item,
    Mishap,
    Run,
    Watched,
    described,
    places,
    program_row,
    session_of,
    sessions_in,
)

MAX_TURNS = 2
"""Turns of one loop in one run."""

MAX_YIELDS = 3


def raise_one(run: Run, what: str, *, cancel: bool = False, meets: bool = True) -> bool:
    """A call that nothing is known of: it may raise any Exception; True when the task is to be cancelled in it."""
    if meets:
        run.called()
    kinds, row = run.errors()
    index = run.choices.fail(len(kinds) + cancel, f"{what} fails at row {row}")
    if 0 < index <= len(kinds):
        raise _made(kinds[index - 1])
    return index > len(kinds)


def _made(kind: type[Exception]) -> Exception:
    if kind.__module__.startswith("sqlalchemy") and kind.__name__ != "SQLAlchemyError":
        return kind("statement", {}, Exception("of another session"))
    return kind()


class Unknown:
    """An argument of which nothing is known: its truth is chosen once, its methods may fail and keep sessions."""

    def __init__(self, run: Run, name: str) -> None:
        self.__dict__.update(_run=run, _name=name, _truth=None)

    def __bool__(self) -> bool:
        if self.__dict__["_truth"] is None:
            self.__dict__["_truth"] = bool(self.__dict__["_run"].choices.pick(2, f"{self.__dict__['_name']} is true"))
        return bool(self.__dict__["_truth"])

    def __setattr__(self, name: str, value: object) -> None:
        keep(self.__dict__["_run"], value)

    def append(self, value: object) -> None:
        """A method that keeps what it is given."""
        keep(self.__dict__["_run"], value)
        raise_one(self.__dict__["_run"], "append")


def keep(run: Run, value: object) -> None:
    """Somebody keeps a value of whom nothing is known."""
    given(run.made, [value])
    for session in sessions_in(value):
        session.kept = True


class Keeper:
    """Somebody who takes over the duty to close."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def callback(self, close: Callable[[], object]) -> None:
        self.run.called()
        for session in sessions_in(close.__self__):  # type: ignore[attr-defined]
            session.kept = True


class Flags:
    """`flag.x` is true or false, anew each time."""

    def __init__(self, run: Run) -> None:
        self.__dict__["_run"] = run
        self.__dict__["_turns"] = {}

    def __getattr__(self, name: str) -> bool:
        turns: dict[str, int] = self.__dict__["_turns"]
        if name.startswith("while"):
            turns[name] = turns.get(name, 0) + 1
            if turns[name] > MAX_TURNS * 2:
                return False
        return bool(self.__dict__["_run"].choices.pick(2, f"flag.{name} is true"))


class Turns:
    """Something to loop over: each loop takes none, one or two turns."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name

    def __iter__(self) -> Iterator[Unknown]:
        for turn in range(self.run.choices.pick(MAX_TURNS + 1, f"turns of {self.name}")):
            yield Unknown(self.run, f"item {turn}")


class Suppress(contextlib.suppress):
    """`contextlib.suppress`, seen as the handler it is."""

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> bool | None:  # type: ignore[override]
        result = super().__exit__(kind, value, traceback)
        row = program_row()
        if result and row is not None:
            caught(STAGE.run, row)
        return result


def caught(run: Run | None, row: int) -> None:
    """A handler takes the exception in flight: what has failed is swallowed there."""
    if run is not None and isinstance(sys.exc_info()[1], NameError):
        run.spoil("a name that holds nothing")
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != PROGRAM:
        frame = frame.f_back
    error = sys.exc_info()[1]
    for session in run.sessions if run is not None else ():
        in_reach = frame is None or session.owner == frame.f_code.co_name or _holds(frame.f_locals.values(), session)
        if in_reach:
            session.unsaved = None
        known = session.failure is None or session.failure in (error, getattr(error, "__cause__", None))
        if session.is_broken and session.swallowed is None and (in_reach or known):
            session.swallowed = row


def _holds(values: Iterable[object], session: Watched, depth: int = 3) -> bool:
    """Whether a function can reach a session by its names, and so may have given up on what was written to it."""
    for value in values:
        if isinstance(value, Run):
            continue
        found = session_of(value)
        inside = value if isinstance(value, (tuple, list)) else getattr(value, "__dict__", {}).values()
        if found is session or (found is None and depth and _holds(inside, session, depth - 1)):
            return True
    return False


def unknown(run: Run) -> dict[str, Any]:
    """Functions that nothing is known of."""

    def work(*values: object) -> None:
        given(run.made, values)
        raise_one(run, "work")

    def choose(*_: object) -> bool:
        raise_one(run, "choose")
        return bool(run.choices.pick(2, f"choose() is true at row {program_row()}"))

    async def awork(*_: object) -> None:
        if raise_one(run, "awork", cancel=True):
            assert run.task is not None
            run.task.cancel()
            await asyncio.sleep(0)

    return {"work": work, "choose": choose, "awork": awork, "keep": Keeper(run)}


def hooks(run: Run) -> dict[str, Callable[..., Any]]:
    """What instrumented code calls."""

    def left(row: int) -> None:
        for session in run.sessions:
            if session.swallowed == row:
                session.swallowed = None

    def lent(value: object) -> object:
        session = session_of(value)
        name = next((name for name, _ in places(sys._getframe(1))), None)
        if session is not None and session.row is not None and session.owner == name:
            session.lent = True
        elif session is not None and session.row is not None and session.shut:
            run.spoil("lends a session that another function's context manager has closed")
        return value

    def turn() -> None:
        if STAGE.run is run and len(run.choices.taken) > 60:
            raise run.spoil("a loop without end")

    def helper(function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the program: a session it acquired and returns is acquired where it is called."""
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            return function
        if iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: object, **options: object) -> object:
                known = {id(session) for session in run.sessions}
                result = await function(*args, **options)
                return _acquired(result, known)

            return awaited

        @functools.wraps(function)
        def called(*args: object, **options: object) -> object:
            known = {id(session) for session in run.sessions}
            return _acquired(function(*args, **options), known)

        return called

    def _acquired(result: object, known: set[int]) -> object:
        place = next(places(sys._getframe(2)), None)
        for session in sessions_in(result):
            if id(session) not in known and session.row is not None and place is not None:
                session.owner, session.row = place
        return result

    return {
        "__caught__": functools.partial(caught, run),
        "__left__": left,
        "__lent__": lent,
        "__turn__": turn,
        "__at__": run.reached.add,
        "__helper__": helper,
    }


# --- whoever drives a generator ---------------------------------------------------------------------------------------


def serve(run: Run, generator: Generator[Any, Any, Any]) -> None:
    """Drive a provider as FastAPI and contextlib do: use what it yields, then resume it, fail or give up."""
    value = next(generator, None)
    kinds: list[type[Exception]] = [Mishap, *run.caught.get(0, ())]
    for _ in range(MAX_YIELDS):
        error = use(run, value)
        index = 0 if error else run.choices.fail(len(kinds) + 1, "the user of the generator fails")
        try:
            if error is not None:
                value = generator.throw(error)
            elif index == 0:
                value = next(generator)
            elif index > len(kinds):
                close(run, generator)
                return
            else:
                value = generator.throw(_made(kinds[index - 1]))
        except StopIteration:
            return
    raise run.spoil("yields again and again")


async def serve_async(run: Run, generator: AsyncGenerator[Any, Any]) -> None:
    """Drive an asynchronous provider; cancellation arrives at its yield as well."""
    value = await anext(generator, None)
    kinds: list[type[Exception]] = [Mishap, *run.caught.get(0, ())]
    for _ in range(MAX_YIELDS):
        failure = use(run, value)
        index = 0 if failure else run.choices.fail(len(kinds) + 2, "the user of the generator fails")
        try:
            if failure is not None:
                value = await generator.athrow(failure)
            elif index == 0:
                value = await anext(generator)
            elif index > len(kinds) + 1:
                await generator.aclose()
                return
            else:
                error = asyncio.CancelledError() if index > len(kinds) else _made(kinds[index - 1])
                value = await generator.athrow(error)
        except StopAsyncIteration:
            return
    raise run.spoil("yields again and again")


def close(run: Run, generator: Generator[Any, Any, Any]) -> None:
    try:
        generator.close()
    except RuntimeError as error:
        raise run.spoil(str(error)) from error


def use(run: Run, value: object) -> Exception | None:
    """Whoever drives the generator runs a statement, or none, or one whose flush fails; gives that failure."""
    run.choices.note(f"lends {described(value)}")
    session = session_of(value)
    if session is not None and not session.is_active:
        run.choices.note(REFUSED)
        return None
    if session is None or run.choices.pick(2, "the user of the generator does nothing"):
        return None
    STAGE.run = None
    kinds = (None, sqlite3.IntegrityError, sqlite3.OperationalError)
    STAGE.broken = kinds[run.choices.fail(2, "a flush of the user of the generator fails")]
    try:
        session.add(Item()) if STAGE.broken is not None else session.execute(select(Item))
        session.flush()
    except SQLAlchemyError as error:
        session.failure = error
        return error
    finally:
        STAGE.broken = None
        STAGE.run = run
    return None
