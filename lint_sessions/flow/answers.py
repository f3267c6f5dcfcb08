"""Expired instances that a route answers with, and what becomes of them.

FastAPI puts what a route returns through its response model, which reads every attribute. An instance of SQLModel that
is returned as its own class is not read but dumped: attributes that are not in memory are left out, and the answer is
`{}` (FastAPI 0.115 to 0.165, SQLModel 0.0.24 and later; `fixtures/unrefreshed_return`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.flow.state import Trail
from lint_sessions.flow.values import Derived, Form, Site, Stage
from lint_sessions.project.models import instance_class, is_sqlmodel
from lint_sessions.project.names import walk
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import ClassType
from lint_sessions.project.wiring import Wiring


@dataclass(frozen=True, eq=False)
class Answer:
    """An expired instance that a route returns."""

    place: cst.Return
    expression: cst.BaseExpression
    site: Site
    detached: bool
    """Its session is closed already."""
    is_dumped: bool
    """Nobody reads its attributes: what is not in memory is left out."""
    is_list: bool
    """They are several."""
    trail: Trail | None


def answers(wiring: Wiring, runs: Lifecycle, scope: Scope) -> Iterator[Answer]:
    """The expired instances that a function returns, if it is a route; one for each return statement."""
    expired = {
        _return(state.trail): (state, value)
        for state, value in runs.returned
        if isinstance(value, Derived) and value.stage in (Stage.EXPIRED, Stage.DETACHED)
    }
    if not expired or not wiring.is_route(scope):
        return
    model = wiring.response_model(scope)
    for place, (state, value) in expired.items():
        if place is None or place.value is None:
            continue
        cls = instance_class(wiring.types, place.value, scope)
        if cls is None:
            continue
        is_dumped = is_sqlmodel(wiring.types, cls) and (model is None or _names(wiring, model, cls, scope))
        if model is not None or is_dumped:
            session = state.session(value.site)
            detached = value.stage is Stage.DETACHED and session is not None and not session.stored
            yield Answer(place, place.value, value.site, detached, is_dumped, value.form is Form.RESULT, state.trail)


def _return(trail: Trail | None) -> cst.Return | None:
    """The statement by which a run has ended; blocks that it leaves come after it."""
    while trail is not None:
        if isinstance(trail.node, cst.Return):
            return trail.node
        trail = trail.before
    return None


def _names(wiring: Wiring, model: cst.BaseExpression, cls: ClassType, scope: Scope) -> bool:
    """Whether a response model is a class, or a list of it, and so takes its instances as they are."""
    around = scope.parent or scope
    parts = (part for part in walk(model) if isinstance(part, (cst.Name, cst.Attribute)))
    return any(wiring.types.infer(part, around) == cls for part in parts)
