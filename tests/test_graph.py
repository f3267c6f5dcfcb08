"""The control-flow graph: which paths there are, told by the calls on each."""

from __future__ import annotations

import libcst as cst
import pytest

from lint_sessions.flow.graph import Action, BasicBlock, Graph, build


def graph(body: str) -> Graph:
    return build(cst.parse_module(body).body)


def paths(body: str, *, turns: int = 1) -> set[str]:
    """Every path from the entry that takes no block more than `turns` + 1 times: its names in order, and its exit.

    Each statement `x` in a body stands for something that may run or fail; `x!` is its failure.
    """
    made = graph(body)
    found: set[str] = set()

    def follow(block: BasicBlock, trail: tuple[str, ...], visits: dict[int, int]) -> None:
        if block is made.returned or block is made.raised:
            found.add(" ".join([*trail, "return" if block is made.returned else "raise"]))
            return
        if visits.get(id(block), 0) > turns:
            return
        visits = {**visits, id(block): visits.get(id(block), 0) + 1}
        for step in block.steps:
            if step.action in (Action.RAISE, Action.RESUME, Action.HANDLER_FAILED):
                assert block.error is not None
                follow(block.error, trail, visits)
                return
            if step.action is Action.RUN and block.error is not None:
                follow(block.error, (*trail, f"{label(step.node)}!"), visits)
            if step.action is Action.RETURN and block.error is not None:
                follow(block.error, trail, visits)
            if step.action in (Action.RUN, Action.LEAVE, Action.RETURN):
                trail = (*trail, label(step.node) if step.action is Action.RUN else step.action.value)
        for following in (block.then, block.otherwise):
            if following is not None:
                follow(following, trail, visits)

    follow(made.entry, (), {})
    return found


def label(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node).strip()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a\nb\n", {"a! raise", "a b! raise", "a b return"}),
        ("if t:\n    a\nelse:\n    b\n", {"a! raise", "a return", "b! raise", "b return"}),
        ("if t and u:\n    a\n", {"return", "a! raise", "a return"}),
        ("while True:\n    if t:\n        break\n", {"return"}),
        ("while True:\n    pass\n", {"pass! raise", "pass pass! raise"}),
        ("for x in y:\n    break\nelse:\n    a\n", {"return", "a! raise", "a return"}),
        ("try:\n    a\nexcept E:\n    b\n", {"a return", "a! b return", "a! b! raise", "a! raise"}),
        ("try:\n    a\nfinally:\n    b\n", {"a b return", "a b! raise", "a! b raise", "a! b! raise"}),
        ("try:\n    return\nfinally:\n    b\n", {"return b return", "return b! raise", "b raise", "b! raise"}),
        ("with m:\n    return\n", {"return leave return", "raise", "return"}),
        ("assert t\na\n", {"raise", "a! raise", "a return"}),
        (
            "match s:\n    case 1:\n        a\n    case _:\n        b\n",
            {"a! raise", "a return", "b! raise", "b return", "return"},
        ),
        ("raise E\na\n", {"raise"}),
    ],
    ids=lambda value: value.replace("\n", " ") if isinstance(value, str) else "",
)
def test_paths(body: str, expected: set[str]) -> None:
    found = paths(body)
    assert found == expected


def test_finally_is_followed_for_each_way_in() -> None:
    body = "for x in y:\n    try:\n        if t:\n            break\n        if u:\n            continue\n        a\n    finally:\n        b\n"
    found = paths(body, turns=0)
    assert {"b return", "a! b raise"} <= found
    assert not any(path.endswith("a return") for path in found), "no way out of the try goes past the finally"


def test_break_inside_with_leaves_it_first() -> None:
    assert "leave return" in paths("for x in y:\n    with m:\n        break\n", turns=0)


def test_bare_raise_knows_its_handler() -> None:
    made = graph("try:\n    a\nexcept E:\n    raise\n")
    pending, seen, handlers = [made.entry], set(), []
    while pending:
        block = pending.pop()
        if id(block) in seen:
            continue
        seen.add(id(block))
        handlers += [s.handler for s in block.steps if s.action is Action.RAISE]
        pending += [b for b in (block.then, block.otherwise, block.error) if b is not None]
    assert [type(h) for h in handlers] == [cst.ExceptHandler]


def test_deep_nesting_of_finally_stays_small() -> None:
    """Each way in has its own copy of a finally body, but a copy is made once for each way, not once for each path."""
    body = ""
    for depth in range(8):
        body += "    " * depth + "try:\n"
    body += "    " * 8 + "a\n"
    for depth in reversed(range(8)):
        body += "    " * depth + "finally:\n" + "    " * (depth + 1) + f"f{depth}\n"
    assert len(paths(body)) < 600
