"""Registries of sessions: where a `scoped_session` comes from, and whether anything removes what they keep."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import libcst as cst

from lint_sessions.flow.callers import mentioning
from lint_sessions.project.annotations import definition
from lint_sessions.project.known import SCOPED_CLASSES
from lint_sessions.project.names import Kind
from lint_sessions.project.scopes import Scope, leaves
from lint_sessions.project.scripts import is_test
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, SessionType, argument

_REMOVES = re.compile(r"\.\s*remove\b(?!\s*\(\s*[^\s)])")
"""Removal from a registry takes no argument, unlike that from a list."""

_IMPORT = re.compile(r"\s*(?:from|import)\b")

_AT_THE_ENDS = re.compile(r"lifespan|startup|shutdown|on_start|on_stop|atexit")
"""What runs once, at the start or the end of the process."""


@dataclass(frozen=True, eq=False)
class Registry:
    """A call of `scoped_session` or `async_scoped_session`, and the scope it stands in."""

    call: cst.Call
    scope: Scope
    name: str = ""
    """The variable it is kept in."""

    is_asked: bool = False
    """Whether it is a session that the registry has given, and not the registry itself."""

    @property
    def factory(self) -> cst.BaseExpression | None:
        return argument(self.call, 0, "session_factory")

    @property
    def is_by_thread(self) -> bool:
        """Whether each thread has its own session, since no other scope is given."""
        return argument(self.call, 1, "scopefunc") is None and not any(arg.star for arg in self.call.args)


def registry_of(types: Types, node: cst.BaseExpression, scope: Scope) -> Registry | None:
    """The registry that an expression is, or has its session from."""
    if isinstance(node, cst.Call):
        kind = types.infer(node.func, scope)
        if isinstance(kind, External) and kind.name in SCOPED_CLASSES:
            return Registry(node, scope)
        asked = registry_of(types, node.func, scope) if _is_scoped(types, node.func, scope) else None
        return replace(asked, is_asked=True) if asked is not None else None
    if isinstance(node, cst.Attribute) and (kept := _attribute(node, scope)) is not None:
        return registry_of(types, *kept)
    found = definition(types, node, scope)
    if found is None:
        return None
    binding, owner, _ = found
    if binding.kind not in (Kind.VALUE, Kind.ENTERED) or binding.index or binding.value is None:
        return None
    registry = registry_of(types, binding.value, owner)
    return replace(registry, name=binding.name) if registry is not None and registry.call is binding.value else registry


def _is_scoped(types: Types, node: cst.BaseExpression, scope: Scope) -> bool:
    kind = types.infer(node, scope)
    return isinstance(kind, SessionType) and kind.flavor.is_scoped


def _attribute(node: cst.Attribute, scope: Scope) -> tuple[cst.BaseExpression, Scope] | None:
    """The one value that the methods of a class keep as `self.name`, and where."""
    cls = scope.parent
    if cls is None or not isinstance(node.value, cst.Name) or node.value.value != scope.first_parameter:
        return None
    found = [(value, m) for m in cls.methods() for value, _ in m.attributes_set.get(node.attr.value, ())]
    return found[0] if len(found) == 1 else None


def may_be_removed(types: Types, registry: Registry) -> bool:
    """Whether anything but what runs at the ends of the process may remove from the registry of a module.

    Read from the text of all that knows the module; who is handed the registry itself may remove from it.
    """
    home = registry.scope.module
    stem = home.path.parent.name if home.path.name == "__init__.py" else home.path.stem
    imported = re.compile(rf"^[ \t]*(?:from|import)\b.*\b{re.escape(stem)}\b", re.MULTILINE)
    for module in mentioning(types, registry.name, home):
        text = module.document.text
        if not (module is home or imported.search(text)):
            continue
        if is_test(module.path, types.project.root):
            continue
        words = (registry.name, *re.findall(rf"\b{re.escape(registry.name)}\s+as\s+(\w+)", text))
        name = "|".join(map(re.escape, words))
        handed_on = re.compile(rf"(?:[(,=\[{{:]|\breturn\b)\s*(?:\w+\.)*(?:{name})[ \t]*(?:[,)\]}}\r\n]|\Z)")
        for block, _ in leaves(module.blocks, types.module_scope(module)):
            part = text[block.start : block.end]
            if _IMPORT.match(part) or not re.search(rf"\b(?:{name})\b", part) or _AT_THE_ENDS.search(part):
                continue
            if _REMOVES.search(part) or handed_on.search(part):
                return True
    return False
