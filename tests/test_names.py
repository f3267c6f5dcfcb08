"""Bindings: which statement binds which name to what."""

from __future__ import annotations

import libcst as cst
import pytest

from lint_sessions.project.names import Kind, bindings, dotted, walk, walk_scope


def bound(source: str) -> list[tuple[str, str]]:
    return [(b.name, b.kind.value) for statement in cst.parse_module(source).body for b in bindings(statement)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b", [("a", "import")]),
        ("import a.b as c", [("c", "import")]),
        ("from . import a, b as c", [("a", "import"), ("c", "import")]),
        ("from ..x import *", [("*", "import")]),
        ("a = b = 1", [("a", "value"), ("b", "value")]),
        ("a, (b, *c) = f()", [("a", "value"), ("b", "value"), ("c", "other")]),
        ("a: int", [("a", "declared")]),
        ("a: int = 1", [("a", "value")]),
        ("a += 1", [("a", "other")]),
        ("for a, b in c: pass", [("a", "item"), ("b", "item")]),
        ("with a as b, c as (d, e): pass", [("b", "entered"), ("d", "entered"), ("e", "entered")]),
        ("if (a := 1): b = 2", [("a", "value"), ("b", "value")]),
        ("try: pass\nexcept E as e: pass", [("e", "other")]),
        ("match s:\n    case [a, *b] as c: pass", [("a", "other"), ("b", "other"), ("c", "other")]),
        ("a.b = c[0] = 1", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bindings(source: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(bound(source)) == sorted(expected)


def test_function_scope() -> None:
    (node,) = cst.parse_module("def f(a, *b, c=1, **d):\n    e = 1\n    def g(h): i = 1\n    lambda j: j\n").body
    assert [b.name for b in bindings(node)] == ["a", "b", "c", "d", "e", "g"]
    assert {b.kind for b in bindings(node)} == {Kind.PARAMETER, Kind.VALUE, Kind.FUNCTION}


def test_unpacked_index() -> None:
    (statement,) = cst.parse_module("a, (b, c) = f()").body
    assert {b.name: b.index for b in bindings(statement)} == {"a": (0,), "b": (1, 0), "c": (1, 1)}


@pytest.mark.parametrize(
    ("source", "name"),
    [("a", "a"), ("a.b.c", "a.b.c"), ("a().b", None), ("(a or b).c", None), ("a[0].b", None), ("'s'.join", None)],
)
def test_dotted_never_guesses(source: str, name: str | None) -> None:
    assert dotted(cst.parse_expression(source)) == name


def test_walk_meets_expressions_in_order_and_no_labels() -> None:
    (statement,) = cst.parse_module("x = f(a, key=b.attr)[c]\n").body
    assert [n.value for n in walk(statement) if isinstance(n, cst.Name)] == ["f", "a", "b", "c", "x"]


def test_walk_scope_stays_in_its_scope() -> None:
    (node,) = cst.parse_module("def f():\n    @d\n    def g(x=e):\n        yield 1\n    lambda: (yield)\n    y\n").body
    assert isinstance(node, cst.FunctionDef)
    assert {n.value for n in walk_scope(node) if isinstance(n, cst.Name)} >= {"d", "e", "y"}
