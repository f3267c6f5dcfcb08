"""Which statements bind which names: imports, definitions, assignments and parameters, read off LibCST nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

import libcst as cst


class Kind(Enum):
    """How a name comes by its value."""

    IMPORT = "import"
    FUNCTION = "function"
    CLASS = "class"
    VALUE = "value"
    """An assignment: `value` is the right-hand side."""
    ENTERED = "entered"
    """`with value as name`: what entering `value` gives."""
    ITEM = "item"
    """`for name in value`: what iterating over `value` gives."""
    PARAMETER = "parameter"
    DECLARED = "declared"
    """An annotation with no value."""
    OTHER = "other"
    """Bound in a way that says nothing of its value (del, except … as, match, augmented assignment)."""


@dataclass(frozen=True, eq=False)
class Binding:
    """One binding of one name."""

    name: str
    kind: Kind
    node: cst.CSTNode
    value: cst.BaseExpression | None = None
    annotation: cst.BaseExpression | None = None
    index: tuple[int, ...] = ()
    """Where in an unpacked value the name stands: `a, (b, c) = v` binds c at (1, 1)."""
    source: str = ""
    """Of an import: the dotted module, with a leading dot for each relative level."""
    attribute: str | None = None
    """Of `from source import attribute`: the attribute; `*` for a star import, whose name is `*`."""


def first_name(node: cst.BaseExpression) -> str | None:
    """The name at which a chain of attributes, items and calls begins."""
    while isinstance(node, (cst.Attribute, cst.Subscript, cst.Call)):
        node = node.func if isinstance(node, cst.Call) else node.value
    return node.value if isinstance(node, cst.Name) else None


def dotted(node: cst.CSTNode) -> str | None:
    """`a.b.c` for a chain of attributes on a plain name, or None for anything else; calls are never dropped."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    return ".".join([node.value, *reversed(parts)])


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The parts of a node that hold code, in source order; white space and punctuation are skipped."""
    kind = type(node)
    fields = _CODE_FIELDS.get(kind)
    if fields is None:
        skip = _SKIPPED_FIELDS | _LABELS.get(kind, frozenset())
        fields = _CODE_FIELDS[kind] = tuple(name for name in _ordered_fields(kind) if name not in skip)
    found: list[cst.CSTNode] = []
    for name in fields:
        value = getattr(node, name)
        kind_of_value = type(value)
        if kind_of_value in _NODES:
            found.append(value)
        elif kind_of_value in _SEQUENCES:
            found += [item for item in value if type(item) in _NODES]
    return found


def path_to(root: cst.CSTNode, node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes from `root` down to `node`; only the root where `node` does not stand in it."""
    stack = [(root, [root])]
    while stack:
        current, path = stack.pop()
        if current is node:
            return path
        stack.extend((part, [*path, part]) for part in children(current))
    return [root]


_SEQUENCES = (list, tuple)


# LibCST's classes are abstract, and isinstance is slow on those where the answer is no; the parser makes no
# instances of classes derived from them, so on paths that every node takes the type itself is looked up.
_NODES = frozenset(kind for kind in vars(cst).values() if isinstance(kind, type) and issubclass(kind, cst.CSTNode))


def _ordered_fields(kind: type[cst.CSTNode]) -> list[str]:
    """Field names in the order in which Python evaluates them, where LibCST's own order differs."""
    names = [
        f
        for f in kind.__dataclass_fields__
        if not f.startswith(("whitespace", "lpar", "rpar", "leading_lines", "lines_"))
    ]
    if kind in (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.NamedExpr) and "value" in names:
        names.remove("value")
        names.insert(0, "value")
    if kind is cst.IfExp:
        names = ["test", "body", "orelse"]
    return names


_CODE_FIELDS: dict[type[cst.CSTNode], tuple[str, ...]] = {}
_SKIPPED_FIELDS = frozenset(
    [
        "header",
        "footer",
        "semicolon",
        "comma",
        "equal",
        "colon",
        "dot",
        "lbracket",
        "rbracket",
        "lbrace",
        "rbrace",
        "indent",
    ]
    + [
        "first_line",
        "trailing_whitespace",
        "operator",
        "star",
        "asynchronous",
        "newline",
        "comment",
        "lines_after_decorators",
    ]
)
_LABELS: dict[type[cst.CSTNode], frozenset[str]] = {
    cst.Attribute: frozenset(["attr"]),
    cst.Arg: frozenset(["keyword"]),
    cst.FunctionDef: frozenset(["name"]),
    cst.ClassDef: frozenset(["name"]),
    cst.Param: frozenset(["name"]),
    cst.Import: frozenset(["names"]),
    cst.ImportFrom: frozenset(["names", "module", "relative"]),
    cst.Global: frozenset(["names"]),
    cst.Nonlocal: frozenset(["names"]),
    cst.MatchKeywordElement: frozenset(["key"]),
}
"""Fields that hold a name which is no expression."""


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """`node` and everything in it that holds code, nested scopes included, parents first."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def mentions(node: cst.CSTNode, name: str) -> bool:
    """Whether a name stands anywhere in a node, nested scopes included."""
    return any(isinstance(part, cst.Name) and part.value == name for part in walk(node))


def walk_scope(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Everything inside a function, class or statement that runs in its own scope; nested definitions are
    given but not entered, apart from their decorators, defaults and bases."""
    inner: list[cst.CSTNode] = [node.body if isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Lambda)) else node]
    while inner:
        current = inner.pop()
        yield current
        if type(current) not in _SCOPES:
            inner.extend(reversed(children(current)))
        elif isinstance(current, cst.FunctionDef):
            inner.extend([*reversed(current.decorators), current.params])
        elif isinstance(current, cst.ClassDef):
            inner.extend([*reversed(current.decorators), *reversed(current.bases), *reversed(current.keywords)])
        elif isinstance(current, cst.Lambda):
            inner.append(current.params)


_SCOPES = frozenset([cst.FunctionDef, cst.ClassDef, cst.Lambda])


def parameters(node: cst.FunctionDef | cst.Lambda) -> list[cst.Param]:
    """All parameters in the order of their declaration, `*args` and `**kwargs` included."""
    params = node.params
    found = [*params.posonly_params, *params.params]
    if isinstance(params.star_arg, cst.Param):
        found.append(params.star_arg)
    found += params.kwonly_params
    if params.star_kwarg is not None:
        found.append(params.star_kwarg)
    return found


def bindings(node: cst.CSTNode) -> Iterator[Binding]:
    """Every binding that running `node` makes in its scope; of a function, those of its parameters and body."""
    if isinstance(node, (cst.FunctionDef, cst.Lambda)):
        yield from bound_by_parameters(node)
        if isinstance(node, cst.Lambda):
            return
    yield from bound_by(walk_scope(node))


def bound_by_parameters(node: cst.FunctionDef | cst.Lambda) -> Iterator[Binding]:
    """The bindings that a call makes."""
    for param in parameters(node):
        annotation = param.annotation.annotation if param.annotation else None
        yield Binding(param.name.value, Kind.PARAMETER, param, param.default, annotation)


def bound_by(nodes: Iterable[cst.CSTNode]) -> Iterator[Binding]:
    """The bindings that these very nodes make."""
    for node in nodes:
        if type(node) in _BINDING:
            yield from _bound_by(node)


_BINDING = frozenset(
    [cst.FunctionDef, cst.ClassDef, cst.Assign, cst.AnnAssign, cst.NamedExpr, cst.WithItem, cst.For, cst.CompFor]
    + [cst.AugAssign, cst.ExceptHandler, cst.MatchAs, cst.MatchStar, cst.Import, cst.ImportFrom]
)


def _bound_by(node: cst.CSTNode) -> Iterator[Binding]:
    match node:
        case cst.FunctionDef(name=name):
            yield Binding(name.value, Kind.FUNCTION, node)
        case cst.ClassDef(name=name):
            yield Binding(name.value, Kind.CLASS, node)
        case cst.Assign(targets=targets, value=value):
            for target in targets:
                yield from _targets(target.target, Kind.VALUE, node, value)
        case cst.AnnAssign(target=cst.Name(value=name), annotation=annotation, value=value):
            kind = Kind.DECLARED if value is None else Kind.VALUE
            yield Binding(name, kind, node, value, annotation.annotation)
        case cst.NamedExpr(target=cst.Name(value=name), value=value):
            yield Binding(name, Kind.VALUE, node, value)
        case cst.WithItem(item=item, asname=cst.AsName(name=target)):
            yield from _targets(target, Kind.ENTERED, node, item)
        case cst.For(target=target, iter=value) | cst.CompFor(target=target, iter=value):
            yield from _targets(target, Kind.ITEM, node, value)
        case cst.AugAssign(target=cst.Name(value=name)) | cst.ExceptHandler(name=cst.AsName(name=cst.Name(value=name))):
            yield Binding(name, Kind.OTHER, node)
        case cst.MatchAs(name=cst.Name(value=name)) | cst.MatchStar(name=cst.Name(value=name)):
            yield Binding(name, Kind.OTHER, node)
        case cst.Import(names=names):
            for alias in names:
                yield _import(node, alias)
        case cst.ImportFrom():
            yield from _import_from(node)


def _targets(
    target: cst.CSTNode, kind: Kind, node: cst.CSTNode, value: cst.BaseExpression, index: tuple[int, ...] = ()
) -> Iterator[Binding]:
    match target:
        case cst.Name(value=name):
            yield Binding(name, kind, node, value, index=index)
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            for i, element in enumerate(elements):
                if isinstance(element, cst.StarredElement):
                    if isinstance(element.value, cst.Name):
                        yield Binding(element.value.value, Kind.OTHER, node)
                else:
                    yield from _targets(element.value, kind, node, value, (*index, i))


def _import(node: cst.Import, alias: cst.ImportAlias) -> Binding:
    full = dotted(alias.name) or ""
    if alias.asname and isinstance(alias.asname.name, cst.Name):
        return Binding(alias.asname.name.value, Kind.IMPORT, node, source=full)
    return Binding(full.partition(".")[0], Kind.IMPORT, node, source=full.partition(".")[0])


def _import_from(node: cst.ImportFrom) -> Iterator[Binding]:
    source = "." * len(node.relative) + ((dotted(node.module) or "") if node.module else "")
    if isinstance(node.names, cst.ImportStar):
        yield Binding("*", Kind.IMPORT, node, source=source, attribute="*")
        return
    for alias in node.names:
        if isinstance(alias.name, cst.Name):
            name = alias.name.value
            bound = alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else name
            yield Binding(bound, Kind.IMPORT, node, source=source, attribute=name)
