"""Makes a program that disagrees as small as it can be while it still disagrees in the same way."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

from .instrument import AnyFunction

MAX_STEPS = 400
WAYS = 7

Check = Callable[[str], bool]
Bodies = Iterator[tuple[ast.AST, str, list[ast.stmt]]]


def shrink(text: str, disagrees: Check) -> str:
    """Drop and simplify statements as long as `disagrees` holds of the text; helpers stay as they are or go."""
    head = _prelude(text)
    best = [node for node in ast.parse(text).body if isinstance(node, AnyFunction)]
    steps, changed = 0, True
    while changed:
        changed = False
        place = 0
        while place < len(best) - 1:
            fewer = best[:place] + best[place + 1 :]
            changed |= (shorter := disagrees(_text(head, fewer)))
            best, place = (fewer, place) if shorter else (best, place + 1)
        number = 0
        while number < sum(len(body) for *_, body in _bodies(best[-1])):
            for way in range(WAYS):
                made = copy.deepcopy(best)
                if not _reduce(made[-1], number, way):
                    continue
                steps += 1
                if disagrees(_text(head, made)):
                    best, changed = made, True
                    break
                if steps > MAX_STEPS:
                    return _text(head, best)
            else:
                number += 1
    return _text(head, best)


def _prelude(text: str) -> str:
    rows = text.split("\n")
    first = next(i for i, row in enumerate(rows) if row.startswith(("def ", "async def ", "@")))
    return "\n".join(rows[:first]).strip()


def without_prelude(text: str) -> str:
    return text.removeprefix(_prelude(text)).strip()


def _text(head: str, functions: list[AnyFunction]) -> str:
    return "\n\n\n".join([head, *(ast.unparse(node) for node in functions)]) + "\n"


def _bodies(node: ast.AST) -> Bodies:
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if isinstance(body, list) and body:
            yield node, name, body
            for statement in body:
                yield from _bodies(statement)
    for handler in getattr(node, "handlers", ()):
        yield from _bodies(handler)


def _reduce(function: AnyFunction, number: int, way: int) -> bool:
    """Reduce the statement of that number, counted over all bodies, in one of several ways; False where it can't be."""
    for owner, name, body in list(_bodies(function)):
        if number < len(body):
            return _reduce_one(owner, name, body, number, way)
        number -= len(body)
    return False


def _reduce_one(owner: ast.AST, name: str, body: list[ast.stmt], i: int, way: int) -> bool:
    statement = body[i]
    if way == 0:
        if len(body) == 1 and name == "body":
            if isinstance(statement, ast.Pass):
                return False
            body[0] = ast.Pass()
        elif len(body) == 1 and isinstance(owner, ast.Try) and name == "finalbody" and not owner.handlers:
            body[0] = ast.Pass()
            return not isinstance(statement, ast.Pass)
        else:
            del body[i]
        return True
    if way == 1 and getattr(statement, "body", None):
        body[i : i + 1] = statement.body  # type: ignore[attr-defined]
        return True
    if way == 2 and getattr(statement, "orelse", None):
        body[i : i + 1] = statement.orelse  # type: ignore[attr-defined]
        return True
    if way == 3 and isinstance(statement, ast.Try) and statement.finalbody:
        body[i : i + 1] = statement.finalbody
        return True
    if way == 4 and isinstance(statement, ast.Try) and statement.finalbody and statement.handlers:
        statement.finalbody = []
        return True
    if way in (5, 6) and isinstance(statement, ast.Try) and len(statement.handlers) > way - 5:
        del statement.handlers[way - 5]
        if not statement.handlers:
            statement.orelse = []
        return bool(statement.handlers or statement.finalbody)
    return _simplify(statement, way)


def _simplify(statement: ast.stmt, way: int) -> bool:
    """A plainer condition, acquisition or argument list."""
    if way == 4 and isinstance(statement, ast.If) and not isinstance(statement.test, ast.Attribute):
        statement.test = ast.parse("flag.c", mode="eval").body
        return True
    if way == 6 and isinstance(statement, (ast.With, ast.AsyncWith)) and len(statement.items) > 1:
        del statement.items[-1]
        return True
    return False
