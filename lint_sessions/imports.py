"""How a fix gets at what another module defines: by a name that is bound already, or by one more import."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

import libcst as cst

from lint_sessions.finding import Edit
from lint_sessions.project.known import SESSION_CLASSES
from lint_sessions.project.modules import Module
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, FunctionType, ModuleType
from lint_sessions.source.document import Block, Document


def reach(types: Types, function: FunctionType, block: Block, scope: Scope) -> tuple[str, tuple[Edit, ...]] | None:
    """A name for a module-level function that holds where `block` runs, and the edits that bind it.

    None where its name means something else there, or nobody in the project imports it, or its module needs this one.
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
        text = other.text
        if other.kind == "statement" and other.start < block.start and "import" in text:
            found = _import_of(types, function, module, other)
            if found is not None:
                return found
    return _import_anew(function, module)


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
            source = _source(node)
            if module.imported(source) is function.scope.module and isinstance(last, cst.ImportAlias):
                return function.scope.name, (_one_more(block, node, function.scope.name),)
        case cst.SimpleStatementLine(body=[cst.Import(names=names)]):
            for alias in names:
                bound = alias.evaluated_alias or alias.evaluated_name
                kind = types.infer(cst.parse_expression(bound), types.module_scope(module))
                if isinstance(kind, ModuleType) and kind.module is function.scope.module:
                    return f"{bound}.{function.scope.name}", ()
    return None


def as_manager(
    types: Types, block: Block, call: cst.Call, scope: Scope, *, is_async: bool
) -> tuple[str, tuple[Edit, ...]] | None:
    """`contextmanager(get_db)()` for `get_db()`, and the import that it takes; None where that can't be had."""
    reached = standard(types, "contextlib", "asynccontextmanager" if is_async else "contextmanager", block, scope)
    if reached is None:
        return None
    name, imports = reached
    document = block.document
    start, middle, end = (document.offset(place) for place in (*block.span(call.func), block.span(call)[1]))
    return f"{name}({document.text[start:middle]}){document.text[middle:end]}", imports


def standard(types: Types, source: str, name: str, block: Block, scope: Scope) -> tuple[str, tuple[Edit, ...]] | None:
    """How something of a module of the standard library can be written where `block` runs, and the edits that import
    it; None where both its name and that of its module mean something else there."""
    top = types.module_scope(scope.module)
    above = [b for b in scope.module.blocks if b.start < block.start and _IMPORT.match(b.document.text, b.start)]
    for word, meant in _ways(above, source, name):
        kind = types.name(word, top)
        if isinstance(kind, External) and kind.name == meant and not _is_hidden(word, scope):
            return (word if meant != source else f"{word}.{name}"), ()
    for word, written, statement in (
        (name, name, f"from {source} import {name}"),
        (source, f"{source}.{name}", f"import {source}"),
    ):
        if not top.bound(word) and not _is_hidden(word, scope):
            for other in above if word == name else ():
                match other.node:
                    case cst.SimpleStatementLine(body=[cst.ImportFrom(module=module, names=[*_], relative=[]) as node]):
                        if module is not None and _dotted(module) == source:
                            return written, (_one_more(other, node, name),)
            return written, (_import(block.document, source, statement),)
    return None


def _ways(imports: Sequence[Block], source: str, name: str) -> list[tuple[str, str]]:
    """The names that top-level imports bind to something of a module, or to the module, with what they mean."""
    found = []
    for block in imports:
        if source not in block.text:
            continue
        match block.node:
            case cst.SimpleStatementLine(body=[*statements]):
                for statement in statements:
                    match statement:
                        case cst.ImportFrom(module=module, names=[*names], relative=[]) if module is not None:
                            if _dotted(module) == source:
                                bound = (a.evaluated_alias or name for a in names if a.evaluated_name == name)
                                found += [(word, f"{source}.{name}") for word in bound]
                        case cst.Import(names=names):
                            bound = (a.evaluated_alias or source for a in names if a.evaluated_name == source)
                            found += [(word, source) for word in bound]
    return found


# --- where an import goes -----------------------------------------------------------------------------------------

_IMPORT = re.compile(r"(?P<form>from|import)[ \t]+(?P<module>\.*[\w.]*)")
_DOCSTRING = re.compile(r"[rRuU]?[\"']")


def _import(document: Document, source: str, statement: str) -> Edit:
    """One more import of the standard library, in its order among the imports that the file begins with."""
    newline = document.newline
    head: list[Block] = []
    rest = list(document.blocks)
    docstring = rest.pop(0) if rest and _DOCSTRING.match(document.text, rest[0].start) else None
    while rest and _IMPORT.match(document.text, rest[0].start):
        head.append(rest.pop(0))
    own = (statement.startswith("from"), source)
    last, gap = docstring, newline * 2
    for block in head:
        found = _IMPORT.match(document.text, block.start)
        assert found is not None
        top = found["module"].partition(".")[0]
        if top == "__future__":
            last = block
        elif top not in sys.stdlib_module_names:
            break
        elif (found["form"] == "from", found["module"]) > own:
            return Edit(block.start, block.start, statement + newline)
        else:
            last, gap = block, newline
    if last is not None:
        return Edit(last.end, last.end, gap + statement)
    first = next(iter([*head, *rest]), None)
    place = _above(document, first) if first is not None else 0
    return Edit(place, place, statement + newline * (2 if head else 3))


def _import_of_project(document: Document, source: str, statement: str) -> Edit:
    """One more import of the project: in its order among those of the same package, or after all others."""
    last: Block | None = None
    after_all: Block | None = None
    for block in document.blocks:
        found = _IMPORT.match(document.text, block.start)
        if found is None:
            if after_all is not None:
                break
            continue
        after_all = block
        if found["module"].partition(".")[0] == source.partition(".")[0]:
            if found["module"] > source:
                return Edit(block.start, block.start, statement + document.newline)
            last = block
    place = last or after_all
    if place is None:
        return _import(document, source, statement)
    return Edit(place.end, place.end, document.newline + statement)


def _above(document: Document, block: Block) -> int:
    """Where something goes that stands above a statement: above its comments, but for those the file begins with."""
    row = first = document.row(block.start)
    while row > 1 and document.text.startswith("#", document.offset_of_row(row - 1)):
        row -= 1
    return document.offset_of_row(row if row > 1 else first)


def _one_more(block: Block, node: cst.ImportFrom, name: str) -> Edit:
    """One more name in an import: in its order, if the names have one, and on a row of its own, if they have."""
    document = block.document
    aliases = [] if isinstance(node.names, cst.ImportStar) else node.names
    keys = [_order(alias.evaluated_name) for alias in aliases]
    spans = [tuple(document.offset(place) for place in block.span(alias)) for alias in aliases]
    starts = [document.offset_of_row(document.row(start)) for start, _ in spans]
    indents = [document.text[row:start] for row, (start, _) in zip(starts, spans, strict=True)]
    in_rows = node.lpar is not None and not indents[-1].strip()
    place = next((i for i, key in enumerate(keys) if key > _order(name)), None) if keys == sorted(keys) else None
    tail = document.text[spans[-1][1] : _end_of_row(document, spans[-1][1])]
    if place is None and in_rows and "#" in tail:
        place = len(aliases) - 1  # else the comment would go over to the new name
    if place is None:
        end = spans[-1][1]
        return Edit(end, end, f",{document.newline}{indents[-1]}{name}" if in_rows else f", {name}")
    start = spans[place][0]
    own_row = node.lpar is not None and not indents[place].strip()
    return Edit(start, start, f"{name},{document.newline}{indents[place]}" if own_row else f"{name}, ")


def _order(name: str) -> tuple[int, str]:
    """As isort and Ruff sort names: constants, classes, and the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2), name.lower()


def _end_of_row(document: Document, offset: int) -> int:
    found = re.compile(r"[\r\n]|\Z").search(document.text, offset)
    return found.start() if found is not None else len(document.text)


def _import_anew(function: FunctionType, module: Module) -> tuple[str, tuple[Edit, ...]] | None:
    """One more import, in the words in which another module of the project has it."""
    name, home = function.scope.name, function.scope.module
    for other in module.project.modules:
        if name in other.document.text and other is not module:
            for source, names in _imports_of(other):
                if name in names and not source.startswith(".") and other.imported(source) is home:
                    if module.imported(source) is not home or _leads_to(home, module):
                        return None
                    return name, (_import_of_project(module.document, source, f"from {source} import {name}"),)
    return None


def _imports_of(module: Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a module imports when it is imported itself: each source, and the names from it, if any."""
    for block in module.blocks:
        if block.kind == "statement" and "import" in block.text:
            for node in walk(block.node):
                match node:
                    case cst.ImportFrom():
                        source = _source(node)
                        aliases = () if isinstance(node.names, cst.ImportStar) else node.names
                        yield source, tuple(alias.evaluated_name for alias in aliases)
                    case cst.Import(names=aliases):
                        yield from ((alias.evaluated_name, ()) for alias in aliases)


def _leads_to(start: Module, target: Module) -> bool:
    """Whether the import of one module imports the other: then that could not import it."""
    seen: set[int] = set()
    pending = [start]
    while pending:
        module = pending.pop()
        if module is target:
            return True
        if id(module) not in seen:
            seen.add(id(module))
            for source, names in _imports_of(module):
                inner = (source + ("" if source.endswith(".") else ".") + name for name in names)
                found = (module.imported(imported) for imported in (source, *inner))
                pending += [other for other in found if isinstance(other, Module)]
    return False


def _source(node: cst.ImportFrom) -> str:
    """What an import is from, with a leading dot for each relative level."""
    return "." * len(node.relative) + (_dotted(node.module) if node.module is not None else "")


def _dotted(node: cst.BaseExpression) -> str:
    return cst.Module([]).code_for_node(node)
