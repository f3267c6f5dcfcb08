"""Which session an expression means, across calls: the variable or the part of an object that it is the same as.

Nothing is explored here: names that are bound once, constructors and returned expressions are followed, and whatever is
not certain to be one and the same session has no origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import libcst as cst

from lint_sessions.flow.operations import COROUTINES
from lint_sessions.project.names import Kind, children, parameters
from lint_sessions.project.scopes import Scope, has_decorator, last_name
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import (
    ClassType,
    External,
    Flavor,
    FunctionType,
    InstanceType,
    SessionType,
    Type,
    argument,
)
from lint_sessions.source.document import Block

MAX_DEPTH = 6
"""Calls followed from the one that is asked about."""
MAX_STEPS = 24
"""Expressions followed from one to the next."""

WORKING = COROUTINES | {"begin", "query", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"}
"""Methods of a session that use its connection, or may."""
_LOCKS = ("lock", "mutex", "sem", "limiter")


@dataclass(frozen=True)
class Variable:
    """What a name holds."""

    scope: Scope
    name: str


@dataclass(frozen=True)
class Part:
    """An attribute of an object; with `given`, what the constructor of the object got for a parameter."""

    whole: Origin
    name: str
    given: bool = False


@dataclass(frozen=True)
class Made:
    """An object that a call makes."""

    call: cst.Call
    frame: Frame = field(compare=False, repr=False)
    cls: ClassType = field(compare=False, repr=False)


Origin = Variable | Part | Made


@dataclass(frozen=True)
class Value:
    """What an expression is: where it comes from, as far as it has a known origin, and its type."""

    origin: Origin | None
    kind: Type | None


@dataclass(frozen=True, eq=False)
class Frame:
    """One run of a function, with what its parameters are given."""

    scope: Scope
    given: Mapping[str, Value] = field(default_factory=dict)
    outer: Frame | None = None
    """The run of the function around it."""
    is_first: bool = False
    """The run that is asked about; what other runs make is new each time."""


@dataclass(frozen=True, eq=False)
class Use:
    """A statement that works with a session."""

    origin: Origin
    flavor: Flavor
    node: cst.CSTNode
    block: Block | None
    method: str
    """The method of the session; `__exit__` at the end of its `with` block, or of one of its transaction."""


@dataclass(frozen=True, eq=False)
class Left:
    """The end of a `with` block."""

    block: cst.With


def root(origin: Origin) -> Variable | Made:
    """What an origin is a part of."""
    while isinstance(origin, Part):
        origin = origin.whole
    return origin


def described(origin: Origin) -> str:
    """A session in words, for a message."""
    match origin:
        case Variable(name=name):
            return f"`{name}`"
        case Part(whole=Variable(name=name), name=attribute, given=False):
            return f"`{name}.{attribute}`"
        case Part(whole=Made(cls=cls)):
            return f"the session of one `{cls.scope.name}`"
        case Part(whole=Variable(name=name)):
            return f"the session of `{name}`"
    return "one session"


class Origins:
    """Follows expressions to where they come from, within one project."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._steps = 0

    # --- expressions --------------------------------------------------------------------------------------------

    def value(self, node: cst.BaseExpression, frame: Frame) -> Value:
        """What an expression is in a run."""
        if self._steps >= MAX_STEPS:
            return Value(None, None)
        self._steps += 1
        try:
            found = self._value(node, frame)
        finally:
            self._steps -= 1
        if isinstance(found.origin, Made):
            return Value(found.origin, InstanceType(found.origin.cls))
        kind = self.types.infer(node, frame.scope)
        return Value(found.origin, found.kind if kind is None else kind)

    def _value(self, node: cst.BaseExpression, frame: Frame) -> Value:
        match node:
            case cst.Name(value=name):
                return self._name(name, frame)
            case cst.Attribute(value=whole, attr=attr):
                return self._attribute(self.value(whole, frame), attr.value)
            case cst.Await(expression=inner):
                return self.value(inner, frame)
            case cst.NamedExpr(value=inner):
                return self.value(inner, frame)
            case cst.Call():
                return self._call(node, frame)
        return Value(None, None)

    def _name(self, name: str, frame: Frame) -> Value:
        found = frame.scope.lookup(name)
        if found is None:
            return Value(None, None)
        owner, bound = found
        around: Frame | None = frame
        while around is not None and around.scope is not owner:
            around = around.outer
        if around is None:
            around = Frame(owner, is_first=True)
        if name in around.given:
            return around.given[name]
        if len(bound) == 1:
            binding = bound[0][0]
            if binding.kind is Kind.VALUE and binding.value is not None and not binding.index:
                value = self.value(binding.value, around)
                if value.origin is not None:
                    return value
        kind = self.types.name(name, owner)
        return Value(Variable(owner, name) if around.is_first else None, kind)

    def _call(self, call: cst.Call, frame: Frame) -> Value:
        callee = self.value(call.func, frame).kind
        if isinstance(callee, ClassType) and self.types.session_class(callee) is None:
            return Value(Made(call, frame, callee), InstanceType(callee))
        if isinstance(callee, FunctionType) and not callee.scope.is_generator:
            returned = [n.value for n in callee.scope.own_nodes if isinstance(n, cst.Return) and n.value is not None]
            inner = self.entered(call.func, call.args, frame)
            if len(returned) == 1 and inner is not None:
                return self.value(returned[0], inner)
        return Value(None, None)

    # --- attributes ---------------------------------------------------------------------------------------------

    def _attribute(self, whole: Value, name: str) -> Value:
        kind = self.types.attribute(whole.kind, name) if whole.kind is not None else None
        if whole.origin is None:
            return Value(None, kind)
        if isinstance(whole.kind, InstanceType) and isinstance(whole.kind.cls, ClassType):
            found = self._kept(whole.origin, whole.kind.cls, name)
            if found is not None and found.origin is not None:
                return found
        return Value(Part(whole.origin, name), kind)

    def _kept(self, whole: Origin, cls: ClassType, name: str) -> Value | None:
        """What the methods of a class put into an attribute, where that is one expression."""
        for owner in self.types.ancestry(cls.scope):
            if isinstance(owner, External):
                continue
            getter = next((m for m in owner.methods() if m.name == name), None) if owner.mentions(name) else None
            if getter is not None:
                return self._property(whole, cls, getter)
            field_ = self._field(whole, cls, owner, name)
            if field_ is not None:
                return field_
            methods = [method for method in owner.methods() if method.mentions(name)]
            assigned = [(value, method) for method in methods for value, _ in method.attributes_set.get(name, ())]
            if len(assigned) == 1:
                value, method = assigned[0]
                return self.value(value, self._method_frame(whole, cls, method))
            if assigned:
                return None
        return None

    def _property(self, whole: Origin, cls: ClassType, getter: Scope) -> Value | None:
        node = getter.function
        if node is None or not has_decorator(node, "property", "cached_property"):
            return None
        returned = [n.value for n in getter.own_nodes if isinstance(n, cst.Return) and n.value is not None]
        return self.value(returned[0], self._method_frame(whole, cls, getter)) if len(returned) == 1 else None

    def _field(self, whole: Origin, cls: ClassType, owner: Scope, name: str) -> Value | None:
        """What a dataclass is given for a field."""
        if not isinstance(whole, Made) or owner is not cls.scope or owner.header is None:
            return None
        if all(last_name(d.decorator) != "dataclass" for d in owner.header.decorators):
            return None
        node = owner.node
        body = node.body.body if isinstance(node, cst.ClassDef) else ()
        lines = [line.body[0] for line in body if isinstance(line, cst.SimpleStatementLine)]
        names = [s.target.value for s in lines if isinstance(s, cst.AnnAssign) and isinstance(s.target, cst.Name)]
        given = argument(whole.call, names.index(name), name) if name in names else None
        return self.value(given, whole.frame) if given is not None else None

    def _method_frame(self, whole: Origin, cls: ClassType, method: Scope) -> Frame:
        """A run of a method of an object; of a constructor, the one that made it."""
        own = {method.first_parameter: Value(whole, InstanceType(cls))} if method.first_parameter is not None else {}
        if method.name == "__init__":
            own |= self.constructed(whole, cls, method)
        return Frame(method, own)

    def constructed(self, whole: Origin, cls: ClassType, init: Scope | None = None) -> dict[str, Value]:
        """What the parameters of a constructor were given when an object was made; `init` where it is a base's."""
        first = self.types.method(cls, "__init__")
        node = first.scope.function if first is not None else None
        if first is None or node is None:
            return {}
        if isinstance(whole, Made):
            given = self._given(first.scope, whole.call.args, whole.frame)
        else:
            names = [p.name.value for p in parameters(node) if p.name.value != first.scope.first_parameter]
            given = {name: Value(Part(whole, name, given=True), self.types.name(name, first.scope)) for name in names}
        if init is None or first.scope is init:
            return given
        for part in own_parts(node.body):
            match part:
                case cst.Call(func=cst.Attribute(value=cst.Call(func=cst.Name(value="super")), attr=attr), args=args):
                    if attr.value == "__init__":
                        return self._given(init, args, Frame(first.scope, given))
        return {}

    # --- calls --------------------------------------------------------------------------------------------------

    def entered(self, func: cst.BaseExpression, args: Sequence[cst.Arg], frame: Frame) -> Frame | None:
        """The run of a project function that a call begins; None where it is none."""
        callee = self.value(func, frame).kind
        if isinstance(callee, InstanceType) and isinstance(callee.cls, ClassType):
            method = self.types.method(callee.cls, "__call__")
            callee = FunctionType(method.scope, callee) if method is not None else None
        if not isinstance(callee, FunctionType):
            return None
        scope = callee.scope
        given = self._given(scope, args, frame)
        if callee.owner is not None and scope.first_parameter is not None:
            receiver = func.value if isinstance(func, cst.Attribute) else func
            is_super = isinstance(receiver, cst.Call) and last_name(receiver) == "super"
            own = self._name(frame.scope.first_parameter or "self", frame) if is_super else self.value(receiver, frame)
            given[scope.first_parameter] = own
        outer: Frame | None = frame
        while outer is not None and outer.scope is not scope.parent:
            outer = outer.outer
        return Frame(scope, given, outer)

    def _given(self, function: Scope, args: Sequence[cst.Arg], frame: Frame) -> dict[str, Value]:
        """What each parameter of a function is given by a call; those that are not known have no origin."""
        node = function.node
        if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
            return {}
        names = [p.name.value for p in parameters(node)]
        given = {name: Value(None, None) for name in names}
        by_position = [p.name.value for p in (*node.params.posonly_params, *node.params.params)]
        if function.first_parameter is not None:
            by_position = by_position[1:]
        for arg in args:
            if arg.star == "*":
                by_position = []
            elif arg.keyword is not None:
                given[arg.keyword.value] = self.value(arg.value, frame)
            elif by_position and not arg.star:
                given[by_position.pop(0)] = self.value(arg.value, frame)
        return given

    # --- uses ---------------------------------------------------------------------------------------------------

    def uses(self, frame: Frame, depth: int = MAX_DEPTH) -> Iterator[Use]:
        """What a run does with sessions that it has not opened itself; what it does under a lock is left out."""
        node = frame.scope.node
        if isinstance(node, (cst.FunctionDef, cst.Lambda)):
            yield from self.uses_in(node.body, frame, depth)

    def uses_in(self, node: cst.CSTNode, frame: Frame, depth: int = MAX_DEPTH) -> Iterator[Use]:
        """The same of a part of a run, in order."""
        for part in own_parts(node):
            yield from self.uses_at(part, frame, depth)

    def uses_at(self, part: cst.CSTNode | Left, frame: Frame, depth: int = MAX_DEPTH) -> Iterator[Use]:
        """The same of one of `own_parts` alone."""
        if isinstance(part, cst.Call):
            yield from self.uses_of(part.func, part.args, part, frame, depth)
        elif isinstance(part, Left):
            for item in reversed(part.block.items):
                entered = item.item
                if isinstance(entered, cst.Call) and isinstance(entered.func, cst.Attribute):
                    entered = entered.func.value if entered.func.attr.value == "begin" else entered
                held = self.value(entered, frame)
                if isinstance(held.kind, SessionType) and held.origin is not None and not self._is_new(held.origin):
                    yield Use(held.origin, held.kind.flavor, item, frame.scope.block, "__exit__")

    def uses_of(
        self,
        func: cst.BaseExpression,
        args: Sequence[cst.Arg],
        node: cst.Call,
        frame: Frame,
        depth: int = MAX_DEPTH,
    ) -> Iterator[Use]:
        """What calling `func` does with sessions; `node` is the call, or the one that hands `func` over."""
        match func:
            case cst.Lambda():
                yield from self.uses(Frame(frame.scope.child(func), {}, frame), depth)
                return
            case cst.Call(args=[first, *bound]) if self._is_partial(func, frame):
                yield from self.uses_of(first.value, [*bound, *args], node, frame, depth)
                return
            case cst.Attribute(value=whole, attr=cst.Name(value=name)) if name in WORKING:
                held = self.value(whole, frame)
                if isinstance(held.kind, SessionType):
                    if held.origin is not None and not self._is_new(held.origin):
                        yield Use(held.origin, held.kind.flavor, node, frame.scope.block, name)
                    return
        inner = self.entered(func, args, frame) if depth else None
        if inner is not None:
            yield from self.uses(inner, depth - 1)

    def _is_partial(self, call: cst.Call, frame: Frame) -> bool:
        kind = self.types.infer(call.func, frame.scope)
        return isinstance(kind, External) and kind.name == "functools.partial"

    def _is_new(self, origin: Origin) -> bool:
        """Whether a session belongs to an object that the run makes for itself."""
        whole = root(origin)
        return isinstance(whole, Made) and not whole.frame.is_first


def own_parts(node: cst.CSTNode) -> Iterator[cst.CSTNode | Left]:
    """Everything that runs when `node` does, parents first; what it defines and what waits for a lock left out."""
    stack: list[cst.CSTNode | Left] = [node]
    while stack:
        current = stack.pop()
        yield current
        if isinstance(current, (cst.FunctionDef, cst.ClassDef, cst.Lambda, Left)):
            continue
        if isinstance(current, cst.With):
            if any(_is_lock(item.item) for item in current.items):
                continue
            stack.append(Left(current))
        stack.extend(reversed(children(current)))


def _is_lock(item: cst.BaseExpression) -> bool:
    word = (last_name(item) or "").lower()
    return any(lock in word for lock in _LOCKS)
