"""Makes a program tell the driver what can't be seen from outside: handlers entered and left, sessions lent, loops turned."""

from __future__ import annotations

import ast
from collections.abc import Sequence

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef
MAPPED = ("Base", "Item")
"""Classes of a program's prelude that the driver has in another form."""


def entries(tree: ast.Module) -> list[AnyFunction]:
    """The functions that can be called from outside: those whose parameters all are of a kind that can be made."""
    return [
        node
        for node in tree.body
        if isinstance(node, AnyFunction) and not any(a.arg == "db" and a.annotation is None for a in node.args.args)
    ]


def reachable(tree: ast.Module, entry: AnyFunction) -> list[AnyFunction]:
    """A function, and those of the program that it calls, directly or not; of a class, all methods."""
    functions: dict[str, list[AnyFunction]] = {}
    for node in tree.body:
        if isinstance(node, AnyFunction):
            functions[node.name] = [node]
        elif isinstance(node, ast.ClassDef):
            functions[node.name] = [method for method in node.body if isinstance(method, AnyFunction)]
    found, names = [entry], {entry.name}
    for function in found:
        for part in ast.walk(function):
            if isinstance(part, ast.Name) and part.id in functions and part.id not in names:
                names.add(part.id)
                found += functions[part.id]
    return found


def handled(functions: Sequence[AnyFunction]) -> dict[int, list[str]]:
    """By row of the first function: the classes that handlers around it name; by 0 all that any handler names."""
    rows: dict[int, dict[str, None]] = {0: {}}
    for function in functions:
        for node in ast.walk(function):
            names: list[str] = []
            if isinstance(node, ast.Try):
                # What enters a handler or a finally may be raised again there, and meet the handlers inside.
                names = [name for body in (node.handlers, node.finalbody) for stmt in body for name in _caught(stmt)]
            elif isinstance(node, (ast.With, ast.AsyncWith)):
                used = {name for item in node.items for name in _names(item.context_expr)}
                calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
                names = [name for call in calls for arg in call.args for name in _names(arg)]
                # A context manager of the program meets what its block raises in the handlers around its yield.
                names += [name for manager in functions if manager.name in used for name in _caught(manager)]
            else:
                continue
            rows[0].update(dict.fromkeys(names))
            inside = range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1)
            for row in inside if function is functions[0] else ():
                rows.setdefault(row, {}).update(dict.fromkeys(names))
    return {row: sorted(names) for row, names in rows.items()}


def _caught(node: ast.AST) -> list[str]:
    """The classes that the handlers inside a statement name."""
    return [name for part in ast.walk(node) if isinstance(part, ast.ExceptHandler) for name in _names(part.type)]


def _names(node: ast.expr | None) -> list[str]:
    return [name.id for name in ast.walk(node) if isinstance(name, ast.Name)] if node is not None else []


def instrument(tree: ast.Module, *, rows: bool = False) -> ast.Module:
    """The functions of a program, made to tell; rows stay what they are. The prelude's names come from the driver.

    `rows` makes each statement tell that a run comes to it."""
    body = [node for node in tree.body if isinstance(node, (AnyFunction, ast.ClassDef)) and node.name not in MAPPED]
    for node in body:
        if rows:
            _RowTeller().visit(node)  # before there are statements that the program does not have
        _Teller().visit(node)
    made = ast.Module(body=list(body), type_ignores=[])
    return ast.fix_missing_locations(made)


class _Teller(ast.NodeTransformer):
    def __init__(self) -> None:
        self.around = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self.function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.function(node)

    def function(self, node: AnyFunction) -> ast.AST:
        outermost = self.around == 0
        self.around += 1
        self.generic_visit(node)
        self.around -= 1
        if outermost:
            node.decorator_list.append(_at(ast.Name("__helper__", ast.Load()), node))
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.generic_visit(node)
        again = ast.copy_location(ast.Raise(), node.body[-1])
        left = ast.ExceptHandler(
            ast.Name("BaseException", ast.Load()), None, [_call("__left__", node, node.lineno), again]
        )
        body = ast.Try(node.body, [ast.copy_location(left, node)], [], [])
        node.body = [_call("__caught__", node, node.lineno), ast.copy_location(body, node)]
        return node

    def visit_Yield(self, node: ast.Yield) -> ast.AST:
        if node.value is not None:
            node.value = _at(ast.Call(_at(ast.Name("__lent__", ast.Load()), node), [node.value], []), node)
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, _call("__turn__", node))
        return node


class _RowTeller(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list) and not isinstance(node, ast.ClassDef):
                told = [(_call("__at__", statement, statement.lineno), statement) for statement in body]
                setattr(node, name, [part for pair in told for part in pair])
        return node


def _at(made: ast.expr, node: ast.AST) -> ast.expr:
    return ast.copy_location(made, node)


def _call(name: str, node: ast.stmt | ast.ExceptHandler, *rows: int) -> ast.stmt:
    call = ast.Call(ast.Name(name, ast.Load()), [ast.Constant(row) for row in rows], [])
    return ast.copy_location(ast.Expr(call), node)
