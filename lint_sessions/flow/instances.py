"""Instances of mapped classes: the stage each is in, and reads of attributes that cannot be loaded any more.

A commit expires what the session holds (`expire_on_commit`), a rollback does so always. The next read of an attribute
loads it: through an open `Session`; not through an `AsyncSession`, outside `await` (MissingGreenlet); and not once the
session is closed (DetachedInstanceError). Source: SQLAlchemy 2.0, ORM Session Basics, "Expiring / Refreshing".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from lint_sessions.flow.state import EarlyRefresh, State, Trail, Unloaded
from lint_sessions.flow.values import Cause, Derived, Form, Raised, Site, Stage, sites_in
from lint_sessions.project.models import commit_expires, made, mapped, selected
from lint_sessions.project.sessions import Types
from lint_sessions.project.types import ClassType, External, FactoryType, MethodType, Type

if TYPE_CHECKING:
    from lint_sessions.flow.arguments import Arguments
    from lint_sessions.flow.evaluate import Evaluator

_ENDS = {"committed": "commit", "rolled back": "rollback"}
_LOADS_ITSELF = frozenset(["awaitable_attrs", "metadata", "registry"])
"""Attributes of an instance that are no attributes of its row."""
_SERIALIZERS = frozenset(["model_validate", "from_orm", "jsonable_encoder", "parse_obj"])
"""Read all attributes of what they are given."""
_IN_ROWS = frozenset(["execute", "stream"])
_ONE_EACH = frozenset(["scalars", "scalar", "stream_scalars", "exec"])
_GOT = frozenset(["get", "get_one", "merge"])
_UNWRAPPING = frozenset(["scalars", "scalar", "scalar_one", "scalar_one_or_none"])
_KEEPING = frozenset(
    ["unique", "all", "first", "one", "one_or_none", "fetchall", "fetchmany", "fetchone", "partitions"]
)


def added(run: Evaluator, node: cst.Call, site: Site, state: State) -> State:
    """`add` and `add_all`: what names hold is an instance of the session from now on."""
    given = [arg.value for arg in node.args]
    for value in [item for arg in given for item in _items(arg)]:
        if not isinstance(value, cst.Name) or state.knows(value.value):
            continue
        is_new = made(run.types, value, run.scope) is not None
        stage = Stage.PENDING if is_new else Stage.ADDED
        state = state.bind(value.value, Derived(site, Form.INSTANCE, stage)).update(site, loaded=True)
    return state


def _items(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(node, (cst.List, cst.Tuple)):
        return [element.value for element in node.elements]
    return [node]


def refreshed(run: Evaluator, node: cst.Call, site: Site, state: State) -> State:
    """`refresh` loads the attributes; an instance that has no row yet it refuses."""
    name = node.args[0].value
    assert isinstance(name, cst.Name)
    value = state.value(name.value)
    if isinstance(value, Derived) and value.site == site and value.stage is Stage.PENDING:
        run.seen.early.append(EarlyRefresh(site, node, state))
        run.throw(state, Raised(Cause.DATABASE, "sqlalchemy.exc.InvalidRequestError", node))
    # What was added in this transaction is the session's no longer after a rollback, refreshed or not.
    is_new = isinstance(value, Derived) and value.site == site and value.stage in (Stage.PENDING, Stage.ADDED)
    stage = Stage.ADDED if is_new else Stage.STORED
    state = state.bind(name.value, Derived(site, Form.INSTANCE, stage, persistent=True))
    return state.update(site, loaded=True)


def dropped(node: cst.Call, site: Site, state: State) -> State:
    """`delete` and `expunge`: a commit does not expire the instance."""
    for arg in node.args:
        if isinstance(arg.value, cst.Name):
            value = state.value(arg.value.value)
            if isinstance(value, Derived) and value.site == site:
                state = state.bind(arg.value.value, Derived(site, Form.INSTANCE))
    return state


def flushed(state: State, site: Site) -> State:
    """What was added is flushed."""
    return state.restage(site, {Stage.PENDING: Stage.ADDED})


def touched(state: State, site: Site) -> State:
    """A query runs, or somebody else uses the session: both may flush what was added and load what was expired."""
    loaded = {Stage.PENDING: Stage.ADDED, Stage.EXPIRED: Stage.STORED, Stage.DETACHED: None}
    return state.restage(site, loaded)


def forgotten(state: State, site: Site) -> State:
    """`expunge_all`: a commit expires nothing any more."""
    return state.restage(site, dict.fromkeys(Stage))


def from_session(run: Evaluator, node: cst.CSTNode, name: str) -> Stage | None:
    """The stage of what a session's own method gives."""
    if id(node) not in run.stages:
        run.stages[id(node)] = _selected(run, node, name)
    return run.stages[id(node)]


def _selected(run: Evaluator, node: cst.CSTNode, name: str) -> Stage | None:
    if not isinstance(node, cst.Call) or not node.args:
        return None
    first = node.args[0].value
    if name in _GOT:
        model = made(run.types, first, run.scope) if name == "merge" else mapped(run.types, run.infer(first))
        return Stage.STORED if model is not None else None
    if name in _IN_ROWS or name in _ONE_EACH:
        if selected(run.types, first, run.scope) is None:
            return None
        return Stage.ROWS if name in _IN_ROWS else Stage.STORED
    return None


def queried(run: Evaluator, node: cst.Call) -> Stage | None:
    """The stage of what `session.query(...)` gives."""
    if id(node) not in run.stages:
        is_one = len(node.args) == 1 and mapped(run.types, run.infer(node.args[0].value)) is not None
        run.stages[id(node)] = Stage.STORED if is_one else None
    return run.stages[id(node)]


def from_result(stage: Stage | None, name: str) -> Stage | None:
    """The stage of what a method of a query or result gives."""
    if stage is Stage.ROWS:
        return Stage.STORED if name in _UNWRAPPING else stage if name == "unique" else None
    return stage if name in _KEEPING or name in _GOT else None


def read(run: Evaluator, node: cst.CSTNode, value: Derived, state: State) -> State:
    """An attribute of an instance is read, or all of them."""
    if value.stage not in (Stage.EXPIRED, Stage.DETACHED):
        return state
    if isinstance(node, cst.Attribute) and (node.attr.value in _LOADS_ITSELF or node.attr.value.startswith("_")):
        return touched(state, value.site)
    if isinstance(node, cst.Attribute) and node.attr.value in value.kept:
        return state
    session = state.session(value.site)
    if value.stage is Stage.DETACHED and session is not None and session.stored:
        return touched(state, value.site)
    detached = value.stage is Stage.DETACHED
    if session is not None and (detached or value.site.flavor.is_async):
        run.seen.unloaded.append(Unloaded(value.site, node, detached, state))
    return touched(state, value.site)


def set_(state: State, name: str, attribute: str) -> State:
    """An attribute of what a name holds is set, which loads nothing: of an expired instance it is in memory now."""
    value = state.value(name)
    if not isinstance(value, Derived) or value.stage not in (Stage.EXPIRED, Stage.DETACHED):
        return state
    return state.bind(name, replace(value, kept=value.kept | {attribute}))


def expired_by(types: Types, trail: Trail | None, site: Site) -> tuple[cst.CSTNode, str] | None:
    """The commit or rollback that has expired the instances of a session for certain, with what it is."""
    steps = trail.steps(site) if trail is not None else []
    ends = ["rolled back"] if site.flavor.expires is False else list(_ENDS)
    end = next(((node, _ENDS[event]) for node, event in reversed(steps) if event in ends), None)
    return None if end is not None and end[1] == "commit" and not commit_expires(types, site.flavor) else end


def unreadable(types: Types, reads: Iterable[Unloaded], *, detached: bool) -> dict[cst.CSTNode, Unloaded]:
    """By place: the first read there of an instance that has been expired for certain; another may be of a session of
    which nothing tells whether its commit expires."""
    found: dict[cst.CSTNode, Unloaded] = {}
    for read in reads:
        is_known = read.use in found or read.detached is not detached
        if not is_known and expired_by(types, read.state.trail, read.site) is not None:
            found[read.use] = read
    return found


def passed(run: Evaluator, node: cst.Call, kind: Type | None, args: Arguments, state: State) -> State:
    """A function is given instances, or may know them: what it does to them is not known, unless it reads them all."""
    reads_all = isinstance(node.func, (cst.Attribute, cst.Name)) and _name(node.func) in _SERIALIZERS
    for arg, value in args:
        if isinstance(value, Derived) and value.form is not Form.QUERY:
            if reads_all:
                state = read(run, arg.value, value, state)
            state = touched(state, value.site)
        for site in sites_in(value):
            state = touched(state, site)
    owner = kind.owner if isinstance(kind, MethodType) else kind
    is_known = isinstance(owner, FactoryType) or (isinstance(kind, External) and kind.resolved)
    if not is_known and not isinstance(kind, ClassType):
        for site, _ in state.sessions:
            state = touched(state, site)
    return state


def _name(node: cst.Attribute | cst.Name) -> str:
    return node.attr.value if isinstance(node, cst.Attribute) else node.value
