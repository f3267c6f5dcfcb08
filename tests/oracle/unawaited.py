"""The statements of programs in which some call of an AsyncSession is not awaited where it stands."""

from __future__ import annotations

from collections.abc import Mapping

from .helpers import ASYNC_HELPERS
from .preludes import ASYNC_PRELUDE, mode_line
from .statements import Writer, deeper

HELPERS = {
    "later": "def later(db: AsyncSession):\n    return db.commit()",
    "undo_later": "async def undo_later(db: AsyncSession):\n    undone = db.rollback()\n    await undone",
    "forget": "async def forget(db: AsyncSession):\n    db.rollback()",
    "start": "def start(db: AsyncSession):\n    return asyncio.create_task(db.flush())",
    "drop": "def drop(db: AsyncSession):\n    db.close()",
    "Unit": (
        "class Unit:\n    def __init__(self, db: AsyncSession):\n        self.db = db\n\n"
        "    async def save(self):\n        self.db.flush()\n        await self.db.commit()\n\n"
        "    async def __aenter__(self):\n        return self.db\n\n"
        "    async def __aexit__(self, *error):\n        self.db.close()"
    ),
}


class UnawaitedWriter(Writer):
    """Now and then leaves out an `await`, or has the coroutine awaited elsewhere."""

    def prelude(self) -> str:
        return f"{ASYNC_PRELUDE}{mode_line('unawaited')}"

    def library(self) -> Mapping[str, str]:
        return ASYNC_HELPERS | HELPERS

    def operation(self, name: str) -> list[str]:
        return self.unawaited(super().operation(name))

    def close(self, name: str) -> list[str]:
        return self.unawaited(super().close(name))

    def rollback(self, name: str) -> list[str]:
        return self.unawaited(super().rollback(name))

    def call(self, name: str) -> list[str]:
        if self.chance(0.6):
            return super().call(name)
        task, unit = self.fresh("task"), self.fresh("unit")
        options = [
            [f"await later({name})"],
            [f"await undo_later({name})"],
            [f"await forget({name})"],
            [f"drop({name})"],
        ]
        options += [[f"{task} = start({name})", f"await {task}"], [f"await Unit({name}).save()"]]
        options += [[f"{unit} = Unit({name})", f"await {unit}.save()"]]
        options += [[f"async with Unit({name}) as {unit}:", *deeper(self.unawaited([f"await {unit}.commit()"]))]]
        return self.rng.choice(options)

    def unawaited(self, lines: list[str]) -> list[str]:
        """The statements with another last one, or as they are."""
        if not lines[-1].startswith("await ") or "(" not in lines[-1] or self.chance(0.75):
            return lines
        call = lines[-1].removeprefix("await ")
        is_method = "." in call.partition("(")[0]
        if not is_method:
            return lines
        return [*lines[:-1], *self.rng.choices([self.dropped, self.used, self.kept], [3, 2, 4])[0](call)]

    def dropped(self, call: str) -> list[str]:
        """Nobody awaits it."""
        name, flag = self.fresh("made"), self.fresh("c")
        options = [[call]] * 4 + [[f"{name} = {call}"]] * 2 + [[f"{name}: object = {call}"]]
        options += [[f"{call} if flag.{flag} else None"], [f"flag.{flag} and {call}"]]
        options += [[f"{call} if flag.{flag} else {call}"]]
        return self.rng.choice(options)

    def used(self, call: str) -> list[str]:
        """It is taken for the result."""
        name = self.fresh("made")
        options = [
            [f"{name} = {call}", f"for x in {name}:", "    pass"],
            [f"{name} = {call}", f"if {name}:", "    pass"],
        ]
        options += [[f"{name} = {call}", f"{name}.all()"], [f"{name} = {call}", f"print({name} is None)"]]
        options += [[f"if {call}:", *deeper(self.block(1))], [f"if not {call}:", *deeper(self.block(1))]]
        options += [[f"print({call} is None)"], [f"while not {call}:", "    break"], [f"for x in {call}:", "    pass"]]
        options += [[f"{name} = [x for x in {call}]"], [f"if flag.{self.fresh('c')} and {call}:", "    pass"]]
        if "()" not in call:
            options += [[f"{name} = {call}.first()"], [f"{name} = {call}[0]"]] * 2
        return self.rng.choice(options)

    def kept(self, call: str) -> list[str]:
        """It is awaited later, perhaps, or somebody else is given it."""
        name = self.fresh("made")
        between = self.some(self.block, 0.3, 1)
        between = between if not between or not between[-1].startswith(("return", "raise", "break", "continue")) else []
        options = [[f"{name} = {call}", *between, f"await {name}"]] * 3
        options += [[f"{name} = {call}", f"if {self.condition()}:", f"    await {name}"]]
        options += [[f"{name} = {call}", "try:", *deeper(self.block(1)), "finally:", f"    await {name}"]]
        options += [[f"await asyncio.gather({call})"], [f"await asyncio.gather({call}, return_exceptions=True)"]]
        options += [[f"await asyncio.shield({call})"], [f"{name} = asyncio.create_task({call})", f"await {name}"]]
        options += [[f"asyncio.create_task({call})"], [f"{name} = asyncio.ensure_future({call})", f"await {name}"]]
        options += [
            [f"{name} = [{call}]", f"await asyncio.gather(*{name})"],
            [f"work({call})"],
            [f"bag.append({call})"],
        ]
        options += [[f"{name} = {call}", f"await asyncio.gather({name})"], [f"{name} = {call}", f"work({name})"]]
        options += [[f"bag.job = {call}"], [f"{name} = {call}", f"bag.job = {name}"]]
        options += [[f"{name} = {call} if flag.{self.fresh('c')} else awork(1)", f"await {name}"]]
        options += [
            [f"{name} = None", f"if {self.condition()}:", f"    {name} = {call}", f"if {name}:", f"    await {name}"]
        ]
        options += [[f"{name} = {call}", f"if {name} is not None:", f"    await {name}"]]
        if not self.yields:
            options += [[f"return {call}"], [f"{name} = {call}", f"return {name}"]] * 2
        return self.rng.choice(options)
