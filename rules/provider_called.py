"""LS206: a yield provider that is driven by hand, so that its clean-up runs too early, too late, or never."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import libcst as cst

from lint_sessions.context import Context
from lint_sessions.edits import Acquisition, siblings
from lint_sessions.finding import Edit, Fix, Safety
from lint_sessions.flow.lifecycle import Leak, Lifecycle
from lint_sessions.flow.objects import may_close
from lint_sessions.flow.steps import generator, is_named_provider, step_of
from lint_sessions.flow.values import Held, Holder, Site
from lint_sessions.imports import as_manager
from lint_sessions.leaks import how, opened_alone, path
from lint_sessions.project.names import children, path_to, walk, walk_scope
from lint_sessions.project.scopes import Scope
from lint_sessions.project.scripts import runs_once
from lint_sessions.project.types import ClassType, GeneratorType, InstanceType
from lint_sessions.rule import Rule, TraceStep
from lint_sessions.source.document import Block

_OF_GENERATORS = frozenset(
    ["__next__", "__anext__", "send", "asend", "throw", "close", "athrow", "aclose", "__iter__", "__aiter__"]
    + ["gi_frame", "gi_running", "gi_code", "gi_yieldfrom", "ag_frame", "ag_running", "ag_code", "ag_await"]
)
_CLOSING = re.compile(r"\.a?close\b|__a?exit__|^\s*(async\s+)?with\b|enter_(async_)?context", re.MULTILINE)
_KEPT = "begins again after its generator has ended, and nobody closes it"


class ProviderCalled(Rule):
    """Yield provider is driven by hand, and its clean-up does not run when it should.

    ## What it does
    Finds `next(get_db())`, `await anext(get_session())`, `get_db().__next__()` and the like, where some path leaves the
    session open, or an object keeps it that never closes; a loop over a provider that is left by `return` or `break`
    while its session is still in use; and a generator that is used as if it were the session it yields.

    ## Why is this bad?
    Nobody holds the generator in `next(get_db())`, so that it ends at once, and its `finally` closes the session before
    it is used. The session silently begins again, and now nobody closes it: its connection is gone until the garbage
    collector finds it. An asynchronous generator that is left in the middle is closed by the event loop some time after
    the function has returned.

    ## Example
    ```python
    def count_users():
        db = next(get_db())
        return db.scalar(select(func.count()).select_from(User))
    ```

    ## Use instead
    ```python
    def count_users():
        with contextmanager(get_db)() as db:
            return db.scalar(select(func.count()).select_from(User))
    ```

    ## What it leaves alone
    `contextmanager(get_db)()`; loops that run to their end; a generator that is kept in a variable, which CPython ends
    with the function; a session that is closed on every path, that holds no connection when it is dropped, or that is
    handed to something that may close it; a provider that passes on a session of somebody else; scripts that run once,
    and what a module does when it is imported.

    ## Fix safety
    Unsafe: the clean-up of the provider runs at the end of the new block, and instances that are read after it are
    detached by then.
    """

    code = "LS206"
    message = "`{call}` {how}"
    gates = (rb"\w\s*\(",)
    fixable = Safety.UNSAFE

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        scope = self.context.scope_of(node)
        block = self.context.block
        if not _STEPPING.search(block.document.text, block.start, block.end) or self._is_exempt(scope):
            return
        runs = self.context.lifecycle(scope)
        for site in {leak.site.key: leak.site for leak in runs.leaks if leak.site.from_step}.values():
            leak = runs.leak_of(site, lent=False)
            if leak is not None and site.node is not None:
                self.report(
                    site.node,
                    trace=path(leak),
                    call=self.context.short(site.node),
                    how=f"ends the provider at once, and its session {how(self.context, leak)}",
                    fix=partial(_enter, self.context, scope, leak, runs),
                )
        for kept in {kept.site.key: kept for kept in self._kept(scope, runs)}.values():
            if kept.site.node is not None and self._stays_open(scope, kept):
                self.report(
                    kept.site.node, call=self.context.short(kept.site.node), how=f"gives a session that {_KEPT}"
                )

    def visit_For(self, node: cst.For) -> None:
        """A loop that is left in the middle."""
        scope = self.context.scope
        if not isinstance(node.iter, cst.Call) or self._is_exempt(scope):
            return
        made = generator(self.context.types, node.iter, scope)
        if made is not None and made.is_async and node.asynchronous is None:
            self._report_type(node.iter, "an asynchronous generator, which `for` alone can't go over")
            return
        if made is None and not is_named_provider(self.context.types, node.iter, scope):
            return
        leaving = next(iter(_exits(node.body)), None)
        if leaving is None or any(isinstance(part, cst.Yield) for part in walk_scope(node.body)):
            return
        if node.asynchronous is not None:
            told = "is left before its end: its session is closed only some time later"
        elif isinstance(leaving, cst.Break) and self._is_used_after(node):
            told = "ends when the loop is left: its session begins again, and nobody closes it"
        else:
            return
        self.report(
            node.iter,
            trace=[TraceStep(leaving, "leaves the loop here, with the provider at its `yield`")],
            call=self.context.short(node.iter),
            how=told,
            fix=partial(_enter_loop, self.context, scope, node, node.iter),
        )

    def visit_Attribute(self, node: cst.Attribute) -> None:
        """`db = get_db()` and then `db.execute(...)`."""
        if isinstance(node.value, (cst.Name, cst.Call)) and node.attr.value not in _OF_GENERATORS:
            made = generator(self.context.types, node.value, self.context.scope)
            if made is not None:
                told = f"a generator and no session: it has no `{node.attr.value}`"
                self._report_type(node, told, node.value, partial(self._use_as_manager, node.value, made))

    def visit_WithItem(self, node: cst.WithItem) -> None:
        """`with get_db() as db`."""
        made = generator(self.context.types, node.item, self.context.scope)
        if made is not None:
            fix = partial(self._as_item, node.item, made)
            self._report_type(
                node.item, "a generator and no context manager, so the block fails on every call", fix=fix
            )

    def visit_Await(self, node: cst.Await) -> None:
        """`await get_session()`."""
        if generator(self.context.types, node.expression, self.context.scope) is not None:
            self._report_type(node, "a generator, which can't be awaited", node.expression)

    def visit_Call(self, node: cst.Call) -> None:
        """`next(get_session())` of an asynchronous provider, and the other way about."""
        match node:
            case cst.Call(func=cst.Name(value="next" | "anext" as name), args=[cst.Arg(value=given)]):
                made = generator(self.context.types, given, self.context.scope)
                if made is not None and made.is_async is (name == "next"):
                    kind = "an asynchronous" if made.is_async else "a plain"
                    self._report_type(node, f"{kind} generator, which `{name}` can't resume", given)

    def _report_type(
        self, node: cst.CSTNode, told: str, named: cst.CSTNode | None = None, fix: partial[Fix | None] | None = None
    ) -> None:
        self.report(node, call=self.context.short(named or node), how=f"is {told}", fix=fix)

    def _is_exempt(self, scope: Scope) -> bool:
        return not scope.is_function or runs_once(scope) or self.context.types.is_fixture(scope)

    # --- sessions that outlive their generator ------------------------------------------------------------------

    def _kept(self, scope: Scope, runs: Lifecycle) -> Iterator[_Kept]:
        """The sessions of steps that the object of a method keeps, or an object that is returned."""
        for state, value in runs.returned:
            for name, held in state.names:
                own, _, attribute = name.partition(".")
                is_own = bool(attribute) and own == scope.first_parameter and scope.parent is not None
                if is_own and isinstance(held, Held) and held.site.from_step and scope.parent is not None:
                    yield _Kept(held.site, ClassType(scope.parent), attribute, is_own=True)
            match value:
                case Holder(kind=InstanceType(cls=ClassType() as cls)):
                    attributes = {site: name for name, site in value.attributes}
                    for site in value.sites:
                        if site.from_step or self._ends_with(scope, site):
                            yield _Kept(site, cls, attributes.get(site), is_own=False)

    def _ends_with(self, scope: Scope, site: Site) -> bool:
        """Whether a session comes from a generator that a name of the function holds, and nothing else."""
        step = step_of(self.context.types, site.node, scope) if isinstance(site.node, cst.Call) else None
        if step is None or not isinstance(step.generator, cst.Name) or scope.function is None:
            return False
        name = step.generator.value
        if len(scope.bound(name)) != 1:
            return False
        reads = [part for part in walk(scope.function.body) if isinstance(part, cst.Name) and part.value == name]
        return len(reads) == 2  # where it is bound, and the step

    def _stays_open(self, scope: Scope, kept: _Kept) -> bool:
        """Whether nobody closes a session that an object of the project keeps."""
        attribute = kept.attribute or self.context.types.session_attribute(InstanceType(kept.cls))
        if attribute is not None and self._is_closed_by_name(attribute, kept.cls):
            return False
        if not may_close(self.context.types, kept.cls):
            return True
        uses = self.context.wiring.uses(scope) if not kept.is_own else []
        return bool(uses) and not any(_looks_like_closing(use.block) for use in uses)

    def _is_closed_by_name(self, attribute: str, cls: ClassType) -> bool:
        """Whether code outside of a class closes what its objects keep under a name: a user of one, or a subclass."""
        closing = re.compile(rf"(\w+)\s*\.\s*{attribute}\s*\.\s*a?close\b")
        named = re.compile(rf"\b{cls.scope.name}\b")
        own = [base.block for base in self.context.types.ancestry(cls.scope) if isinstance(base, Scope) and base.block]
        for module in self.context.types.project.mentioning(attribute):
            text = module.document.text
            for found in closing.finditer(text):
                inside = any(b.document is module.document and b.start <= found.start() < b.end for b in own)
                if not inside and (found[1] != "self" or named.search(text)):
                    return True
        return False

    def _is_used_after(self, loop: cst.For) -> bool:
        """Whether a statement after a loop reads what the loop went over."""
        found = siblings(self.context.block.node, loop.iter)
        if found is None or not isinstance(loop.target, cst.Name):
            return False
        suite, place = found
        name = loop.target.value
        return any(_reads(statement, name) for statement in suite[place + 1 :])

    # --- fixes --------------------------------------------------------------------------------------------------

    def _as_item(self, call: cst.BaseExpression, made: GeneratorType) -> Fix | None:
        path_down = path_to(self.context.block.node, call)
        statement = next((part for part in reversed(path_down) if isinstance(part, cst.With)), None)
        if not isinstance(call, cst.Call) or statement is None or made.is_async is (statement.asynchronous is None):
            return None
        return _replaced(self.context, self.context.scope, call, is_async=made.is_async)

    def _use_as_manager(self, value: cst.BaseExpression, made: GeneratorType) -> Fix | None:
        """`db = get_db()` becomes a block."""
        found = self.context.scope.lookup(value.value) if isinstance(value, cst.Name) else None
        call = found[1][0][0].value if found is not None and found[0] is self.context.scope else None
        opened = Acquisition.of(self.context.block, call) if isinstance(call, cst.Call) else None
        if opened is None or opened.rebinds() or self.context.scope.is_generator:
            return None
        return _enclosed(self.context, self.context.scope, opened, call, is_async=made.is_async)


@dataclass(frozen=True)
class _Kept:
    """A session that an object of the project keeps when the function ends."""

    site: Site
    cls: ClassType
    attribute: str | None
    is_own: bool
    """The object is the one whose method the function is."""


_STEPPING = re.compile(r"\ba?next\s*\(|\b__a?next__\b|\ba?send\b")


def _looks_like_closing(block: Block) -> bool:
    return _CLOSING.search(block.document.text, block.start, block.end) is not None


def _reads(statement: cst.CSTNode, name: str) -> bool:
    return any(isinstance(part, cst.Name) and part.value == name for part in walk(statement))


def _exits(body: cst.CSTNode) -> list[cst.CSTNode]:
    """The statements that leave a loop from its body: `return`, and `break` but for those of inner loops."""
    found: list[cst.CSTNode] = []
    stack: list[tuple[cst.CSTNode, bool]] = [(body, True)]
    while stack:
        node, own = stack.pop()
        if isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
            continue
        if isinstance(node, cst.Return) or (isinstance(node, cst.Break) and own):
            found.append(node)
        inner = own and not isinstance(node, (cst.For, cst.While))
        stack.extend((child, inner) for child in reversed(children(node)))
    return found


def _enter(context: Context, scope: Scope, leak: Leak, runs: Lifecycle) -> Fix | None:
    """`db = next(get_db())` becomes a block."""
    step = step_of(context.types, leak.site.node, scope) if isinstance(leak.site.node, cst.Call) else None
    opened = opened_alone(context, scope, leak, runs)
    if opened is None or step is None or not isinstance(step.generator, cst.Call):
        return None
    return _enclosed(context, scope, opened, step.generator, is_async=leak.site.flavor.is_async)


def _enclosed(
    context: Context, scope: Scope, opened: Acquisition, call: cst.BaseExpression | None, *, is_async: bool
) -> Fix | None:
    if not isinstance(call, cst.Call) or (is_async and (scope.function is None or not scope.function.asynchronous)):
        return None
    made = as_manager(context.types, context.block, call, scope, is_async=is_async)
    if made is None:
        return None
    manager, imports = made
    found = opened.enclosed(f"{'async with' if is_async else 'with'} {manager} as {opened.name}:")
    return _fix((*found[0], *imports), is_async=is_async) if found is not None else None


def _enter_loop(context: Context, scope: Scope, loop: cst.For, call: cst.Call) -> Fix | None:
    """The loop becomes a block; not where something in it concerns a loop."""
    loops = (cst.Break, cst.Continue)
    if loop.orelse is not None or any(isinstance(part, loops) for part in walk_scope(loop.body)):
        return None
    is_async = loop.asynchronous is not None
    made = as_manager(context.types, context.block, call, scope, is_async=is_async)
    if made is None:
        return None
    manager, imports = made
    start, end = (
        context.document.offset(place) for place in (context.block.span(loop)[0], context.block.span(call)[1])
    )
    header = f"{'async with' if is_async else 'with'} {manager} as {context.source(loop.target)}"
    return _fix((Edit(start, end, header), *imports), is_async=is_async)


def _replaced(context: Context, scope: Scope, call: cst.Call, *, is_async: bool) -> Fix | None:
    made = as_manager(context.types, context.block, call, scope, is_async=is_async)
    if made is None:
        return None
    manager, imports = made
    start, end = (context.document.offset(place) for place in context.block.span(call))
    return _fix((Edit(start, end, manager), *imports), is_async=is_async)


def _fix(edits: tuple[Edit, ...], *, is_async: bool) -> Fix:
    return Fix(f"Enter it by `{'asynccontextmanager' if is_async else 'contextmanager'}`", Safety.UNSAFE, edits)
