"""How a fix gets at a function of another module: by a name that is bound already, or by one more import."""

from __future__ import annotations

import libcst as cst

from lint_sessions.project.known import SESSION_CLASSES
from lint_sessions.project.modules import Module
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, FunctionType, ModuleType
from lint_sessions.rule import Edit
from lint_sessions.source.document import Block


def reach(types: Types, function: FunctionType, block: Block, scope: Scope) -> tuple[str, tuple[Edit, ...]] | None:
    """A name for a module-level function that holds where `block` runs, and the edits that bind it.

    None where that takes more than one more name in an import that is there.
    """
    name = function.scope.name
    module = scope.module
    top = types.module_scope(module)
    if function.scope.module is module:
        own = function.scope.block
        return (name, ()) if own is not None and own.start < block.start and not _is_hidden(name, scope) else None
    known = types.name(name, top) if top.bound(name) else None
    if known is not None:
        same = isinstance(known, FunctionType) and known.scope is function.scope
        return (name, ()) if same and not _is_hidden(name, scope) else None
    if top.bound(name) or _is_hidden(name, scope):
        return None
    for other in module.blocks:
        text = other.document.text[other.start : other.end]
        if other.kind == "statement" and other.start < block.start and "import" in text:
            found = _import_of(types, function, module, other)
            if found is not None:
                return found
    return None


def marker_name(types: Types, scope: Scope) -> str | None:
    """How FastAPI's `Depends` can be written in a scope: by what its file imports."""
    top = types.module_scope(scope.module)
    for name, module in (("Depends", ""), ("fastapi", "fastapi.")):
        if top.bound(name) and not _is_hidden(name, scope):
            kind = types.name(name, top)
            if isinstance(kind, External) and kind.name in ("fastapi.Depends", "fastapi"):
                return f"{module}Depends"
    return None


def session_name(types: Types, scope: Scope, *, is_async: bool) -> str | None:
    """The name that a file has for the class of its sessions."""
    top = types.module_scope(scope.module)
    name = "AsyncSession" if is_async else "Session"
    kind = types.name(name, top) if top.bound(name) and not _is_hidden(name, scope) else None
    return name if isinstance(kind, External) and kind.name in SESSION_CLASSES else None


def _is_hidden(name: str, scope: Scope) -> bool:
    """Whether a scope around the place binds the name to something of its own."""
    around: Scope | None = scope
    while around is not None and not around.is_module:
        if around.bound(name):
            return True
        around = around.parent
    return False


def _import_of(
    types: Types, function: FunctionType, module: Module, block: Block
) -> tuple[str, tuple[Edit, ...]] | None:
    match block.node:
        case cst.SimpleStatementLine(body=[cst.ImportFrom(names=[*_, last]) as node]):
            source = "." * len(node.relative) + (_dotted(node.module) if node.module is not None else "")
            if module.imported(source) is function.scope.module and isinstance(last, cst.ImportAlias):
                end = block.document.offset(block.span(last)[1])
                return function.scope.name, (Edit(end, end, f", {function.scope.name}"),)
        case cst.SimpleStatementLine(body=[cst.Import(names=names)]):
            for alias in names:
                bound = alias.evaluated_alias or alias.evaluated_name
                kind = types.infer(cst.parse_expression(bound), types.module_scope(module))
                if isinstance(kind, ModuleType) and kind.module is function.scope.module:
                    return f"{bound}.{function.scope.name}", ()
    return None


def _dotted(node: cst.BaseExpression) -> str:
    return cst.Module([]).code_for_node(node)
