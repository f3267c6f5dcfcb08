"""The statements of programs that read attributes of instances: added, got, refreshed, committed and rolled back."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from .helpers import ASYNC_HELPERS, HELPERS
from .preludes import ASYNC_PRELUDE, MODEL, PRELUDE, mode_line
from .statements import Writer, deeper

CERTAIN = range(1, 21)
"""The keys of rows that are there."""
UNSURE = range(21, 41)
"""The keys of rows that may be there."""


class InstanceWriter(Writer):
    """Knows which names hold instances."""

    def __init__(self, rng: random.Random, is_async: bool) -> None:
        super().__init__(rng, is_async)
        self.rows: list[str] = []
        self.lists: list[str] = []
        self.keeps = self.chance(0.2)
        """Whether some sessions do not expire what they commit; what another is given is not known then."""
        self.keys = {CERTAIN: 0, UNSURE: 0}

    def prelude(self) -> str:
        text = ASYNC_PRELUDE if self.is_async else PRELUDE
        text = text.replace("elsewhere import Item, ", "elsewhere import ")
        if self.is_async:
            text = text.replace(
                "async_engine =",
                "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n\nasync_engine =",
                1,
            )
        else:
            text = text.replace(
                "orm import Session, sessionmaker",
                "orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker",
            )
        maker, engine = ("async_sessionmaker", "async_engine") if self.is_async else ("sessionmaker", "engine")
        keeping = f"Keeping = {maker}({engine}, expire_on_commit=False)\n" if self.keeps else ""
        return f"{text}{keeping}{MODEL}{mode_line('instances')}"

    def library(self) -> Mapping[str, str]:
        return ASYNC_HELPERS if self.is_async else HELPERS

    def new(self) -> str:
        return "Keeping()" if self.keeps and self.chance(0.5) else super().new()

    def key(self, among: range) -> int:
        """One that no other statement of the program has."""
        self.keys[among] += 1
        return among[(self.keys[among] - 1) % len(among)]

    # --- statements ----------------------------------------------------------------------------------------------------

    def block(self, size: int) -> list[str]:
        rows, lists = list(self.rows), list(self.lists)
        lines: list[str] = []
        if self.sessions and not rows and self.chance(0.7):
            lines += self.rng.choice([self.get, self.create])(self.rng.choice(self.sessions))
        lines += super().block(size)
        if not self.chance(0.3):
            self.rows, self.lists = rows, lists
        return lines

    def work(self) -> str:
        """Whoever is called may load the instances, so that little is called."""
        return super().work() if self.chance(0.15) else "print('here')"

    def statement(self) -> list[str]:
        """More is done to instances than else."""
        if self.sessions and self.chance(0.35):
            return self.operation(self.rng.choice(self.sessions))
        if not self.is_async and self.depth == 0 and self.chance(0.2):
            self.depth += 1
            lines = self.with_session(3)
            self.depth -= 1
            return lines
        return super().statement()

    def call(self, name: str) -> list[str]:
        return super().call(name) if self.chance(0.4) else self.operation(name)

    def with_session(self, size: int, *, lend: bool = False) -> list[str]:
        """What the block has got is read after it, now and then."""
        rows = list(self.rows)
        lines = super().with_session(size, lend=lend)
        found = [line.split()[0] for line in lines if line.strip().startswith("row") and " = " in line]
        self.rows = list(dict.fromkeys([*rows, *self.rows, *found]))
        return [*lines, *self.some(lambda _: self.read(), 0.6, 1)]

    def close(self, name: str) -> list[str]:
        lines = super().close(name)
        if not self.is_async and self.chance(0.4):  # where a read would load what is expired
            lines.insert(0, f"{name}.commit()")
        return [*lines, *self.some(lambda _: self.read(), 0.5, 1)]

    def operation(self, name: str) -> list[str]:
        ways: list[Callable[[str], list[str]]] = [self.get, self.create, self.end, self.several, self.again, self.other]
        ways += [lambda _: self.read(), lambda _: self.write()]
        return self.rng.choices(ways, [3, 3, 5, 0.8, 1, 1, 3, 0.8])[0](name)

    def end(self, name: str) -> list[str]:
        ends = ["commit"] * 5 + ["rollback"] * 2 + ["flush"]
        return [
            f"{self.wait}{name}.{self.rng.choice(ends)}()",
            *self.some(lambda _: self.read(), 0.65 if self.is_async else 0.2, 1),
        ]

    def other(self, name: str) -> list[str]:
        lines = super().operation(name)
        if not lines[-1].endswith("refresh(item)"):
            return lines
        return self.again(name)

    def again(self, name: str) -> list[str]:
        if not self.rows:
            return self.get(name)
        return [f"{self.wait}{name}.refresh({self.rng.choice(self.rows)})"]

    def get(self, name: str) -> list[str]:
        """An instance, or none."""
        row, wait = self.fresh("row"), self.wait
        some, sure = self.key(UNSURE), self.key(CERTAIN)
        maybe, certain = f"select(Item).where(Item.id == {some})", f"select(Item).where(Item.id == {sure})"
        rows = f"(await {name}.scalars({{}}))" if self.is_async else f"{name}.scalars({{}})"
        result = f"(await {name}.execute({{}}))" if self.is_async else f"{name}.execute({{}})"
        options = [f"{wait}{name}.get(Item, {sure})", f"{wait}{name}.get_one(Item, {sure})"] * 2
        options += [
            f"{wait}{name}.scalar({certain})",
            f"{wait}{name}.get(Item, {some})",
            f"{wait}{name}.scalar({maybe})",
        ]
        options += [f"{rows.format(certain)}.one()", f"{rows.format(maybe)}.first()"]
        options += [f"{result.format(certain)}.scalar_one()", f"{result.format(maybe)}.scalar_one_or_none()"]
        if not self.is_async:
            options += [f"{name}.query(Item).filter(Item.id == {some}).first()", f"{name}.query(Item).get({sure})"]
        if row not in self.rows:
            self.rows.append(row)
        lines = [f"{row} = {self.rng.choice(options)}"]
        if self.chance(0.15):
            leave = self.rng.choice(["return", "raise ValueError()"])
            lines += [self.rng.choice([f"if {row} is None:", f"if not {row}:"]), f"    {leave}"]
        return lines

    def several(self, name: str) -> list[str]:
        rows, wait = self.fresh("rows"), self.wait
        maybe = f"select(Item).where(Item.id == {self.key(UNSURE)})"
        call = f"{name}.scalars({maybe})"
        options = [f"(await {call}).all()" if wait else f"{call}.all()"] * 2
        if not self.is_async:
            options += [f"{name}.query(Item).filter(Item.id == {self.key(UNSURE)}).all()"]
        self.lists.append(rows)
        return [f"{rows} = {self.rng.choice(options)}"]

    def create(self, name: str) -> list[str]:
        row, wait = self.fresh("row"), self.wait
        self.rows.append(row)
        lines = [f"{row} = Item(name='new')", f"{name}.add({row})"]
        if self.chance(0.15):
            other = self.fresh("row")
            self.rows.append(other)
            lines = [lines[0], f"{other} = Item(name='other')", f"{name}.add_all([{row}, {other}])"]
        ends = [[f"{wait}{name}.commit()"]] * 3 + [[f"{wait}{name}.flush()"], [], [f"{wait}{name}.rollback()"]]
        return [*lines, *self.rng.choice(ends), *self.some(lambda _: self.read(), 0.45 if self.is_async else 0.15, 1)]

    def read(self) -> list[str]:
        """Attributes are read."""
        if self.lists and (not self.rows or self.chance(0.25)):
            return self.read_all(self.rng.choice(self.lists))
        if not self.rows:
            return [self.work()]
        row, column = self.rng.choice(self.rows[-3:]), self.rng.choice(["name", "name", "id"])
        value = f"{row}.{column}"
        options = [[f"print({value})"]] * 4 + [[f"{self.fresh('label')} = {value}"], [f"print(f'{{{value}}}')"]]
        options += [[f"print({row}.name, {row}.id)"], [f"if {value} == 1:", *deeper([self.work()])]]
        options += [[f"if {value}:", *deeper([self.work()])], [f"print({{'id': {value}}})"], [f"work({value})"]]
        options += [[f"if {row} is not None:", f"    print({value})"], [f"if {row}:", f"    print({value})"]]
        options += [[f"print(str({value}))"], [f"print([{value}])"], [f"print({value} if {row} else None)"]]
        options += [[f"print({row})"], [f"print({row} and {value})"], [f"print({row}.name + 'x')"]]
        if not self.yields and self.chance(0.3):
            options += [[f"return {value}"], [f"return {{'id': {value}}}"]] * 4
        return self.rng.choice(options)

    def read_all(self, rows: str) -> list[str]:
        each = self.fresh("each")
        options = [
            [f"for {each} in {rows}:", f"    print({each}.name)"],
            [f"print([{each}.name for {each} in {rows}])"],
        ]
        options += [[f"if {rows}:", f"    print({rows}[0].name)"], [f"print({{{each}.id: 1 for {each} in {rows}}})"]]
        options += [[f"print(len({rows}))"]]
        return self.rng.choice(options)

    def write(self) -> list[str]:
        """An attribute is set, of which nothing has to be loaded."""
        if not self.rows:
            return [self.work()]
        row = self.rng.choice(self.rows[-3:])
        lines = self.rng.choice([[f"{row}.name = 'changed'"]] * 3 + [[f"{row}.name += 'x'"]])
        return [*lines, *self.some(lambda _: self.read(), 0.4, 1)]
