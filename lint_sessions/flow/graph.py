"""The control-flow graph of a function: basic blocks, their successors, and the exceptional edge of each.

A `finally` body is followed once for each way into it (as CPython compiles it), so every path through the graph is a
path the interpreter can take. What a step does is not known here: `lifecycle` runs the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import libcst as cst


class Action(Enum):
    """What a step does with its node."""

    RUN = "run"
    """Execute a simple statement, or define a function or class."""
    EVALUATE = "evaluate"
    """Evaluate an expression for its effects."""
    TEST = "test"
    """Evaluate a condition; `then` when true, `otherwise` when false."""
    ITERATE = "iterate"
    """Evaluate what a For goes over."""
    NEXT = "next"
    """Ask a For's iterator; `then` binds the target, `otherwise` when it is exhausted."""
    ENTER = "enter"
    """Evaluate a WithItem and enter it."""
    LEAVE = "leave"
    """Leave a WithItem with no exception."""
    LEAVE_ERROR = "leave with an error"
    """Leave a WithItem with the exception in flight; `then` when it is suppressed, `otherwise` when not."""
    HANDLE = "handle"
    """`then` when the ExceptHandler takes the exception in flight, `otherwise` when not."""
    HANDLED = "handled"
    """The end of a handler's body: its exception is gone."""
    HANDLER_FAILED = "handler failed"
    """An exception leaves a handler's body, the handler's own or another."""
    SUSPEND = "suspend"
    """The exception in flight waits while a finally body runs; the node is the Finally."""
    RESUME = "resume"
    """The exception that waited goes on."""
    MATCH = "match"
    """`then` when a MatchCase's pattern matches, `otherwise` when not."""
    RETURN = "return"
    RAISE = "raise"


@dataclass(eq=False)
class Step:
    action: Action
    node: cst.CSTNode
    handler: cst.CSTNode | None = None
    """Of a bare `raise`: the handler around it, or the `finally` that an exception has entered."""


@dataclass(eq=False)
class BasicBlock:
    """Steps that run one after the other; an exception in any of them goes to `error`."""

    error: BasicBlock | None
    steps: list[Step] = field(default_factory=list)
    then: BasicBlock | None = None
    otherwise: BasicBlock | None = None
    is_returning: bool = False
    """It stands in what a `return` still has to run: the value waits."""


@dataclass(eq=False)
class Graph:
    """One function's blocks; `returned` and `raised` are its two exits and hold no steps."""

    entry: BasicBlock
    returned: BasicBlock
    raised: BasicBlock


def build(body: Sequence[cst.CSTNode]) -> Graph:
    """The graph of a function body or of a module's statements."""
    returned, raised = BasicBlock(None), BasicBlock(None)
    builder = _Builder(returned, raised)
    entry = builder.block()
    end = builder.statements(body, entry)
    if end is not None:
        end.then = returned
    return Graph(entry, returned, raised)


@dataclass(eq=False)
class _Frame:
    """Something around the current statement that a jump has to unwind, or that catches errors."""

    error: BasicBlock | None = None
    loop_head: BasicBlock | None = None
    loop_end: BasicBlock | None = None
    finally_: cst.Finally | None = None
    item: cst.WithItem | None = None
    handler: cst.ExceptHandler | cst.ExceptStarHandler | cst.Finally | None = None
    """What an exception waits for: a handler's body, or that of a `finally` which an exception has entered."""


class _Builder:
    def __init__(self, returned: BasicBlock, raised: BasicBlock) -> None:
        self.returned, self.raised = returned, raised
        self.frames: list[_Frame] = []
        self.is_returning = False

    @property
    def error(self) -> BasicBlock:
        return next((f.error for f in reversed(self.frames) if f.error is not None), self.raised)

    def block(self) -> BasicBlock:
        return BasicBlock(self.error, is_returning=self.is_returning)

    def after(self, *ends: BasicBlock | None) -> BasicBlock | None:
        """A block in the current surroundings that follows all ends that can be reached."""
        live = [end for end in ends if end is not None]
        if not live:
            return None
        following = self.block()
        for end in live:
            end.then = following
        return following

    # --- statements: each takes the block it starts in and gives the block it ends in, or None ------------------------

    def statements(self, body: Sequence[cst.CSTNode], block: BasicBlock | None) -> BasicBlock | None:
        for statement in body:
            if block is None:
                return None
            block = self.statement(statement, block)
        return block

    def suite(self, body: cst.BaseSuite | Sequence[cst.CSTNode], block: BasicBlock | None) -> BasicBlock | None:
        return self.statements(body.body if isinstance(body, cst.BaseSuite) else body, block)

    def statement(self, node: cst.CSTNode, block: BasicBlock) -> BasicBlock | None:
        match node:
            case cst.SimpleStatementLine(body=body):
                return self.statements(body, block)
            case cst.If():
                return self.if_(node, block)
            case cst.While():
                return self.while_(node, block)
            case cst.For():
                return self.for_(node, block)
            case cst.Try() | cst.TryStar():
                return self.try_(node, block)
            case cst.With():
                return self.with_(node, list(node.items), block)
            case cst.Match():
                return self.match(node, block)
            case cst.Return():
                block.steps.append(Step(Action.RETURN, node))
                self.jump(0, block, self.returned)
                return None
            case cst.Raise():
                around = next((f.handler for f in reversed(self.frames) if f.handler is not None), None)
                block.steps.append(Step(Action.RAISE, node, around))
                return None
            case cst.Break() | cst.Continue():
                depth = next(
                    (i for i in reversed(range(len(self.frames))) if self.frames[i].loop_head is not None), None
                )
                if depth is None:
                    return None
                frame = self.frames[depth]
                target = frame.loop_end if isinstance(node, cst.Break) else frame.loop_head
                assert target is not None
                self.jump(depth + 1, block, target)
                return None
            case cst.Assert():
                return self.assertion(node, block)
        block.steps.append(Step(Action.RUN, node))
        return block

    def test(self, condition: cst.BaseExpression, block: BasicBlock) -> tuple[BasicBlock, BasicBlock]:
        """Decide a condition: the blocks that follow when it is true and when it is false."""
        match condition:
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                true, false = self.test(inner, block)
                return false, true
            case cst.BooleanOperation(left=left, operator=cst.And(), right=right):
                first, false = self.test(left, block)
                true, second_false = self.test(right, first)
                second_false.then = false
                return true, false
            case cst.BooleanOperation(left=left, operator=cst.Or(), right=right):
                true, rest = self.test(left, block)
                second_true, false = self.test(right, rest)
                second_true.then = true
                return true, false
        block.steps.append(Step(Action.TEST, condition))
        block.then, block.otherwise = self.block(), self.block()
        return block.then, block.otherwise

    def if_(self, node: cst.If, block: BasicBlock) -> BasicBlock | None:
        true, false = self.test(node.test, block)
        end: BasicBlock | None = false
        if isinstance(node.orelse, cst.If):
            end = self.if_(node.orelse, false)
        elif node.orelse is not None:
            end = self.suite(node.orelse.body, false)
        return self.after(self.suite(node.body, true), end)

    def assertion(self, node: cst.Assert, block: BasicBlock) -> BasicBlock:
        true, false = self.test(node.test, block)
        if node.msg is not None:
            false.steps.append(Step(Action.EVALUATE, node.msg))
        false.steps.append(Step(Action.RAISE, node))
        return true

    def while_(self, node: cst.While, block: BasicBlock) -> BasicBlock | None:
        head, end = self.block(), self.block()
        block.then = head
        if isinstance(node.test, (cst.Name, cst.Integer)) and node.test.value in ("True", "1"):
            true, false = head, None
        else:
            true, false = self.test(node.test, head)
        self.loop(node.body, true, head, end)
        return self.loop_end(node.orelse, false, end)

    def for_(self, node: cst.For, block: BasicBlock) -> BasicBlock | None:
        block.steps.append(Step(Action.ITERATE, node))
        head, end = self.block(), self.block()
        block.then = head
        head.steps.append(Step(Action.NEXT, node))
        head.then, head.otherwise = self.block(), self.block()
        self.loop(node.body, head.then, head, end)
        return self.loop_end(node.orelse, head.otherwise, end)

    def loop(self, body: cst.BaseSuite, block: BasicBlock, head: BasicBlock, end: BasicBlock) -> None:
        self.frames.append(_Frame(loop_head=head, loop_end=end))
        last = self.suite(body, block)
        if last is not None:
            last.then = head
        self.frames.pop()

    def loop_end(self, orelse: cst.Else | None, exhausted: BasicBlock | None, end: BasicBlock) -> BasicBlock | None:
        if orelse is not None and exhausted is not None:
            exhausted = self.suite(orelse.body, exhausted)
        if exhausted is not None:
            exhausted.then = end
        return end

    def match(self, node: cst.Match, block: BasicBlock) -> BasicBlock | None:
        block.steps.append(Step(Action.EVALUATE, node.subject))
        ends: list[BasicBlock | None] = []
        following = self.block()
        block.then = following
        for case in node.cases:
            following.steps.append(Step(Action.MATCH, case))
            following.then, following.otherwise = self.block(), self.block()
            matched, following = following.then, following.otherwise
            if case.guard is not None:
                matched, unmatched = self.test(case.guard, matched)
                unmatched.then = following
            ends.append(self.suite(case.body, matched))
        return self.after(*ends, following)

    # --- with and try ------------------------------------------------------------------------------------------------

    def with_(self, node: cst.With, items: list[cst.WithItem], block: BasicBlock) -> BasicBlock | None:
        if not items:
            return self.suite(node.body, block)
        item = items[0]
        block.steps.append(Step(Action.ENTER, item))
        failed = self.block()
        failed.steps.append(Step(Action.LEAVE_ERROR, item))
        failed.then, failed.otherwise = self.block(), self.block()
        failed.otherwise.steps.append(Step(Action.RESUME, item))
        self.frames.append(_Frame(error=failed, item=item))
        inside = self.block()
        block.then = inside
        last = self.with_(node, items[1:], inside)
        self.frames.pop()
        left = self.after(last)
        if left is not None:
            left.steps.append(Step(Action.LEAVE, item))
        return self.after(left, failed.then)

    def try_(self, node: cst.Try | cst.TryStar, block: BasicBlock) -> BasicBlock | None:
        if node.finalbody is None:
            return self.handlers(node, block)
        failed = self.block()
        failed.steps.append(Step(Action.SUSPEND, node.finalbody))
        self.frames.append(_Frame(error=failed, finally_=node.finalbody))
        inside = self.block()
        block.then = inside
        last = self.handlers(node, inside)
        self.frames.pop()
        self.frames.append(_Frame(handler=node.finalbody))
        resumed = self.suite(node.finalbody.body, failed)
        self.frames.pop()
        if resumed is not None:
            resumed.steps.append(Step(Action.RESUME, node.finalbody))
        return self.suite(node.finalbody.body, self.after(last))

    def handlers(self, node: cst.Try | cst.TryStar, block: BasicBlock) -> BasicBlock | None:
        if not node.handlers:
            return self.suite(node.body, block)
        dispatch = self.block()
        self.frames.append(_Frame(error=dispatch))
        inside = self.block()
        block.then = inside
        last = self.suite(node.body, inside)
        self.frames.pop()
        if node.orelse is not None:
            last = self.suite(node.orelse.body, self.after(last))
        ends = [last]
        for handler in node.handlers:
            dispatch.steps.append(Step(Action.HANDLE, handler))
            failed, following = self.block(), self.block()
            failed.steps.append(Step(Action.HANDLER_FAILED, handler))
            self.frames.append(_Frame(error=failed, handler=handler))
            dispatch.then, dispatch.otherwise = self.block(), following
            end = self.suite(handler.body, dispatch.then)
            self.frames.pop()
            if end is not None:
                end.steps.append(Step(Action.HANDLED, handler))
            ends.append(end)
            dispatch = dispatch.otherwise
        dispatch.steps.append(Step(Action.RESUME, node))
        return self.after(*ends)

    def jump(self, depth: int, block: BasicBlock, target: BasicBlock) -> None:
        """Leave all frames from `depth` inwards, running what each of them has to run, and go to `target`."""
        kept, was_returning = self.frames, self.is_returning
        self.is_returning = was_returning or target is self.returned
        current: BasicBlock | None = block
        for i in reversed(range(depth, len(kept))):
            frame = kept[i]
            self.frames = kept[:i]
            if frame.item is not None:
                current = self.after(current)
                if current is not None:
                    current.steps.append(Step(Action.LEAVE, frame.item))
            elif frame.finally_ is not None:
                current = self.suite(frame.finally_.body, self.after(current))
            elif frame.handler is not None and current is not None:
                current.steps.append(Step(Action.HANDLED, frame.handler))
            if current is None:
                break
        self.frames, self.is_returning = kept, was_returning
        if current is not None:
            current.then = target
