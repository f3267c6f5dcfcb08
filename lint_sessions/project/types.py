"""The kinds of value this tool tells apart: sessions, what makes them, and what leads to either.

`None` stands for "not known" wherever a `Type | None` is given; the analysis then stays silent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import libcst as cst

from lint_sessions.project.modules import Module, Package
from lint_sessions.project.scopes import Scope


@dataclass(frozen=True)
class Flavor:
    """What sort of session: `expires` is `expire_on_commit`, None where it can't be read."""

    is_async: bool = False
    is_scoped: bool = False
    expires: bool | None = True
    on_connection: bool = False
    """Bound to a connection that somebody else holds: closing it gives nothing back."""
    declared: bool = False
    """Only an annotation says what it is, not what makes it: `expires` is the usual answer, not a known one."""
    engine: str = ""
    """What the engine is called that it is bound to; empty where that can't be read."""
    is_either: bool = False
    """Declared as one sort or the other: nobody can tell which."""


@dataclass(frozen=True)
class External:
    """Something outside the project, by its dotted name."""

    name: str
    resolved: bool = True
    """False where the name comes from a module that nobody could find, or from nowhere at all."""

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def names(self) -> tuple[str, str]:
        """What a configuration may call it: with its module, and without."""
        return self.name, self.last


@dataclass(frozen=True)
class ModuleType:
    module: Module | Package


@dataclass(frozen=True)
class FunctionType:
    """A function of the project, or a lambda; `owner` is what it is bound to."""

    scope: Scope
    owner: Type | None = None


@dataclass(frozen=True)
class ClassType:
    scope: Scope


@dataclass(frozen=True)
class InstanceType:
    cls: ClassType | External


@dataclass(frozen=True)
class FactoryType:
    """Makes a new session when called: a sessionmaker, a session class, a callable that is declared to."""

    flavor: Flavor


@dataclass(frozen=True)
class SessionType:
    flavor: Flavor


@dataclass(frozen=True)
class EngineType:
    is_async: bool


@dataclass(frozen=True)
class ConnectionType:
    is_async: bool


@dataclass(frozen=True)
class MethodType:
    """A method of a session, factory, engine or generator, not yet called."""

    owner: SessionType | FactoryType | EngineType | ConnectionType | GeneratorType
    name: str


@dataclass(frozen=True)
class ManagerType:
    """A context manager; entering it gives `entered`, leaving it ends that."""

    entered: Type | None
    maker: FunctionType | None = None


@dataclass(frozen=True)
class GeneratorType:
    """A running generator of the project's."""

    function: FunctionType
    yields: Type | None
    is_async: bool


@dataclass(frozen=True)
class AwaitableType:
    result: Type | None


@dataclass(frozen=True)
class TupleType:
    items: tuple[Type | None, ...]


@dataclass(frozen=True)
class CallableType:
    """Anything declared as `Callable[..., result]`."""

    result: Type | None


@dataclass(frozen=True)
class NoneType:
    """The constant None."""


Type = (
    External
    | ModuleType
    | FunctionType
    | ClassType
    | InstanceType
    | FactoryType
    | SessionType
    | EngineType
    | ConnectionType
    | MethodType
    | ManagerType
    | GeneratorType
    | AwaitableType
    | TupleType
    | CallableType
    | NoneType
)


def join(types: list[Type | None]) -> Type | None:
    """The one type that all of them are, or None; the constant None is passed over where something else stands."""
    solid = {t for t in types if not isinstance(t, NoneType)}
    if not solid:
        return NoneType() if types else None
    if len(solid) == 1:
        return solid.pop()
    flavors = [t.flavor for t in solid if isinstance(t, SessionType)]
    if len(flavors) == len(solid):
        return SessionType(merge(flavors))
    flavors = [t.flavor for t in solid if isinstance(t, FactoryType)]
    if len(flavors) == len(solid):
        return FactoryType(merge(flavors))
    return None


def injected(kind: Type | None, provided: Type | None) -> Type | None:
    """What a parameter is declared to be, with what its provider tells of the sessions that it makes."""
    if not (isinstance(kind, SessionType) and kind.flavor.declared and isinstance(provided, SessionType)):
        return kind
    made = provided.flavor
    if made.declared or made.expires is None or made.is_async != kind.flavor.is_async:
        return kind
    return SessionType(replace(kind.flavor, expires=made.expires, declared=False, engine=made.engine))


def merge(flavors: list[Flavor]) -> Flavor:
    """What sessions of several flavors have in common, told the careful way."""
    return Flavor(
        is_async=all(f.is_async for f in flavors),
        is_scoped=any(f.is_scoped for f in flavors),
        expires=flavors[0].expires if len({f.expires for f in flavors}) == 1 else None,
        on_connection=any(f.on_connection for f in flavors),
        declared=any(f.declared for f in flavors),
        is_either=any(f.is_either for f in flavors) or len({f.is_async for f in flavors}) > 1,
    )


def awaited(kind: Type | None) -> Type | None:
    """What `await` gives."""
    return kind.result if isinstance(kind, AwaitableType) else None


def argument(call: cst.Call, position: int, keyword: str) -> cst.BaseExpression | None:
    """The argument at a position or by keyword; None when it is not given or hidden in `*args`."""
    for i, arg in enumerate(call.args):
        if arg.star:
            return next((a.value for a in call.args if a.keyword and a.keyword.value == keyword), None)
        if arg.keyword is not None and arg.keyword.value == keyword:
            return arg.value
        if arg.keyword is None and i == position:
            return arg.value
    return None
