"""Every run of one function, abstractly: which sessions it leaks, poisons, closes or hands on, and by which path.

The states of `state` are pushed along the edges of `graph` until nothing new appears; equal states are explored once,
in order of distance, so that the first path to a state is a shortest one. The exploration is bounded and says so when
it gives up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from lint_sessions import timing
from lint_sessions.flow.conditions import decide
from lint_sessions.flow.evaluate import Evaluator
from lint_sessions.flow.graph import Action, BasicBlock, Graph, Step
from lint_sessions.flow.handlers import dispatch, exception_of
from lint_sessions.flow.lifecycle import Exit, Leak, Lifecycle, Lost, Pause, Spared
from lint_sessions.flow.liveness import Liveness, asked
from lint_sessions.flow.managers import enter, leave, leave_error
from lint_sessions.flow.state import (
    Poisoned,
    State,
    escape,
    swallow,
    unswallow,
)
from lint_sessions.flow.transactions import forget
from lint_sessions.flow.values import (
    Bound,
    Cause,
    Derived,
    Form,
    Held,
    Holder,
    Items,
    Phase,
    Raised,
    Session,
    Site,
    Suspended,
    Truth,
    Value,
    sites_in,
)
from lint_sessions.project.names import walk_scope
from lint_sessions.project.types import GeneratorType, SessionType

MAX_STATES = 6_000
"""States explored in one function before the analysis gives up on it."""


class Exploration:
    def __init__(self, run: Evaluator, graph: Graph, live: Liveness, *, to_yield: bool = False) -> None:
        self.run = run
        self.to_yield = to_yield
        self.graph = graph
        self.live = live
        node = run.scope.function
        self.is_entry = node is not None and bool(node.decorators) and not run.is_fixture
        """Somebody else calls the function, time and again, and nobody here sees its exceptions."""
        self.result = run.seen
        self.seen: dict[int, set[State]] = {}
        self.queue: deque[tuple[BasicBlock, State]] = deque()
        self.count = 0
        self.rests: dict[tuple[int, int], BasicBlock] = {}

    def explore(self, starts: Sequence[tuple[BasicBlock | None, State]]) -> Lifecycle:
        """Follow these states from their blocks to the exits."""
        with timing.stage("flow"):
            for block, state in starts:
                self.push(block, state)
            while self.queue:
                following, state = self.queue.popleft()
                self.block(following, state)
                if self.count > MAX_STATES:
                    return Lifecycle(gave_up=True)
            return self.result

    def push(self, block: BasicBlock | None, state: State) -> None:
        if block is None:
            return
        if not block.is_returning and block is not self.graph.returned:
            state = state.bind("return", None)  # an exception, or a jump, has taken the place of the return
        if block is self.graph.raised:
            state = replace(state, names=(), waiting=())
        elif (live := self.live.get(id(block))) is not None:
            names = tuple((name, value) for name, value in state.names if _matters(name, value, live))
            state = replace(state, names=names) if len(names) != len(state.names) else state
        if not self.run.in_summary:
            for site, session in state.sessions:
                if session.stored and not site.acquired and not site.managed:
                    state = state.update(site, stored=False)  # only a caller would mind
        seen = self.seen.setdefault(id(block), set())
        if state not in seen:
            seen.add(state)
            self.count += 1
            self.queue.append((block, state))

    def block(self, block: BasicBlock, state: State) -> None:
        if block is self.graph.returned:
            value = state.value("return")
            state = _handed_over(state, value)
            self.leave(state, None)
            self.result.returned.append((state, value))
            for path, kept in state.names:
                session = state.session(kept.site) if isinstance(kept, Held) and "." in path else None
                if isinstance(kept, Held) and session is not None and session.phase is Phase.CLOSED:
                    self.result.kept[path] = kept.site
            return
        if block is self.graph.raised:
            self.leave(state, state.raised)
            self.result.raised.append(state)
            return
        states = [state]
        otherwise: list[State] = []
        self.run.is_guarded = block.error is not self.graph.raised
        for number, step in enumerate(block.steps, 1):
            then: list[State] = []
            otherwise = []
            pausing = self.to_yield and _yield_in(step.node)
            for before in states:
                yes, no = self.pause(step.node, before, block, number) if pausing else self.step(step, before)
                then += [self.sweep(s, step.node) for s in yes]
                otherwise += [self.sweep(s, step.node) for s in no]
                for failure in self.run.failures:
                    self.push(block.error, self.sweep(failure, step.node))
                self.run.failures.clear()
            states = list(dict.fromkeys(then))
        for after in states:
            self.push(block.then, after)
        for after in otherwise:
            self.push(block.otherwise, after)

    def pause(self, node: cst.CSTNode, state: State, block: BasicBlock, number: int) -> tuple[list[State], list[State]]:
        """The generator stands at the yield of a statement; what follows it is for `resume`."""
        key = (id(block), number)
        if key not in self.rests:
            self.rests[key] = BasicBlock(
                block.error, block.steps[number:], block.then, block.otherwise, block.is_returning
            )
        place = _yield_in(node)
        value = place.value if place is not None else None
        ends = self.run.eval(value, state) if isinstance(value, cst.BaseExpression) else [(state, Truth.NONE)]
        self.result.paused += [Pause(after, given, node, self.rests[key]) for after, given in ends]
        return [], []

    def leave(self, state: State, raised: Raised | None) -> None:
        for site, session in state.sessions:
            if site.shared and session.failed is not None and (session.swallowed is not None or self.is_entry):
                place = session.swallowed or session.failed.node
                self.run.seen.poisoned.append(Poisoned(site, place, session.failed.node, None, state))
            self.lose(site, session, state)
            if session.owned and session.phase is Phase.ACTIVE:
                how, node = _exit(raised, state)
                self.result.leaks.append(Leak(site, how, node, session.lent, session.reopened, state.trail))

    def lose(self, site: Site, session: Session, state: State) -> None:
        """Note what a session of this function has never stored."""
        if not (site.acquired or site.managed) or site.flavor.is_scoped:
            return
        self.result.lost += [Lost(site, lost.node, state.trail) for lost in session.lost if lost.node is not None]

    def sweep(self, state: State, node: cst.CSTNode) -> State:
        """Forget the sessions that nothing leads to; those that are open then are lost for good."""
        if not state.sessions:
            return state
        if not self.run.follows_transactions:
            state = forget(state)
        kept = state.referenced()
        for site, session in state.sessions:
            if site not in kept and session.lost:
                self.lose(site, session, state)
                state = state.update(site, lost=())
            if site in kept or not site.acquired or not session.owned:
                continue
            if session.phase is Phase.ACTIVE and state.raised is None:
                self.result.leaks.append(
                    Leak(site, Exit.OVERWRITTEN, node, session.lent, session.reopened, state.trail)
                )
                state = state.drop(site)
            elif session.phase is not Phase.ACTIVE:
                state = state.drop(site)
        return state

    # --- steps -----------------------------------------------------------------------------------------------------

    def step(self, step: Step, state: State) -> tuple[list[State], list[State]]:
        run, node = self.run, step.node
        match step.action, node:
            case Action.RUN, _:
                return self.simple(node, state), []
            case Action.EVALUATE, cst.BaseExpression():
                return [s for s, _ in run.eval(node, state)], []
            case Action.TEST, cst.BaseExpression():
                return decide(run, node, state)
            case Action.ITERATE, cst.For():
                return self.iterate(node, state), []
            case Action.NEXT, cst.For():
                return self.next(node, state)
            case Action.ENTER, cst.WithItem():
                return enter(run, node, state), []
            case Action.LEAVE, cst.WithItem():
                return leave(run, node, state), []
            case Action.LEAVE_ERROR, cst.WithItem():
                suppressed, going = leave_error(run, node, state)
                return suppressed, going
            case Action.HANDLE, cst.ExceptHandler() | cst.ExceptStarHandler():
                return self.handle(node, state)
            case Action.HANDLED, _:
                return [state.unwait(node)], []
            case Action.HANDLER_FAILED, _:
                after = unswallow(state.unwait(node), node)
                if isinstance(node, cst.ExceptStarHandler) and after.raised is not None:
                    group = "ExceptionGroup" if after.raised.cause is not Cause.EXIT else "BaseExceptionGroup"
                    after = after.raise_(Raised(after.raised.cause, group, after.raised.node))
                run.failures.append(after)
                return [], []
            case Action.SUSPEND, _:
                return [state.settle().wait(node, Suspended(state.raised))], []
            case Action.RESUME, _:
                waited = state.waits(node)
                raised = waited.raised if isinstance(waited, Suspended) else state.raised
                run.failures.append(state.unwait(node).raise_(raised or Raised(Cause.ERROR, node=node)))
                return [], []
            case Action.MATCH, cst.MatchCase():
                return self.match(node, state)
            case Action.RETURN, cst.Return():
                return self.return_(node, state), []
            case Action.RAISE, _:
                self.raise_(node, step.handler, state)
                return [], []
        return [state], []

    def simple(self, node: cst.CSTNode, state: State) -> list[State]:
        run = self.run
        match node:
            case cst.Expr(value=value):
                return [s for s, _ in run.eval(value, state)]
            case cst.Assign(targets=targets, value=value):
                ends = run.eval(value, state)
                for target in targets:
                    ends = [(run.assign(target.target, v, s), v) for s, v in ends]
                return [s for s, _ in ends]
            case cst.AnnAssign(target=target, value=cst.BaseExpression() as right):
                return [run.assign(target, v, s) for s, v in run.eval(right, state)]
            case cst.AugAssign(target=target, value=value):
                read = [s for s, _ in run.eval(target, state)] if isinstance(target, cst.Attribute) else [state]
                ends = [end for s in read for end in run.eval(value, s)]
                return [run.assign(target, None, escape(s, sites_in(v))) for s, v in ends]
            case cst.Del(target=target):
                return [self.delete(target, state)]
            case cst.FunctionDef() | cst.ClassDef():
                after, captured = run.closure(node, state)
                if node.decorators:
                    after = escape(after, sites_in(captured))
                return [run.assign(node.name, captured, after)]
            case cst.Import() | cst.ImportFrom() | cst.Global() | cst.Nonlocal() | cst.Pass() | cst.AnnAssign():
                return [state]
        return [s for s, _ in run.parts(node, state)]

    def delete(self, target: cst.CSTNode, state: State) -> State:
        match target:
            case cst.Name(value=name):
                return state.bind(name, None)
            case cst.Tuple(elements=elements):
                for element in elements:
                    state = self.delete(element.value, state)
        return state

    def iterate(self, node: cst.For, state: State) -> list[State]:
        ends: list[State] = []
        for after, value in self.run.eval(node.iter, state):
            if isinstance(value, Derived) and value.form is Form.QUERY:
                run = [running for running, _ in self.run.item(value, after, node)]
                ends += [running.wait(node, Derived(value.site, Form.RESULT)) for running in run]
            else:
                ends.append(after.wait(node, value))
        return ends

    def next(self, node: cst.For, state: State) -> tuple[list[State], list[State]]:
        run = self.run
        if node.asynchronous is not None:
            run.cancel(state, node)
        waited = state.waits(node)
        value = waited if isinstance(waited, (Derived, Holder)) else None
        kind = run.infer(node.iter)
        turns: list[State] = []
        for after, item in run.item(value, state, node):
            if item is None and isinstance(kind, GeneratorType) and isinstance(kind.yields, SessionType):
                after, item = run.borrow(after, f"{id(node)}", node, kind.yields.flavor)
            turns.append(run.assign(node.target, item, after))
        return turns, [state.unwait(node)]

    def handle(self, node: cst.ExceptHandler | cst.ExceptStarHandler, state: State) -> tuple[list[State], list[State]]:
        taken, going = dispatch(self.run, [node.type], state) if node.type is not None else ([state], [])
        spared = self.result.spared.setdefault(node, set())
        for reached in taken:
            of_database = reached.raised is not None and reached.raised.cause is Cause.DATABASE
            for site, session in reached.sessions:
                if session.failed is None and (session.phase is Phase.IDLE or session.is_at_work):
                    spared.add(Spared(site, session.is_at_work, of_database, session.unsaved))
        inside = [swallow(s, node).wait(node, s.raised).note(node, "caught") for s in taken]
        if node.name is not None:
            inside = [self.run.assign(node.name.name, Truth.SOME, s) for s in inside]
        return inside, going

    def match(self, node: cst.MatchCase, state: State) -> tuple[list[State], list[State]]:
        inside = state
        for part in walk_scope(node.pattern):
            if isinstance(part, (cst.MatchAs, cst.MatchStar)) and part.name is not None:
                inside = self.run.assign(part.name, None, inside)
        always = isinstance(node.pattern, cst.MatchAs) and node.pattern.pattern is None and node.guard is None
        return [inside], [] if always else [state]

    def return_(self, node: cst.Return, state: State) -> list[State]:
        ends: list[State] = []
        values = self.run.eval(node.value, state) if node.value is not None else [(state, Truth.NONE)]
        for before, value in values:
            for after, _ in self.run.settle(value, before):
                self.give_instance(node, value, after)
                ends.append(after.bind("return", value).note(node, "returned"))
        return ends

    def give_instance(self, node: cst.CSTNode, value: Value, state: State) -> None:
        """An instance that is returned is there to be read; a failed transaction has expired it."""
        if not isinstance(value, Derived) or not value.persistent:
            return
        session = state.session(value.site)
        if session is not None and session.failed is not None and session.swallowed is not None:
            self.run.seen.poisoned.append(Poisoned(value.site, session.swallowed, session.failed.node, node, state))

    def raise_(self, node: cst.CSTNode, handler: cst.CSTNode | None, state: State) -> None:
        run = self.run
        if isinstance(node, cst.Raise) and node.exc is not None and not _is_caught(node.exc, handler):
            # Making an exception does not fail; evaluating what it is made of may.
            parts = [arg.value for arg in node.exc.args] if isinstance(node.exc, cst.Call) else [node.exc]
            for after, _ in run.each(parts, state):
                run.throw(after, Raised(Cause.ERROR, exception_of(run, node.exc), node))
            return
        waited = state.waits(handler) if handler is not None else None
        waited = waited.raised if isinstance(waited, Suspended) else waited
        raised = replace(waited, node=node) if isinstance(waited, Raised) else Raised(Cause.ERROR, node=node)
        if isinstance(node, cst.Assert):
            raised = Raised(Cause.ERROR, "AssertionError", node)
        run.throw(state, raised)


def _matters(name: str, value: Value, live: frozenset[str]) -> bool:
    """Whether what a name holds can still make a difference; what leads to a session always does."""
    match value:
        case Truth():
            read = value is Truth.NONE and name in live
            return read or asked(name) in live or name == "return"
        case Derived() | Bound(base=Derived()):
            return name in live or name == "return"
    return True


def _yield_in(node: cst.CSTNode) -> cst.Yield | None:
    """The yield that a statement is, or assigns."""
    match node:
        case cst.Expr(value=cst.Yield() as found) | cst.Assign(value=cst.Yield() as found):
            return found
    return None


def _handed_over(state: State, value: Value) -> State:
    """What is returned is the caller's from now on: a session as such, anything else with the sessions it keeps."""
    parts = value.items if isinstance(value, Items) else (value,)
    for part in parts:
        state = state.update(part.site, owned=False) if isinstance(part, Held) else escape(state, sites_in(part))
    return state


def _is_caught(node: cst.BaseExpression, handler: cst.CSTNode | None) -> bool:
    """Whether `raise node` raises again what the handler around it took: `except E as e: raise e`."""
    match node, handler:
        case cst.Name(value=name), cst.ExceptHandler(name=cst.AsName(name=cst.Name(value=caught))):
            return name == caught
    return False


def _exit(raised: Raised | None, state: State) -> tuple[Exit, cst.CSTNode | None]:
    """How a run ends, and the node that ends it."""
    if raised is None:
        trail = state.trail
        if trail is not None and trail.event == "returned":
            return Exit.RETURN, trail.node
        return Exit.END, None
    if isinstance(raised.node, (cst.Raise, cst.Assert)):
        return Exit.RAISE, raised.node
    kinds = {Cause.DATABASE: Exit.DATABASE, Cause.ERROR: Exit.ERROR, Cause.LOOKUP: Exit.LOOKUP, Cause.EXIT: Exit.CANCEL}
    return kinds[raised.cause], raised.node
