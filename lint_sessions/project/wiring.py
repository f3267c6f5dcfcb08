"""Who depends on what: every place where a callable is given to a framework that will call it for a request.

The text is searched first; only the argument of a marker is parsed, and a whole block where a name of its own is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from lint_sessions.project.annotations import definition
from lint_sessions.project.calls import run_by
from lint_sessions.project.modules import Module
from lint_sessions.project.names import Kind, dotted, parameters, walk, walk_scope
from lint_sessions.project.scopes import Scope, leaves
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import (
    ClassType,
    External,
    FunctionType,
    GeneratorType,
    InstanceType,
    SessionType,
    argument,
)
from lint_sessions.source.cut import CLOSE, OPEN, STRING, tokens
from lint_sessions.source.document import Block, SyntaxProblem

ROUTE_DECORATORS = frozenset(
    ["get", "put", "post", "delete", "options", "head", "patch", "trace", "websocket", "api_route", "websocket_route"]
)
_ROUTERS = frozenset(
    ["fastapi.FastAPI", "fastapi.applications.FastAPI", "fastapi.APIRouter", "fastapi.routing.APIRouter"]
)
_MARKER = r"Depends|Security|Provide|TaskiqDepends"
_NO_MARKERS = frozenset(["dependency_overrides", "add_api_route"])
_OF_FASTAPI = frozenset(["Depends", "Security"]) | _NO_MARKERS
_RELEVANT = re.compile(rf"\b(?:{_MARKER}|dependency_overrides|add_api_route|add_api_websocket_route)\b")
_ALIAS = re.compile(rf"\b(?:{_MARKER})\s+as\s+(\w+)")
_ANNOTATED = re.compile(
    r"(?:(?<!\w)Annotated\[\s*([\w.]+)(?:\[[^\[\]]*\])?\s*,\s*|:\s*([\w.]+)(?:\[[^\[\]]*\])?\s*=\s*)\Z"
)
"""What stands before `Depends()`, which depends on the class that the parameter is annotated with."""

_PARAMETER = re.compile(
    r"(\w+)\s*(?:(?::(?:[^=(),\[\]]|\[[^\[\]]*\])*)?=\s*|:\s*(?:\w+\.)*Annotated\[[^=()\]]*)(?:\w+\.)*\Z"
)
"""The parameter that a marker stands at."""


@dataclass(frozen=True, eq=False)
class Use:
    """One place that makes a framework call something."""

    module: Module
    block: Block
    offset: int
    marker: str
    """The published name, such as `fastapi.Depends`; `dependency_overrides`; or `add_api_route`."""

    @property
    def by(self) -> str:
        """The function, class or statement it stands in, for a reader."""
        return self.block.name or self.block.document.text[self.block.start : self.offset].partition("=")[0].strip()

    @property
    def is_fastapi(self) -> bool:
        """Whether it is FastAPI that calls; a name that nothing binds is taken for its own."""
        return self.marker.startswith("fastapi.") or self.marker in _OF_FASTAPI

    @property
    def parameter(self) -> str | None:
        """The name that its result is passed by."""
        found = _PARAMETER.search(self.block.document.text[self.block.start : self.offset])
        return found[1] if found is not None and self.block.kind == "function" else None

    @property
    def is_marker(self) -> bool:
        """Whether it is a `Depends` or one of its like."""
        return self.marker not in _NO_MARKERS

    @property
    def is_function_scoped(self) -> bool:
        """Whether a `Depends` has its provider end with the route, before the response."""
        text = self.block.document.text
        call = _call(text, text.index("(", self.offset) + 1, self.block.end)
        match argument(call, 3, "scope") if call is not None else None:
            case cst.SimpleString(evaluated_value=scope):
                return scope == "function"
            case cst.BaseExpression():
                return True
        return call is None or any(arg.star for arg in call.args)

    @property
    def arguments(self) -> tuple[int, int]:
        """Where the arguments of the marker begin, and where the bracket stands that closes them."""
        text = self.block.document.text
        start = text.index("(", self.offset) + 1
        return start, _closing(text, start, self.block.end) or start


@dataclass(frozen=True)
class _Given:
    """A call or assignment that hands something over: where it stands and the text of what is handed over."""

    offset: int
    marker: str
    text: str
    implied: str = ""
    """The annotation that stands for a missing argument."""
    replaced: str = ""
    """What it is given instead of."""


class Wiring:
    """The dependencies of one project, found when first asked for."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._parsed: dict[tuple[int, str], cst.BaseExpression | None] = {}

    # --- markers ------------------------------------------------------------------------------------------------

    def marker(self, node: cst.CSTNode, scope: Scope) -> External | None:
        """What `Depends(...)` and its like call, where `node` is such a call."""
        if not isinstance(node, cst.Call):
            return None
        callee = self.types.infer(node.func, scope)
        return callee if isinstance(callee, External) and self.types.is_marker(callee) else None

    def is_fastapi(self, marker: External) -> bool:
        """Whether a marker is FastAPI's own; a name that nothing binds is taken for it."""
        return marker.name.startswith("fastapi.") or not marker.resolved

    def declared_by(
        self, default: cst.BaseExpression | None, annotation: cst.BaseExpression | None, scope: Scope, depth: int = 5
    ) -> tuple[cst.Call, Scope] | None:
        """The `Depends(...)` that fills a parameter or an attribute, with its scope: the default, or part of the
        annotation."""
        if isinstance(default, cst.Call) and self.marker(default, scope) is not None:
            return default, scope
        match annotation:
            case cst.Subscript(slice=elements):
                items = [e.slice.value for e in elements if isinstance(e.slice, cst.Index)]
                found = (i for i in items if isinstance(i, cst.Call) and self.marker(i, scope) is not None)
                return next(((call, scope) for call in found), None)
            case cst.Name() | cst.Attribute() if depth:
                alias = definition(self.types, annotation, scope)
                if alias is not None and alias[0].kind is Kind.VALUE:
                    return self.declared_by(None, alias[0].value, alias[1], depth - 1)
        return None

    # --- routes and dependencies --------------------------------------------------------------------------------

    def is_route(self, function: Scope) -> bool:
        """Whether FastAPI calls a function for requests: it is decorated as a route, or added as one."""
        node = function.function
        if node is None or function.parent is None:
            return False
        decorators = (d.decorator for d in node.decorators)
        if any(self.is_route_decorator(d, function.parent) for d in decorators):
            return True
        return any(use.marker == "add_api_route" for use in self.uses(function))

    def response_model(self, function: Scope) -> cst.BaseExpression | None:
        """What the answer of a route is validated as; None where it is taken as it is, and for what is no route."""
        node, around = function.function, function.parent
        if node is None or around is None:
            return None
        for decorator in (d.decorator for d in node.decorators):
            if isinstance(decorator, cst.Call) and self.is_route_decorator(decorator, around):
                model = argument(decorator, -1, "response_model")
                if model is None and node.returns is not None:
                    model = node.returns.annotation
                return None if model is not None and dotted(model) == "None" else model
        return None

    def is_route_decorator(self, node: cst.BaseExpression, scope: Scope) -> bool:
        """Whether a decorator registers a function with FastAPI, and gives it back as it is."""
        match node:
            case cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value=name))) if name in ROUTE_DECORATORS:
                kind = self.types.infer(owner, scope)
                if isinstance(kind, External) and not kind.resolved:
                    return "router" in kind.last or kind.last == "app"
                return isinstance(kind, InstanceType) and self._is_router(kind.cls)
        return False

    def _is_router(self, cls: ClassType | External) -> bool:
        bases = self.types.ancestry(cls.scope) if isinstance(cls, ClassType) else [cls]
        return any(isinstance(base, External) and base.name in _ROUTERS for base in bases)

    def uses(self, function: Scope) -> list[Use]:
        """The places that make a framework call a function; of a class, those that make one of its instances."""
        return self._found[0].get(id(function), [])

    def is_injected(self, function: Scope) -> bool:
        """Whether FastAPI calls a function, and gives it its parameters."""
        return any(use.is_fastapi for use in self.uses(function)) or self.is_route(function)

    def is_overridden(self, provider: cst.BaseExpression, scope: Scope) -> bool:
        """Whether `dependency_overrides` may put something else in the place of a dependency."""
        return any(replaced is None or replaced == self._identity(provider, scope) for replaced in self._found[1])

    def _identity(self, node: cst.BaseExpression, scope: Scope) -> object:
        """What tells one dependency from another: its definition, or its name outside the project."""
        found = definition(self.types, node, scope)
        if found is not None:
            return found[0].node
        kind = self.types.infer(node, scope)
        return kind.name if isinstance(kind, External) else kind

    @cached_property
    def _found(self) -> tuple[dict[int, list[Use]], list[object]]:
        """The uses of each function, and what is overridden: None for something unknown."""
        uses: dict[int, list[Use]] = {}
        replaced: list[object] = []
        for module in self.types.project.modules:
            if not _RELEVANT.search(module.document.text):
                continue
            pattern = _pattern(_ALIAS.findall(module.document.text))
            for block, scope in leaves(module.blocks, self.types.module_scope(module)):
                for given in _handed_over(module.document.text, block, pattern):
                    key = self._expression(given.replaced, scope) if given.replaced else None
                    if key is not None:
                        replaced.append(self._identity(key, self._scope_of(given.replaced, block, scope)))
                    marker = self._published(given, scope)
                    if marker is not None:
                        for function in self._named(given, block, scope):
                            uses.setdefault(id(function), []).append(Use(module, block, given.offset, marker))
        return uses, replaced

    def _published(self, given: _Given, scope: Scope) -> str | None:
        """The marker's own name; None where it is something else that is merely called like one."""
        if given.marker in _NO_MARKERS:
            return given.marker
        callee = self._expression(given.marker, scope)
        kind = self.types.infer(callee, scope) if callee is not None else None
        return kind.name if isinstance(kind, External) and self.types.is_marker(kind) else None

    def _named(self, given: _Given, block: Block, scope: Scope) -> list[Scope]:
        text = given.text or given.implied
        expression = self._expression(text, scope) if text else None
        if expression is None:
            return []
        return self.called(expression, self._scope_of(text, block, scope))

    def _scope_of(self, text: str, block: Block, scope: Scope) -> Scope:
        """The scope in which the name that an expression begins with is looked up."""
        top = re.match(r"\w*", text)
        if top is not None and block.kind == "function" and _binds(block, top[0]):
            return self._inner_scope(block, scope, top[0]) or scope
        return scope

    def called(self, provider: cst.BaseExpression, scope: Scope) -> list[Scope]:
        """The function that runs when a framework calls `provider`; of a class, the class and its `__init__`."""
        if isinstance(provider, cst.Call):
            callee = self.types.infer(provider.func, scope)
            first = argument(provider, 0, "func")
            if isinstance(callee, External) and callee.name == "functools.partial" and first is not None:
                return self.called(first, scope)
        return run_by(self.types, self.types.infer(provider, scope))

    def _expression(self, text: str, scope: Scope) -> cst.BaseExpression | None:
        key = (id(scope), text)
        if key not in self._parsed:
            try:
                self._parsed[key] = cst.parse_expression(text)
            except (cst.ParserSyntaxError, ValueError):
                self._parsed[key] = None
        return self._parsed[key]

    def _inner_scope(self, block: Block, scope: Scope, name: str) -> Scope | None:
        """The scope inside a function's block that binds `name`, if not to a parameter; the outermost one."""
        try:
            pending = [scope.child_of_block(block)]
        except SyntaxProblem:
            return None
        for inner in pending:
            if any(binding.kind is not Kind.PARAMETER for binding, _ in inner.bound(name)):
                return inner
            if inner.node is not None:
                pending += [inner.child(n, block) for n in walk_scope(inner.node) if isinstance(n, cst.FunctionDef)]
        return None

    # --- providers ----------------------------------------------------------------------------------------------

    def providers_of(self, factory: cst.BaseExpression, scope: Scope) -> list[FunctionType]:
        """The yield providers at module level that open their session with the factory that `factory` names."""
        target = definition(self.types, factory, scope)
        if target is None:
            return []
        return [p for p in self._providers(target[0].name) if self._opens_with(p, target[0].node)]

    def providers(self, *, is_async: bool) -> list[FunctionType]:
        """All yield providers at module level that give a session of one sort."""
        sorts = ((p, self.types.yielded(p)) for p in self._providers("yield"))
        return [p for p, kind in sorts if isinstance(kind, SessionType) and kind.flavor.is_async is is_async]

    def _providers(self, word: str) -> Iterator[FunctionType]:
        for module in self.types.project.modules:
            if word not in module.document.text:
                continue
            top = self.types.module_scope(module)
            for block in module.blocks:
                if block.kind == "function" and "yield" in block.text:
                    try:
                        provider = FunctionType(top.child_of_block(block))
                    except SyntaxProblem:
                        continue
                    if self._is_provider(provider):
                        yield provider

    def _is_provider(self, provider: FunctionType) -> bool:
        node = provider.scope.function
        result = self.types.result(provider)
        return (
            node is not None
            and not node.decorators
            and not parameters(node)
            and isinstance(result, GeneratorType)
            and isinstance(result.yields, SessionType)
        )

    def _opens_with(self, provider: FunctionType, factory: cst.CSTNode) -> bool:
        node, scope = provider.scope.function, provider.scope
        calls = (part.func for part in walk(node.body) if isinstance(part, cst.Call)) if node is not None else ()
        made = (definition(self.types, func, scope) for func in calls if dotted(func))
        return any(found is not None and found[0].node is factory for found in made)


def _pattern(aliases: list[str]) -> re.Pattern[str]:
    """Finds what hands something over, outside of strings and comments."""
    names = "|".join([_MARKER, *map(re.escape, aliases)])
    return re.compile(
        rf"\#[^\r\n]*|{STRING}"
        rf"|(?<![\w.])(?P<marker>(?:\w+\.)*(?:{names}))\s*\("
        r"|\bdependency_overrides\s*(?:\[(?P<key>[^\]\r\n]*)\]\s*=(?:\s*(?P<override>[\w.]+)[ \t]*(?:$|\#))?"
        r"|(?:\|?=|\.update\s*\()\s*(?P<overrides>\{))"
        r"|\.(?P<route>add_api_route|add_api_websocket_route)\s*\(",
        re.DOTALL | re.MULTILINE,
    )


def _handed_over(text: str, block: Block, pattern: re.Pattern[str]) -> Iterator[_Given]:
    for match in pattern.finditer(text, block.start, block.end):
        if match["key"]:
            yield _Given(match.start(), "dependency_overrides", match["override"] or "", replaced=match["key"])
        elif match["overrides"]:
            yield from _overrides(text, match.end(), block.end)
        elif match["route"]:
            call = _call(text, match.end(), block.end)
            endpoint = argument(call, 1, "endpoint") if call is not None else None
            if endpoint is not None and (name := dotted(endpoint)):
                yield _Given(match.start(), "add_api_route", name)
        elif match["marker"] and not text.endswith(("def ", "class "), block.start, match.start()):
            yield from _marked(text, match, block.end)


def _overrides(text: str, start: int, end: int) -> Iterator[_Given]:
    whole = _in_brackets(text, start, end, "{}")
    for element in whole.elements if isinstance(whole, cst.Dict) else ():
        if isinstance(element, cst.DictElement):
            key, value = (cst.Module([]).code_for_node(part) for part in (element.key, element.value))
            yield _Given(start, "dependency_overrides", value if dotted(element.value) else "", replaced=key)


def _marked(text: str, match: re.Match[str], end: int) -> Iterator[_Given]:
    plain = _PLAIN.match(text, match.end())
    if plain is not None:
        yield _Given(match.start(), match["marker"], plain[1])
        return
    call = _call(text, match.end(), end)
    if call is None:
        return
    provider = argument(call, 0, "dependency")
    if provider is not None:
        yield _Given(match.start(), match["marker"], cst.Module([]).code_for_node(provider))
        return
    before = _ANNOTATED.search(text[max(0, match.start() - 200) : match.start()])
    if before is not None:
        yield _Given(match.start(), match["marker"], "", implied=before[1] or before[2])


_PLAIN = re.compile(r"\s*(?:dependency\s*=\s*)?([A-Za-z_][\w.]*)\s*,?\s*\)")


def _call(text: str, start: int, end: int) -> cst.Call | None:
    """The call whose arguments begin at `start`, right after the bracket."""
    call = _in_brackets(text, start, end, "()", "_")
    return call if isinstance(call, cst.Call) else None


def _in_brackets(text: str, start: int, end: int, brackets: str, before: str = "") -> cst.BaseExpression | None:
    """What begins right after a bracket, down to the one that closes it, parsed."""
    place = _closing(text, start, end)
    if place is None:
        return None
    try:
        return cst.parse_expression(f"{before}{brackets[0]}{text[start:place]}{brackets[1]}")
    except cst.ParserSyntaxError:
        return None


def _closing(text: str, start: int, end: int) -> int | None:
    """Where the bracket stands that closes the one right before `start`."""
    depth = 1
    for kind, place, _ in tokens(text, start, end):
        depth += {OPEN: 1, CLOSE: -1}.get(kind, 0)
        if depth == 0:
            return place
    return None


def _binds(block: Block, name: str) -> bool:
    """Whether a function's text may bind a name; a cheap over-approximation."""
    text = block.document.text
    word = re.escape(name)
    found = re.compile(rf"\b(?:def|class)\s+{word}\b|\b{word}\s*(?:=(?!=)|:|,)|\bimport\b[^\n]*\b{word}\b")
    return found.search(text, block.piece.head, block.end) is not None
