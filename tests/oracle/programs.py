"""Writes small programs, each a module of its own: a seed and a number give the same program for ever."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .modes import SESSIONS, Mode
from .statements import Writer, deeper

PARAMETERS = ("a", "b", "bag", "item", "items")


@dataclass(frozen=True)
class Program:
    """A module's text, and how to make it again."""

    text: str
    seed: int
    number: int


def program(seed: int, number: int, *, is_async: bool = False, mode: Mode = SESSIONS) -> Program:
    """The program of a seed and a number."""
    rng = random.Random(f"{seed}/{number}/{is_async}{mode.salt}")
    writer = mode.writer(rng, is_async)
    shape = rng.choices([plain, guarded, managed, optional, given, provider, looped], [4, 6, 4, 4, 4, 6, 3])[0]
    body, lent = shape(writer)
    return Program(module(body, lent, writer), seed, number)


def module(body: list[str], lent: str, writer: Writer) -> str:
    """The whole text around the body of the function under test."""
    is_async = writer.is_async
    text = "\n".join(body)
    names = [name for name in PARAMETERS if re.search(rf"\b{name}\b", text)]
    is_provider = bool(re.search(r"\byield\b", text))
    given = [lent] if lent else []
    order = [*names, *given] if "=" in lent else [*given, *names]
    head = f"{'async ' if is_async else ''}def {'provide' if is_provider else 'f'}({', '.join(order)}):"
    function = "\n".join([head, *deeper(body)])
    return "\n\n".join([writer.prelude(), *helpers(function, writer.library()), function]) + "\n"


def helpers(text: str, library: Mapping[str, str]) -> list[str]:
    """The helpers that a text calls, and those that they call."""
    found: dict[str, None] = {}
    waiting = [text]
    while waiting:
        part = waiting.pop()
        for name, helper in library.items():
            if name not in found and re.search(rf"(?<![\w.]){name}\(", part):
                found[name] = None
                waiting.append(helper)
    return [library[name] for name in sorted(found)]


# --- shapes: each gives the body of the function and, where it is lent a session, that parameter -------------------------

Shape = tuple[list[str], str]


def plain(w: Writer) -> Shape:
    """Acquire, work, perhaps close."""
    lines = [*w.prologue(), f"db = {w.new()}"]
    w.sessions.append("db")
    lines += w.block(4)
    if w.chance(0.8):
        lines += w.close("db")
    if w.chance(0.3):
        lines += w.block(2)
    return lines, ""


def guarded(w: Writer) -> Shape:
    """The close stands in a finally, or in a handler and an else, more or less well."""
    kind = w.rng.choice(["outside", "none", "handlers"])
    lines = w.prologue()
    if kind == "none":
        lines += ["db = None", "try:", *deeper([*w.some(w.block, 0.3, 1), f"db = {w.new()}"])]
        w.sessions.append("db")
        lines += [*deeper(w.block(3)), *w.handlers(0.4, "db")]
        test = w.rng.choice(["db", "db is not None", "db is not None", "not db is None"])
        return [*lines, "finally:", *deeper([f"if {test}:", *deeper(w.close("db"))])], ""
    lines.append(f"db = {w.new()}")
    w.sessions.append("db")
    lines += [*w.some(w.block, 0.2, 1), "try:", *deeper(w.block(3))]
    if kind == "outside":
        lines += [*w.handlers(0.5, "db"), "finally:", *deeper([*w.some(w.block, 0.3, 1), *w.close("db")])]
    else:
        kinds = ["", " Exception", " BaseException", " IntegrityError", " (ValueError, SQLAlchemyError)"]
        ending = w.rng.choice([["raise"], ["raise RuntimeError()"], ["return None"], []])
        undo = w.rng.choice([w.close("db"), w.rollback("db")])
        lines += [f"except{w.rng.choice(kinds)}:", *deeper([*undo, *ending])]
        lines += ["else:", *deeper(w.close("db"))] if w.chance(0.5) else w.close("db")
    lines += w.some(w.block, 0.2, 2)
    return lines, ""


def managed(w: Writer) -> Shape:
    """A context manager closes it."""
    lines = [*w.prologue(), *w.with_session(3)]
    lines += w.some(w.block, 0.4, 2)
    return lines, ""


def optional(w: Writer) -> Shape:
    """A session that is borrowed, or owned where none was lent."""
    kind = "AsyncSession" if w.is_async else "Session"
    flag = w.rng.choice(["owns", "own", "mine"])
    lines = w.prologue()
    test = w.rng.choice(["db is None", "db is None", "not db"])
    style = w.rng.choice(["flag", "before", "conditional", "name"])
    if style == "flag":
        lines += [f"{flag} = False", f"if {test}:", f"    db = {w.new()}", f"    {flag} = True"]
    elif style == "before":
        lines += [f"{flag} = {test}", f"if {flag}:", f"    db = {w.new()}"]
    elif style == "conditional":
        lines += [f"{flag} = {test}", f"db = {w.new()} if {flag} else db"]
    else:
        lines += [f"{flag} = None", f"if {test}:", f"    db = {flag} = {w.new()}"]
    w.sessions.append("db")
    closing = [f"if {flag}{w.rng.choice(['', '', ' is not None']) if style == 'name' else ''}:", *deeper(w.close("db"))]
    body = w.block(3)
    if w.chance(0.75):
        lines += ["try:", *deeper(body), *w.handlers(0.3, "db"), "finally:", *deeper(closing)]
    else:
        lines += [*body, *closing]
    return lines, f"db: {kind} | None = None"


def given(w: Writer) -> Shape:
    """A session that somebody else owns."""
    w.sessions.append("db")
    lines = [*w.prologue(), *w.block(5)]
    return lines, "db: AsyncSession" if w.is_async else "db: Session"


def provider(w: Writer) -> Shape:
    """A generator that lends its session."""
    w.yields = True
    style = w.rng.choice(["finally", "finally", "with", "after", "handlers", "owned"])
    lines = w.some(w.block, 0.15, 1)
    if style == "with":
        return [*lines, *w.with_session(2, lend=True), *w.some(w.block, 0.2, 1)], ""
    if style == "owned":
        w.sessions.append("db")
        body = ["try:", *deeper(["yield db", *w.some(w.block, 0.5, 2)]), *w.handlers(0.6, "db"), "finally:"]
        return [*lines, *body, *deeper(w.block(1))], "db: AsyncSession" if w.is_async else "db: Session"
    lines.append(f"db = {w.new()}")
    w.sessions.append("db")
    lines += w.some(w.block, 0.2, 1)
    lending = [*w.some(w.block, 0.3, 1), "yield db", *w.some(w.block, 0.4, 2)]
    if style == "finally":
        body = ["try:", *deeper(lending), *w.handlers(0.5, "db"), "finally:"]
        return [*lines, *body, *deeper([*w.some(w.block, 0.3, 1), *w.close("db")])], ""
    if style == "after":
        return [*lines, *lending, *w.close("db")], ""
    kinds = ["", " Exception", " BaseException", " GeneratorExit", " SQLAlchemyError"]
    undo = w.rng.choice([w.close("db"), w.rollback("db")])
    lines += [
        "try:",
        *deeper(lending),
        f"except{w.rng.choice(kinds)}:",
        *deeper([*undo, *w.rng.choice([["raise"], []])]),
    ]
    return [*lines, *(["else:", *deeper(w.close("db"))] if w.chance(0.5) else w.close("db"))], ""


def looped(w: Writer) -> Shape:
    """A session for each turn."""
    lines = [*w.prologue(), w.loop_head()]
    w.loops += 1
    body = [f"db = {w.new()}"]
    w.sessions.append("db")
    if w.chance(0.6):
        body += ["try:", *deeper(w.block(3)), *w.handlers(0.4, "db"), "finally:", *deeper(w.close("db"))]
    else:
        body += [*w.block(3), *w.close("db")]
    w.loops -= 1
    return [*lines, *deeper(body), *w.some(w.block, 0.3, 1)], ""
