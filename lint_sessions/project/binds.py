"""Whether a session or a sessionmaker knows its engine, from its own call or from anywhere else in the project."""

from __future__ import annotations

import re

import libcst as cst

from lint_sessions.project.annotations import instance_of
from lint_sessions.project.known import FACTORY_CLASSES, SESSION_CLASSES
from lint_sessions.project.modules import Module
from lint_sessions.project.scopes import Scope
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import External, SessionType

_HARMLESS = frozenset(
    ["autoflush", "autocommit", "expire_on_commit", "future", "info", "twophase", "autobegin", "query_cls"]
    + ["join_transaction_mode", "close_resets_only", "enable_baked_queries", "class_"]
)
"""Arguments that say nothing of an engine."""

_BINDS_LATER = re.compile(
    r"\.configure\s*\([^)]*\bbind|\bmetadata\.bind\b|\bMetaData\s*\([^)]*\bbind|\.bind\s*=[^=]|\.bind_(?:mapper|table)\b"
)
"""Ways to give an engine to a session, a sessionmaker or its tables after they are made."""


def made_unbound(types: Types, call: cst.Call, scope: Scope) -> str | None:
    """`session` or `sessionmaker` where a call makes one of SQLAlchemy's own and names no engine; None otherwise."""
    callee = types.infer(call.func, scope)
    if not isinstance(callee, External) or any(arg.star or arg.keyword is None for arg in call.args):
        return None
    given = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
    if not given.keys() <= _HARMLESS:
        return None
    # A session class of the project may find the engine itself.
    made = types.infer(given["class_"], scope) if "class_" in given else None
    if "class_" in given and not (isinstance(made, External) and isinstance(instance_of(types, made), SessionType)):
        return None
    if callee.name in SESSION_CLASSES:
        return "session"
    return "sessionmaker" if callee.name in FACTORY_CLASSES else None


def may_be_bound_later(types: Types, name: str | None, home: Module) -> bool:
    """Whether the project gives engines to what is made already, anywhere; or calls the sessionmaker `name` of the
    module `home` with an argument, or passes it on."""
    call = re.compile(rf"\b{re.escape(name)}\s*\(\s*[^\s)]|[(,=]\s*{re.escape(name)}\s*[,)]") if name else None
    stem = home.path.parent.name if home.path.name == "__init__.py" else home.path.stem
    imported = re.compile(rf"^\s*(?:from|import)\b.*\b{re.escape(stem)}\b", re.MULTILINE)
    for path in types.project.files:
        module = home if path == home.path else types.project.at(path)
        text = module.document.text if module is not None else ""
        if "ession" not in text:
            continue
        if _BINDS_LATER.search(text):
            return True
        if call is not None and (module is home or imported.search(text)) and call.search(text):
            return True
    return False
