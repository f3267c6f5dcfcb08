"""Makes a program tell the driver what can't be seen from outside: handlers entered, sessions lent, loops turned."""

from __future__ import annotations

import ast

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


def entries(tree: ast.Module) -> list[AnyFunction]:
    """The functions that can be called from outside: those whose parameters all are of a kind that can be made."""
    return [
        node
        for node in tree.body
        if isinstance(node, AnyFunction) and not any(a.arg == "db" and a.annotation is None for a in node.args.args)
    ]


def exceptions(tree: ast.Module) -> list[str]:
    """The exception classes that handlers and `suppress` name, in a fixed order."""
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        named: list[ast.expr] = []
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            named = [node.type]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "suppress":
            named = list(node.args)
        for part in named:
            for name in ast.walk(part):
                if isinstance(name, ast.Name):
                    found.setdefault(name.id)
    return sorted(found)


def instrument(tree: ast.Module) -> ast.Module:
    """The functions of a program, made to tell; rows stay what they are. The prelude's names come from the driver."""
    body = [node for node in tree.body if isinstance(node, AnyFunction)]
    for node in body:
        _Teller().visit(node)
    made = ast.Module(body=list(body), type_ignores=[])
    return ast.fix_missing_locations(made)


class _Teller(ast.NodeTransformer):
    def __init__(self) -> None:
        self.handlers: list[int] = []
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
        self.handlers.append(node.lineno)
        self.generic_visit(node)
        self.handlers.pop()
        node.body.insert(0, _call("__caught__", node, node.lineno))
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST | list[ast.stmt]:
        if node.exc is None and self.handlers:
            return [_call("__reraised__", node, self.handlers[-1]), node]
        return node

    def visit_Yield(self, node: ast.Yield) -> ast.AST:
        if node.value is not None:
            node.value = _at(ast.Call(_at(ast.Name("__lent__", ast.Load()), node), [node.value], []), node)
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, _call("__turn__", node))
        return node


def _at(made: ast.expr, node: ast.AST) -> ast.expr:
    return ast.copy_location(made, node)


def _call(name: str, node: ast.stmt | ast.ExceptHandler, *rows: int) -> ast.stmt:
    call = ast.Call(ast.Name(name, ast.Load()), [ast.Constant(row) for row in rows], [])
    return ast.copy_location(ast.Expr(call), node)
