"""The statements that programs are made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from .helpers import ASYNC_HELPERS, ASYNC_USERS, HELPERS, USERS
from .preludes import ASYNC_PRELUDE, PRELUDE

MAX_DEPTH = 3


def deeper(lines: Sequence[str]) -> list[str]:
    """The lines, one level further in."""
    return [f"    {line}" for line in lines or ["pass"]]


class Writer:
    """Writes statements at random; it knows which names hold sessions and what stands around."""

    def __init__(self, rng: random.Random, is_async: bool) -> None:
        self.rng = rng
        self.is_async = is_async
        self.wait = "await " if is_async else ""
        self.sessions: list[str] = []
        self.loops = 0
        self.handling = 0
        self.depth = 0
        self.small = rng.random() < 0.65
        self.yields = False
        self.number = 0

    # --- what stands around the function -------------------------------------------------------------------------------

    def prelude(self) -> str:
        return ASYNC_PRELUDE if self.is_async else PRELUDE

    def library(self) -> Mapping[str, str]:
        """The helpers that may be called, by name."""
        return ASYNC_HELPERS if self.is_async else HELPERS

    # --- dice ----------------------------------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def some(self, make: Callable[[int], list[str]], share: float, size: int) -> list[str]:
        return make(size) if self.chance(share) else []

    def fresh(self, stem: str) -> str:
        self.number += 1
        return f"{stem}{self.number}"

    # --- expressions ---------------------------------------------------------------------------------------------------

    def new(self) -> str:
        """A call that acquires."""
        if self.is_async:
            options = ["AsyncLocal()"] * 6 + ["AsyncSession(async_engine)", "await make()", "await make_used()"]
            options += ["(await make_pair())[0]"]
        else:
            options = ["SessionLocal()"] * 6 + ["Session(engine)", "make()", "make_used()", "make_pair()[0]"]
        return self.rng.choice(options)

    def condition(self) -> str:
        options = [f"flag.{self.fresh('c')}"] * 4 + ["a", "b", "a", "not b", "choose(1)", "a and b", "a or not b"]
        if self.sessions:
            name = self.rng.choice(self.sessions)
            options += [f"{name} is not None", name]
        return self.rng.choice(options)

    def kind(self) -> str:
        """What an except clause catches."""
        kinds = ["", " Exception", " Exception", " BaseException", " SQLAlchemyError", " IntegrityError", " ValueError"]
        return self.rng.choice([*kinds, " (ValueError, IntegrityError)", " Exception as error"])

    # --- sessions ------------------------------------------------------------------------------------------------------

    def close(self, name: str) -> list[str]:
        if self.chance(0.06):
            return [f"{self.wait}finish({name})"]
        return [f"{self.wait}{name}.close()"]

    def rollback(self, name: str) -> list[str]:
        return [f"{self.wait}{name}.rollback()"]

    def operation(self, name: str) -> list[str]:
        """The session is used."""
        wait = self.wait
        uses = [f"{wait}{name}.execute(select(Item))"] * 5 + [
            f"{wait}{name}.get(Item, 1)",
            f"{wait}{name}.scalars(select(Item))",
        ]
        if not self.is_async:
            uses += [f"{name}.query(Item).all()"] * 3
        uses += [f"{name}.add(item)"] * 3 + [f"{wait}{name}.flush()"] * 3 + [f"{wait}{name}.commit()"] * 5
        uses += [f"{wait}{name}.rollback()"] * 2 + [f"{wait}{name}.refresh(item)"]
        lines = [self.rng.choice(uses)]
        if lines[0].endswith((".flush()", ".commit()")) and self.chance(0.6):
            lines.insert(0, f"{name}.add(item)")
        return lines

    def call(self, name: str) -> list[str]:
        """A function gets the session, or an object keeps it."""
        wait = self.wait
        users = list(ASYNC_USERS if self.is_async else USERS)
        if self.chance(0.7):
            return [f"{wait}{self.rng.choice(users)}({name})"]
        repo = self.fresh("repo")
        kept = [f"{repo} = Repo({name})", f"{wait}{repo}.{self.rng.choice(['read()', 'save(item)'])}"]
        options = [[f"{wait}put({name}, item)"], [f"{wait}put({name}, item, False)"]]
        options += [[f"{wait}put({name}, item, commit=False)"]]
        options += [[f"if not {wait}try_store({name}, item):", f"    {wait}{name}.rollback()"]]
        options += [[f"if {wait}try_store({name}, item):", f"    {wait}{name}.commit()"]]
        options += [kept, kept, [*kept, f"{wait}{repo}.close()"], [f"{wait}Repo({name}).read()"]]
        return self.rng.choice(options)

    def prologue(self) -> list[str]:
        return [self.work()] if self.chance(0.1) else []

    def work(self) -> str:
        options = ["work(1)", "print('here')", "work(2)", "choose(2)"]
        return self.rng.choice([*options, "await awork(1)", "await awork(2)"] if self.is_async else options)

    # --- statements ----------------------------------------------------------------------------------------------------

    def block(self, size: int) -> list[str]:
        """One to `size` statements; after a jump nothing follows. Names of its own are not known after it."""
        lines: list[str] = []
        known = list(self.sessions)
        for _ in range(self.rng.randint(1, min(size, 2) if self.small else size)):
            lines += self.statement()
            if _jumps(lines[-1]):
                break
        self.sessions = known
        return lines

    def statement(self) -> list[str]:
        kinds: list[tuple[Callable[[], list[str]], float]] = [(lambda: [self.work()], 2), (self.jump, 0.7)]
        if self.sessions:
            name = self.rng.choice(self.sessions)
            kinds += [(lambda: self.operation(name), 8), (lambda: self.call(name), 2), (lambda: self.move(name), 0.8)]
            kinds += [(lambda: self.close(name), 0.4)]
        if self.depth < (MAX_DEPTH - 2 if self.small else MAX_DEPTH):
            kinds += [
                (self.if_, 2.5),
                (self.match, 0.3),
                (self.try_, 2),
                (self.loop, 1),
                (lambda: self.with_session(2), 0.5),
            ]
            if self.sessions:
                kinds += [(self.block_of, 0.7)]
        made = self.rng.choices([k for k, _ in kinds], [share for _, share in kinds])[0]
        self.depth += 1
        lines = made()
        self.depth -= 1
        return lines

    def jump(self) -> list[str]:
        """Leave; under a condition mostly, so that something can follow."""
        options = ["return", "return None", "raise ValueError()", "raise KeyError('x')"]
        if self.loops:
            options += ["break", "continue"] * 3
        if self.handling:
            options += ["raise"] * 3
        if self.sessions and not self.yields:
            options += [f"return {self.rng.choice(self.sessions)}"]
        if self.yields and self.is_async:
            options = [o for o in options if o != "return None"]
        leave = self.rng.choice(options)
        return [leave] if self.chance(0.25) else [f"if {self.condition()}:", f"    {leave}"]

    def move(self, name: str) -> list[str]:
        """Names change what they hold, or the session is handed on."""
        options: list[list[str]] = [
            [f"keep.callback({name}.close)"],
            ["bag.append(" + name + ")"],
            [f"bag.session = {name}"],
        ]
        options += [[f"{name} = {self.new()}"], [f"{name} = None"], [f"del {name}"], [f"{name} = give({name})"]]
        if self.is_async:
            options.pop()
        other = self.fresh("other")
        options += [[f"{other}, {self.fresh('ok')} = {self.wait}make_pair()"]]
        options += [[f"{other} = {name}"], [f"{other} = {self.new()}"], [f"{other} = {name}", f"{name} = {self.new()}"]]
        lines = self.rng.choice(options)
        if lines[0].startswith(other):
            self.sessions.append(other)
        return lines

    def if_(self) -> list[str]:
        lines = [f"if {self.condition()}:", *deeper(self.block(2))]
        if self.chance(0.2):
            lines += [f"elif {self.condition()}:", *deeper(self.block(1))]
        if self.chance(0.4):
            lines += ["else:", *deeper(self.block(2))]
        return lines

    def match(self) -> list[str]:
        lines = [f"match flag.{self.fresh('m')}:", "    case True:", *deeper(deeper(self.block(2)))]
        if self.chance(0.6):
            lines += [f"    case {self.rng.choice(['_', 'other'])}:", *deeper(deeper(self.block(1)))]
        return lines

    def try_(self) -> list[str]:
        lines = ["try:", *deeper(self.block(3))]
        handlers = self.handlers(0.85, None)
        lines += handlers
        if handlers and self.chance(0.2):
            lines += ["else:", *deeper(self.block(2))]
        if not handlers or self.chance(0.25):
            lines += ["finally:", *deeper(self.block(2))]
        return lines

    def handlers(self, share: float, name: str | None) -> list[str]:
        """Handlers of a try, if any."""
        if not self.chance(share):
            return []
        lines: list[str] = []
        kind = self.kind()
        if kind not in ("", " BaseException") and self.chance(0.2):
            lines += self.handler(" IntegrityError" if kind == " ValueError" else " KeyError", name)
        return [*lines, *self.handler(kind, name)]

    def handler(self, kind: str, name: str | None) -> list[str]:
        self.handling += 1
        body = self.rng.choice([["pass"], self.block(2), self.block(1)])
        held = name or (self.rng.choice(self.sessions) if self.sessions else None)
        if held is not None and self.chance(0.5):
            body = [*self.rollback(held), *([] if body == ["pass"] else body)]
        if self.chance(0.3) and not _jumps(body[-1]):
            body = [*([] if body == ["pass"] else body), "raise"]
        self.handling -= 1
        return [f"except{kind}:", *deeper(body)]

    def loop_head(self) -> str:
        return self.rng.choice(["for x in items:", "for x in items:", f"while flag.while{self.fresh('_')}:"])

    def loop(self) -> list[str]:
        lines = [self.loop_head()]
        handling, self.handling = self.handling, self.handling
        self.loops += 1
        lines += deeper(self.block(3))
        self.loops -= 1
        self.handling = handling
        if self.chance(0.15):
            lines += ["else:", *deeper(self.block(1))]
        return lines

    def with_session(self, size: int, *, lend: bool = False) -> list[str]:
        """A block with a session of its own."""
        name = self.fresh("own") if "db" in self.sessions else "db"
        new = self.new()
        if self.is_async:
            local, stack, closing = "AsyncLocal", "AsyncExitStack", "aclosing"
            enter = f"{name} = await stack.enter_async_context({new})"
            later = f"stack.push_async_callback({name}.close)"
        else:
            local, stack, closing = "SessionLocal", "ExitStack", "closing"
            enter, later = f"{name} = stack.enter_context({new})", f"stack.callback({name}.close)"
        word = "async with" if self.is_async else "with"
        heads: list[list[str]] = [[f"{word} {new} as {name}:"]] * 4 + [[f"{word} {local}.begin() as {name}:"]] * 3
        heads += [[f"{word} {new} as {name}, {name}.begin():"], [f"{word} {closing}({new}) as {name}:"]]
        heads += [[f"{name} = {new}", f"{word} {name}:"], [f"{word} {stack}() as stack:", enter]]
        heads += [[f"{word} {stack}() as stack:", f"{name} = {new}", later]]
        heads += [[f"{word} scope() as {name}:"]] * 2 + [[f"{word} within() as {name}:"], [f"{word} lend() as {name}:"]]
        head = self.rng.choice(heads)
        self.sessions.append(name)
        body = self.block(size)
        if lend:
            body = [*(body if not _jumps(body[-1]) else []), f"yield {name}", *self.some(self.block, 0.4, size)]
        self.sessions.remove(name)
        inner = [line for line in head[1:] if not head[0].startswith(name)]
        start = head if head[0].startswith(name) else head[:1]
        return [*start, *deeper([*inner, *body])]

    def block_of(self) -> list[str]:
        """A block of a session that is already there."""
        name = self.rng.choice(self.sessions)
        word = "async with" if self.is_async else "with"
        heads = [f"{word} {name}.begin_nested():"] * 3 + [f"{word} {name}.begin():", f"{word} {name}:"]
        heads += [f"{word} atomic({name}):", f"{word} quiet({name}):", f"{word} lend({name}):"]
        heads += [f"with suppress({self.rng.choice(['Exception', 'IntegrityError', 'ValueError'])}):"] * 3
        return [self.rng.choice(heads), *deeper(self.block(2))]


def _jumps(line: str) -> bool:
    word = line.split(None, 1)[0] if not line.startswith(" ") else ""
    return word in ("return", "raise", "break", "continue")
