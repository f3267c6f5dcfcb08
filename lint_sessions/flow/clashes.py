"""Sessions that several of the things which a function starts use at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.origins import Origin, Use
from lint_sessions.flow.tasks import WRAPPERS, Task, Tasks


@dataclass(frozen=True, eq=False)
class Clash:
    """One session at work in several tasks at once."""

    place: cst.Call
    """The call that makes them run at once."""
    origin: Origin
    tasks: tuple[Task, ...]
    """More than one, or one that is started again and again."""
    uses: tuple[Use, ...]
    """What each of them does with the session."""


class Clashes:
    """The sessions of one function that meet themselves at work."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self._uses: dict[int, list[Use]] = {}

    def found(self) -> Iterator[Clash]:
        """The sessions that several of the tasks use at once."""
        seen: set[int] = set()
        for part in self.tasks.parts:
            members = self.tasks.gathered(part) if isinstance(part, cst.Call) else []
            found = list(self._clashes(members, part, gathered=True)) if isinstance(part, cst.Call) else []
            for clash in found:
                seen.update(id(task.node) for task in clash.tasks)
                yield clash
        beside = sorted([*self.tasks.started, *self._awaited()], key=lambda task: self.tasks.order[id(task.start)])
        if len(beside) > 1 or any(task.turn for task in beside):
            place = beside[0].start
            for clash in self._clashes(beside, place, gathered=False):
                if not all(id(task.node) in seen for task in clash.tasks):
                    yield clash

    def _awaited(self) -> Iterator[Task]:
        """What the function itself does in the meantime."""
        if not self.tasks.started:
            return
        for part in self.tasks.parts:
            if isinstance(part, cst.Await) and isinstance(part.expression, cst.Call):
                call = part.expression
                if not self.tasks.gathered(call) and self.tasks.published(call.func) not in WRAPPERS:
                    yield Task(call, call, call.func, tuple(call.args), is_awaited=True)

    def _clashes(self, tasks: list[Task], place: cst.Call, *, gathered: bool) -> Iterator[Clash]:
        users: dict[tuple[Origin, bool], list[tuple[Task, Use]]] = {}
        for task in tasks:
            for use in self.uses(task):
                known = users.setdefault((use.origin, task.is_thread), [])
                if all(other is not task for other, _ in known):
                    known.append((task, use))
        for (origin, _), found in users.items():
            group = self._at_once(origin, found, gathered=gathered)
            if group:
                where = place if gathered else group[-1][0].start
                yield Clash(where, origin, tuple(t for t, _ in group), tuple(u for _, u in group))

    def _at_once(self, origin: Origin, found: list[tuple[Task, Use]], *, gathered: bool) -> list[tuple[Task, Use]]:
        """Those of the tasks that run at once: one that is started again and again, or a group."""
        for task, use in found:
            if task.turn is not None and not self.tasks.is_new_each_turn(origin, task.turn):
                return [(task, use)]
        for i, (first, use) in enumerate(found):
            group = [(first, use)]
            for second, other in found[i + 1 :]:
                if not first.is_awaited and self._overlap(first, second, origin, gathered=gathered):
                    group.append((second, other))
            if len(group) > 1:
                return group
        return []

    def _overlap(self, first: Task, second: Task, origin: Origin, *, gathered: bool) -> bool:
        begin, end = self.tasks.order.get(id(first.node), -1), self.tasks.order.get(id(second.node), -1)
        if self.tasks.is_bound_between(origin, begin, end) or self.tasks.excludes(first.start, second.start):
            return False
        if gathered:
            return True
        manager = self.tasks.manager(first)
        if manager is not None and not self.tasks.is_inside(second.start, manager):
            return False
        return not any(begin < self.tasks.order[id(part)] <= end for part in self.tasks.waits(first))

    def uses(self, task: Task) -> list[Use]:
        """The sessions that a task works with: asynchronous ones, or in a thread the others."""
        if id(task) not in self._uses:
            found = self.tasks.origins.uses_of(task.func, task.args, task.node, self.tasks.frame)
            self._uses[id(task)] = [
                use for use in found if use.flavor.is_async is not task.is_thread and not use.flavor.is_scoped
            ]
        return self._uses[id(task)]
