"""One file: its bytes and text, the statements cut from it, and where their nodes stand."""

from __future__ import annotations

import ast
import random
import sys
import sysconfig
import warnings
from pathlib import Path

import libcst as cst
import pytest

from lint_sessions.rule import Position
from lint_sessions.source.document import Block, Document, SourceError, SyntaxProblem


def document(text: str | bytes) -> Document:
    return Document.from_bytes(Path("x.py"), text.encode() if isinstance(text, str) else text)


ODD = [
    b"",
    b"# only a comment",
    b"x = 1",
    b"x = 1\r\ny = 2\r\n",
    b"x = 1\r\ny = 2\n",
    b"class A:\n\tx = 1\n\tdef f(self):\n\t\treturn 1\n",
    b"\xef\xbb\xbfx = '\xc3\xa4'\n",
    b"# -*- coding: latin-1 -*-\nx = '\xe4'\n",
    b"x = 1\n\x0c\ny = 2\n",
    b"x = 1 + \\\n    2\n",
    b"x = 1; y = 2\nif x: y = 3; z = 4\n",
    b"class A: pass\nclass B: x = 1; y = 2\ndef f(): return 1\n",
    b"x = '''\ndef no(): pass\n'''\n",
]


@pytest.mark.parametrize("data", ODD)
def test_bytes_survive(data: bytes) -> None:
    read = document(data)
    assert read.encode(read.text) == data
    assert read.encode(read.text + "# more\n").endswith(b"# more\n")
    assert cst.parse_module(read.text).code == read.module.code
    for block in read.blocks:
        assert read.text[block.start : block.end].strip() == read.text[block.start : block.end]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x = '\xff'\n", "not valid utf-8"),
        (b"# coding: klingon\n", "unknown encoding"),
        (b"x = 1\0\n", "NUL"),
    ],
)
def test_undecodable(data: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        document(data)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        Document.read(tmp_path / "none.py")
    with pytest.raises(SourceError, match="folder"):
        Document.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("x = (\n", (1, 5)),
        ("def f(:\n    pass\n", (1, 7)),
        ("x = 1\ny = = 2\n", (2, 5)),
        ("class A:\n    def f(self):\n        return 1 +\n", (3, 19)),
    ],
)
def test_syntax_problem_has_its_place(text: str, place: tuple[int, int]) -> None:
    read = document(text)
    with pytest.raises(SyntaxProblem) as caught:
        _ = read.module
    assert (caught.value.row, abs(caught.value.column - place[1]) <= 1) == (place[0], True)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["x = t'{a}'\n", "type A = int\n", "try:\n    pass\nexcept A, B:\n    pass\n", "def f[T](x: T) -> T: ...\n"],
)
def test_newest_syntax_whatever_python_runs(text: str) -> None:
    assert document(text).module is not None
    assert document(text).blocks[0].node is not None


@pytest.mark.parametrize(
    "text",
    ["x = " + "(" * 1000 + ")" * 1000, "x = " + "-" * 20_000 + "1", "x = a" + ".b" * 50_000, "x = " + "[" * 5_000],
    ids=["parentheses", "minus", "attributes", "open"],
)
def test_deep_nesting_is_a_problem_and_no_crash(text: str) -> None:
    with pytest.raises(SyntaxProblem, match="deep"):
        _ = document(text).module


def test_a_long_sum_is_parsed() -> None:
    assert document("x = " + " + ".join(["1"] * 900)).module is not None


def names(blocks: tuple[Block, ...]) -> list[object]:
    return [[b.name, *names(b.children)] if b.kind == "class" else b.name or b.kind for b in blocks]


def test_blocks() -> None:
    text = '''"""Doc."""
import a
@deco(
    1,
)
class A(B):
    """Doc."""
    x = {
        1: 2}

    @property
    async def f(self):
        if x:
            pass
    # a comment that belongs to nothing
        else:
            pass
    class C:
        def g(self): return 1

async def h(): pass
if a:
    def i(): pass
else:
    pass
try:
    pass
except E:
    pass
finally:
    pass
'''
    read = document(text)
    found = names(read.blocks)
    assert found == [
        "statement",
        "statement",
        ["A", "statement", "statement", "f", ["C", "g"]],
        "h",
        "statement",
        "statement",
    ]


def test_a_method_stands_where_it_stands_in_the_file() -> None:
    read = document("x = 1\n\n\nclass A:\n    y = 1\n\n    def f(self):\n        return self.z\n")
    method = read.blocks[1].children[1]
    assert isinstance(method.node, cst.FunctionDef)
    returned = method.node.body.body[0]
    assert method.span(method.node)[0] == Position(7, 5)
    assert method.span(returned) == (Position(8, 9), Position(8, 22))
    with pytest.raises(KeyError):
        method.span(cst.Pass())


def test_a_byte_order_mark_and_a_form_feed_shift_nothing() -> None:
    read = document(b"\xef\xbb\xbfx = 1\n\x0c\ndef f():\n    return 1\n")
    block = read.blocks[1]
    assert block.span(block.node)[0] == Position(3, 1)


def test_offsets_and_positions() -> None:
    read = document("ab\r\ncd\ref\n")
    assert [read.offset(Position(row, 1)) for row in (1, 2, 3)] == [0, 4, 7]
    assert read.position(8) == Position(3, 2)


def rows_cut(read: Document, blocks: tuple[Block, ...]) -> list[tuple[int, int]]:
    return [(read.row(block.start), read.row(max(block.end - 1, block.start))) for block in blocks]


def rows_wanted(body: list[ast.stmt]) -> list[tuple[int, int]]:
    """The rows of each statement, decorators included; what shares a row by `;` is one."""
    found: list[tuple[int, int]] = []
    for statement in body:
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        start = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        end = statement.end_lineno or start
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def check_cut(read: Document, blocks: tuple[Block, ...], body: list[ast.stmt]) -> None:
    assert rows_cut(read, blocks) == rows_wanted(body)
    classes = [statement for statement in body if isinstance(statement, ast.ClassDef)]
    cut = [block for block in blocks if block.kind == "class"]
    assert [block.name for block in cut] == [node.name for node in classes]
    for block, node in zip(cut, classes, strict=True):
        check_cut(read, block.children, node.body)


def test_the_cut_agrees_with_ast_on_the_standard_library() -> None:
    """A sample, seeded; the whole of it and of what is installed was compared by hand, as docs/architecture.md says."""
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(p for p in library.rglob("*.py") if "site-packages" not in p.parts and "lib2to3" not in p.parts)
    checked = 0
    for path in random.Random(sys.version_info.minor).sample(files, 200):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read = Document.read(path)
                tree = ast.parse(read.data)
            except (SourceError, SyntaxError, ValueError):
                continue
        check_cut(read, read.blocks, tree.body)
        checked += 1
    assert checked > 100
