"""Sessions that remember each coroutine a program makes of their methods, to tell which were never started."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import async_sessionmaker

from .engine import ASYNC
from .world import PROGRAM, STAGE, AsyncWatched, Harm, Run

METHODS = ("close", "commit", "execute", "flush", "get", "refresh", "rollback", "scalars")
"""The coroutine methods that programs call."""


@dataclass
class Made:
    """One coroutine that a run has made."""

    row: int
    method: str
    coroutine: Coroutine[Any, Any, Any]
    given: bool = False
    """Somebody has got it of whom nothing is known."""

    @property
    def is_lost(self) -> bool:
        return not self.given and inspect.getcoroutinestate(self.coroutine) == inspect.CORO_CREATED


class Awaiting(AsyncWatched):
    """An AsyncSession that keeps what the program makes of it."""


def _method(name: str) -> Any:
    def made(self: Awaiting, *args: Any, **options: Any) -> Any:
        coroutine = getattr(AsyncWatched, name)(self, *args, **options)
        caller = sys._getframe(1)
        if STAGE.run is not None and caller.f_code.co_filename == PROGRAM:
            STAGE.run.made.append(Made(caller.f_lineno, name, coroutine))
        return coroutine

    return made


for _name in METHODS:
    setattr(Awaiting, _name, _method(_name))

AwaitingLocal = async_sessionmaker(ASYNC, class_=Awaiting)


def given(made: Iterable[Made], values: Iterable[object]) -> None:
    """Somebody gets some values, coroutines perhaps."""
    found = {id(value) for value in values}
    for each in made:
        each.given = each.given or id(each.coroutine) in found


async def finish(run: Run) -> None:
    """The loop goes on until the tasks that the program has left behind are done."""
    STAGE.run = None
    left = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*left, return_exceptions=True)


@dataclass(frozen=True)
class Places:
    """The rows of statements that are nothing but an expression, and of those that return one."""

    expressions: frozenset[int]
    returned: frozenset[int]


def places_of(tree: ast.Module) -> Places:
    expressions = (n for n in ast.walk(tree) if isinstance(n, ast.Expr))
    plain = frozenset(n.lineno for n in expressions if not isinstance(n.value, ast.Call) or _is_method(n.value))
    return Places(plain, frozenset(n.lineno for n in ast.walk(tree) if isinstance(n, ast.Return)))


def _is_method(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in METHODS


def judge(run: Run, places: Places) -> None:
    """Coroutines that nobody has started do harm where they were made."""
    for made in run.made:
        harm = Harm("LS303" if made.method == "close" and made.row in places.expressions else "LS504", made.row)
        if made.is_lost and made.row not in places.returned:
            run.harm(harm.code, harm.row)
        else:
            run.cleared.add(harm)
        made.coroutine.close()
