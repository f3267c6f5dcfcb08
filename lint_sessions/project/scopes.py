"""Lexical scopes: modules, classes and functions, and what a name in one of them is bound by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import libcst as cst

from lint_sessions.project.modules import Module
from lint_sessions.project.names import Binding, Kind, bindings, bound_by, bound_by_parameters, parameters, walk_scope
from lint_sessions.project.words import WordIndex
from lint_sessions.source.document import Block, SyntaxProblem


class Scope:
    """A module (`node` None), a class, a function or a lambda, and the scope around it.

    A module's or class's statements come from the document's blocks, each parsed only when a name that it may bind
    is asked for.
    """

    def __init__(
        self,
        module: Module,
        node: cst.FunctionDef | cst.ClassDef | cst.Lambda | None = None,
        parent: Scope | None = None,
        block: Block | None = None,
    ) -> None:
        self.module = module
        self.parent = parent
        self.block = block
        """The block the scope's code stands in; of a class cut into blocks, the class's own."""
        self._node = node
        self._is_cut = node is None and block is not None
        """A class whose statements are the block's children, each parsed on its own."""
        self._children: dict[int, tuple[cst.CSTNode, Scope]] = {}
        self._bindings: dict[str, tuple[tuple[Binding, Block | None], ...]] = {}
        self._bound_by: dict[int, tuple[Binding, ...]] = {}

    @property
    def node(self) -> cst.FunctionDef | cst.ClassDef | cst.Lambda | None:
        if self._node is None and self.block is not None:
            node = self.block.node
            assert isinstance(node, (cst.FunctionDef, cst.ClassDef))
            self._node = node
        return self._node

    @property
    def is_module(self) -> bool:
        return self.parent is None

    @property
    def is_class(self) -> bool:
        return self._is_cut or isinstance(self._node, cst.ClassDef)

    @property
    def is_function(self) -> bool:
        return (
            isinstance(self.node, (cst.FunctionDef, cst.Lambda)) if not self.is_module and not self.is_class else False
        )

    @property
    def function(self) -> cst.FunctionDef | None:
        node = self.node if self.is_function else None
        return node if isinstance(node, cst.FunctionDef) else None

    @property
    def name(self) -> str:
        if self.is_module:
            return self.module.path.stem
        if self._is_cut and self.block is not None and self.block.name is not None:
            return self.block.name
        return "<lambda>" if isinstance(self.node, cst.Lambda) or self.node is None else self.node.name.value

    @property
    def outermost(self) -> Scope:
        """The function or class of the module that this one stands in, or is; of a module the module."""
        scope = self
        while scope.parent is not None and not scope.parent.is_module:
            scope = scope.parent
        return scope

    @property
    def qualified_name(self) -> str:
        """`Class.method`, `outer.inner`: the path below the module."""
        if self.parent is None or self.parent.is_module:
            return self.name
        return f"{self.parent.qualified_name}.{self.name}"

    @cached_property
    def header(self) -> cst.ClassDef | None:
        """Of a class: its name, bases and decorators, without parsing its body."""
        if not self.is_class:
            return None
        if self._is_cut and self.block is not None:
            first = self.block.children[0].start
            text = self.block.document.text[self.block.start : first]
            try:
                parsed = cst.parse_module(_dedent(text.rstrip()) + "\n    pass\n").body[0]
            except cst.ParserSyntaxError:
                parsed = None
            if isinstance(parsed, cst.ClassDef):
                return parsed
        node = self.node
        return node if isinstance(node, cst.ClassDef) else None

    def child(self, node: cst.FunctionDef | cst.ClassDef | cst.Lambda, block: Block | None = None) -> Scope:
        """The scope of a definition that stands in this one."""
        if id(node) not in self._children:
            self._children[id(node)] = (node, Scope(self.module, node, self, block or self.block))
        return self._children[id(node)][1]

    def child_of_block(self, block: Block) -> Scope:
        """The scope of a def or class block that stands directly in this one; a class is not parsed for it."""
        key = -block.start - 1
        if key not in self._children:
            if block.kind == "class" and block.children:
                self._children[key] = (_NO_NODE, Scope(self.module, None, self, block))
            else:
                node = block.node
                assert isinstance(node, (cst.FunctionDef, cst.ClassDef))
                self._children[key] = (node, self.child(node, block))
        return self._children[key][1]

    def bound(self, name: str) -> tuple[tuple[Binding, Block | None], ...]:
        """The bindings of `name` in this very scope, in source order, each with the block it stands in."""
        if name not in self._bindings:
            self._bindings[name] = tuple(self._find(name))
        return self._bindings[name]

    def _find(self, name: str) -> Iterator[tuple[Binding, Block | None]]:
        if self._blocks is None:
            yield from ((binding, self.block) for binding in self._own_bindings.get(name, ()))
            return
        for block in self._statements.having(name) if name != "*" else self._star_imports:
            if block.kind == "statement":
                yield from ((binding, block) for binding in self._bindings_of(block) if binding.name == name)
            elif block.name == name:
                yield Binding(name, Kind.FUNCTION if block.kind == "function" else Kind.CLASS, _NO_NODE), block

    def _bindings_of(self, block: Block) -> tuple[Binding, ...]:
        """What a statement binds; nothing where it can't be parsed."""
        found = self._bound_by.get(block.start)
        if found is None:
            try:
                found = tuple(bindings(block.node))
            except SyntaxProblem:
                found = ()
            self._bound_by[block.start] = found
        return found

    @cached_property
    def _statements(self) -> WordIndex[Block]:
        """The statements by the words in them, and the definitions by their names."""
        blocks = self._blocks or ()
        return WordIndex((block, block.text if block.kind == "statement" else block.name or "") for block in blocks)

    @cached_property
    def _star_imports(self) -> list[Block]:
        return [b for b in self._blocks or () if b.kind == "statement" and _STAR_IMPORT.search(b.text)]

    @property
    def _blocks(self) -> tuple[Block, ...] | None:
        if self.is_module:
            return tuple(self.module.blocks)
        if self._is_cut and self.block is not None:
            return self.block.children
        return None

    @cached_property
    def parts(self) -> tuple[cst.CSTNode, ...]:
        """Everything in a function, class or lambda that runs in its own scope, as `walk_scope` gives it."""
        node = self.node
        return tuple(walk_scope(node)) if node is not None else ()

    @cached_property
    def _own_bindings(self) -> dict[str, list[Binding]]:
        found: dict[str, list[Binding]] = {}
        node = self.node
        own = bound_by_parameters(node) if isinstance(node, (cst.FunctionDef, cst.Lambda)) else ()
        for binding in (*own, *(bound_by(self.parts) if not isinstance(node, cst.Lambda) else ())):
            found.setdefault(binding.name, []).append(binding)
        return found

    @cached_property
    def outer_names(self) -> frozenset[str]:
        """Names that a function declares global or nonlocal."""
        node = None if self.is_class else self.node
        if not isinstance(node, cst.FunctionDef):
            return frozenset()
        found = (n for n in self.parts if isinstance(n, (cst.Global, cst.Nonlocal)))
        return frozenset(item.name.value for n in found for item in n.names)

    def lookup(self, name: str) -> tuple[Scope, tuple[tuple[Binding, Block | None], ...]] | None:
        """The nearest scope that binds `name`, as Python looks it up from here, with the bindings."""
        scope: Scope | None = self
        while scope is not None:
            skipped = (scope.is_class and scope is not self) or name in scope.outer_names
            if not skipped and (found := scope.bound(name)):
                return scope, found
            scope = scope.parent
        return None

    def methods(self) -> Iterator[Scope]:
        """Of a class: the scopes of the functions in its body."""
        blocks = self._blocks
        if blocks is not None:
            for block in blocks:
                if block.kind == "function":
                    try:
                        yield self.child_of_block(block)
                    except SyntaxProblem:
                        continue
        elif self.node is not None:
            for inner in self.parts:
                if isinstance(inner, cst.FunctionDef):
                    yield self.child(inner)

    def mentions(self, word: str) -> bool:
        """Whether the text of the scope's block has `word` in it: a cheap over-approximation."""
        if self.block is None:
            return word in self.module.document.text
        return word in self.block.text

    @cached_property
    def own_nodes(self) -> tuple[cst.CSTNode, ...]:
        """Of a function: its yields, returns and assignments, nested scopes left out."""
        node = self.node
        if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
            return ()
        kinds = (cst.Yield, cst.Return, cst.Assign, cst.AnnAssign)
        return tuple(inner for inner in self.parts if type(inner) in kinds)

    @cached_property
    def is_generator(self) -> bool:
        """Whether a function yields."""
        return any(isinstance(node, cst.Yield) for node in self.own_nodes)

    @cached_property
    def attributes_set(self) -> dict[str, list[tuple[cst.BaseExpression, cst.CSTNode]]]:
        """Of a method: every `self.name = value` by name, each with the value and the statement."""
        found: dict[str, list[tuple[cst.BaseExpression, cst.CSTNode]]] = {}
        for node in self.own_nodes if self.first_parameter is not None else ():
            if isinstance(node, cst.Assign):
                targets: list[cst.BaseExpression] = [target.target for target in node.targets]
            elif isinstance(node, cst.AnnAssign):
                targets = [node.target]
            else:
                continue
            for target in targets:
                match target:
                    case cst.Attribute(value=cst.Name(value=base), attr=cst.Name(value=name)):
                        if base == self.first_parameter and node.value is not None:
                            found.setdefault(name, []).append((node.value, node))
        return found

    @cached_property
    def first_parameter(self) -> str | None:
        """`self` or `cls` of a method, under whatever name."""
        node = self.function
        if node is None or self.parent is None or not self.parent.is_class or has_decorator(node, "staticmethod"):
            return None
        params = parameters(node)
        return params[0].name.value if params else None


def leaves(blocks: Iterable[Block], scope: Scope) -> Iterator[tuple[Block, Scope]]:
    """The blocks to look at, each with the scope around it: a class stands for the statements of its body."""
    for block in blocks:
        if block.kind == "class" and block.children:
            yield from leaves(block.children, scope.child_of_block(block))
        else:
            yield block, scope


def has_decorator(node: cst.FunctionDef, *names: str) -> bool:
    """Whether a function carries a decorator whose last name is one of `names` (called or not)."""
    return any(last_name(d.decorator) in names for d in node.decorators)


def last_name(node: cst.CSTNode) -> str | None:
    """`c` of `a.b.c`, `a.b.c(...)` and `a.b.c[...]`."""
    while isinstance(node, (cst.Call, cst.Subscript)):
        node = node.func if isinstance(node, cst.Call) else node.value
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else None


def _dedent(text: str) -> str:
    lead = re.match(r"[ \t]*", text)
    indent = lead.group() if lead else ""
    return "\n".join(line.removeprefix(indent) for line in text.split("\n")) if indent else text


_NO_NODE = cst.Pass()
_STAR_IMPORT = re.compile(r"\bimport\s+\*")
