"""Providers that are driven by hand: what one step of a generator gives, and who ends it then.

CPython ends a generator with the last name that leads to it: in `next(get_db())` at once, so that its `finally` closes
the session before anybody uses it. The session is as good as new then, and whoever has it owes its close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.values import Cause, Held
from lint_sessions.project.names import Kind
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, Flavor, FunctionType, GeneratorType, SessionType

if TYPE_CHECKING:
    from lint_sessions.flow.evaluate import Evaluator, Outcome
    from lint_sessions.flow.state import State

_FUNCTIONS = {"next": False, "anext": True}
_METHODS = {"__next__": False, "send": False, "__anext__": True, "asend": True}
"""What takes a generator one step, and whether that has to be an asynchronous one."""


@dataclass(frozen=True)
class Step:
    """A call that takes a provider's generator one step."""

    generator: cst.BaseExpression
    flavor: Flavor
    """Of the session that it yields."""
    function: FunctionType | None
    """The provider; None where only its name tells that it is one."""

    @property
    def is_kept(self) -> bool:
        """Whether something else leads to the generator, which lives on."""
        return not isinstance(self.generator, cst.Call)


def step_of(types: Types, node: cst.BaseExpression, scope: Scope) -> Step | None:
    """The step that a call is."""
    match node:
        case cst.Call(func=cst.Name(value=name) as func, args=[cst.Arg(value=given), *_]) if name in _FUNCTIONS:
            is_async = _FUNCTIONS[name]
            if not isinstance(types.infer(func, scope), External):
                return None
        case cst.Call(func=cst.Attribute(value=given, attr=cst.Name(value=name))) if name in _METHODS:
            is_async = _METHODS[name]
        case _:
            return None
    made = generator(types, given, scope)
    if made is not None and isinstance(made.yields, SessionType):
        return Step(given, made.yields.flavor, made.function) if made.is_async is is_async else None
    if isinstance(given, cst.Call) and is_named_provider(types, given, scope):
        return Step(given, Flavor(is_async=is_async, expires=None), None)
    return None


def generator(types: Types, node: cst.BaseExpression, scope: Scope) -> GeneratorType | None:
    """The generator that an expression is, where it is one of a provider that no decorator changes."""
    found = scope.lookup(node.value) if isinstance(node, cst.Name) else None
    if found is not None and not all(b.kind is Kind.VALUE and isinstance(b.value, cst.Call) for b, _ in found[1]):
        return None  # the default of a parameter, for one, is one of many values
    made = types.infer(node, scope)
    if not isinstance(made, GeneratorType) or not isinstance(made.yields, SessionType) or made.yields.flavor.is_scoped:
        return None
    function = made.function.scope.function
    names = (d.decorator for d in function.decorators) if function is not None else ()
    plain = all(isinstance(d, cst.Name) and d.value in ("staticmethod", "classmethod") for d in names)
    return made if plain else None


def is_named_provider(types: Types, call: cst.Call, scope: Scope) -> bool:
    """Whether something is called that nothing resolves and that bears a well-known provider's name."""
    return not call.args and types.is_provider_name(types.infer(call.func, scope))


def stepped(run: Evaluator, node: cst.Call, step: Step, state: State) -> list[Outcome]:
    """A generator is taken one step: the session is the function's own where nobody holds the generator."""
    run.fail(state, node, Cause.ERROR)
    if step.is_kept or not _makes_its_own(run, step):
        return [run.borrow(state, f"{id(node)}", node, step.flavor)]
    state, site = run.acquire(state, node, step.flavor, from_step=True)
    return [(state, Held(site))]


def _makes_its_own(run: Evaluator, step: Step) -> bool:
    """Whether a provider opens what it lends, and does not pass on what somebody else owns."""
    if step.function is None:
        return True
    known = run.summaries.entrances(step.function, ())
    lent = [site for way in known.ways for site, _ in way.made] if known is not None else []
    return bool(lent) and all(s.acquired or s.managed or isinstance(s.node, cst.For) for s in lent)
