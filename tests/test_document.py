"""One file: its bytes and text, the statements cut from it, and where their nodes stand."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Sequence
from pathlib import Path

import libcst as cst
import pytest
from cut_trees import differing

from lint_sessions.finding import Position
from lint_sessions.source.cut import cut
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
    b"\\\n",
    b"\\\n# x",
    b"\\",
    b"# \xe4\n# coding: latin-1\n",
    b"# vim: set fileencoding=latin-1-unix :\nx = '\xe4'\n",
    b"x = 'coding: klingon'\n",
    b"x = 1\n# coding: klingon\n",
    b"x = 1\r\r\n\ry = 2\r",
]


@pytest.mark.parametrize("data", ODD)
def test_bytes_survive(data: bytes) -> None:
    read = document(data)
    assert read.encode(read.text) == data
    assert read.encode(read.text + "# more\n").endswith(b"# more\n")
    for block in read.blocks:
        assert read.text[block.start : block.end].strip() == read.text[block.start : block.end]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x = '\xff'\n", "not valid utf-8"),
        (b"# coding: klingon\n", "unknown encoding: klingon"),
        (b"# coding: rot13\n", "can't be decoded"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "byte order mark"),
        (b"x = 1\r\n\ry = '\xff'\n", "row 3 "),
        (b"x = 1\0\n", "NUL"),
        (b"\xff\xfex\0", "NUL bytes.*; save it as UTF-8"),
    ],
)
def test_undecodable(data: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        document(data)


def test_what_the_encoding_lacks_is_not_written() -> None:
    with pytest.raises(SourceError, match="'→' can't be written in iso8859-1"):
        document(b"# coding: latin-1\n").encode("# coding: latin-1\n# →\n")


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
    ("text", "problem"),
    [
        ("x = (1,\n\n", "1:5: `(` is never closed"),
        ("def f(x)\n    pass\n", "1:9: invalid syntax at the end of the line, expected -> or :"),
        ("class A:\n\nx = 1\n", "3:1: invalid syntax, expected an indented block"),
        ("x = 1\n    y = 2\n", "2:5: unexpected indentation"),
        ("é\nç = 'é' é é\n", "2:9: invalid syntax at `é`"),
        ("x = 1\n\fy = 1 1\n", "2:8: invalid syntax at `1`"),
        ("a\rb\r\nc c\r", "3:3: invalid syntax at `c`"),
        ("x = [\n  1,\n  2 3,\n]\n", "3:5: invalid syntax at `3`"),
        ("s = '''a\nb'''\nt = '''c\n", "3:5: unterminated triple-quoted string literal"),
        ("a = 1\nb = 2)\n", "2:6: unmatched ')'"),
        ("if x:\n    y\n  z\n", "3:3: no matching outer block for dedent"),
        ("a = 1\nb = $\n", "2:5: '$' is not a valid character in this position"),
        ("a = 1\nb = '' b''\n", "2:1: invalid syntax: Cannot concatenate string and bytes."),
    ],
)
def test_a_syntax_problem_stands_at_the_word_that_is_wrong(text: str, problem: str) -> None:
    for _ in range(2):
        with pytest.raises(SyntaxProblem) as caught:
            _ = document(text).module
        assert str(caught.value) == problem
    with pytest.raises(SyntaxProblem) as caught:
        _ = [block.node for block in document(text).blocks]
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "text",
    ["x = t'{a}'\n", "type A = int\n", "try:\n    pass\nexcept A, B:\n    pass\n", "def f[T](x: T) -> T: ...\n"],
)
def test_newest_syntax_whatever_python_runs(text: str) -> None:
    assert document(text).module is not None
    assert document(text).blocks[0].node is not None


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 1000 + ")" * 1000,
        "x = " + "-" * 20_000 + "1",
        "x = a" + ".b" * 50_000,
        "x = " + "[" * 5_000,
        "x = a" + ".b(1, 2)" * 20_000,
        "x = " + "lambda a, b: " * 20_000 + "1",
        "x = " + "a if b else " * 20_000 + "c",
        "x = (" + "'a' " * 20_000 + ")",
        "x = f'{" + "-" * 20_000 + "1}'",
        "x = " + "f'{" * 20_000,
        "if a: pass\n" + "elif a: pass\n" * 20_000,
    ],
    ids=[
        *("parentheses", "minus", "attributes", "open", "calls", "lambdas", "choices", "strings", "field", "fields"),
        "elif",
    ],
)
def test_deep_nesting_is_a_problem_and_no_crash(text: str) -> None:
    with pytest.raises(SyntaxProblem, match="deep"):
        _ = document(text).module


def test_a_long_sum_is_parsed() -> None:
    read = document("x = " + " + ".join(["1"] * 900))
    assert read.module is not None
    assert read.blocks[0].span(read.blocks[0].node) == (Position(1, 1), Position(1, 3602))


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


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    x = 1\n  \f    y = z\n",
        "class A:\n\tx = 1\n\f\ty = z\n",
        "class A: x = 1; y = z\n",
        "class A: \\\n    y = z\n",
        "class A:\n    @d\n    # c\n    def f(self):\n        return z\n",
        "try:\n    pass\nexcept E\\\n: z\n",
        "x = \\\n\\\n  z\n",
        "x = [\r\n1,\r2,\nz]",
        "\\\nx = z",
    ],
)
def test_a_name_is_found_where_it_is_written(text: str) -> None:
    read = document(text)
    block = read.blocks[0].children[-1] if read.blocks[0].kind == "class" else read.blocks[0]
    pending: list[cst.CSTNode] = [block.node]
    found = []
    while pending:
        node = pending.pop()
        pending += node.children
        if isinstance(node, cst.Name) and node.value == "z":
            start, end = block.span(node)
            found.append(read.text[read.offset(start) : read.offset(end)])
    assert found == ["z"]


def test_offsets_and_positions() -> None:
    read = document("ab\r\ncd\ref\n")
    assert [read.offset(Position(row, 1)) for row in (1, 2, 3)] == [0, 4, 7]
    assert read.position(8) == Position(3, 2)


@pytest.mark.parametrize(
    "statement",
    [
        """x = f"{a["b"]}" + f'{"'"}' """,
        """x = f'''{
b["'''"]:
{c}}''' """,
        """x = rf'\\{a:{b}>{c["d"]!r}}' f"{{" """,
        """x = f'{a:'>10}' if'"'else t"{'}'}" """,
        """x = f'\\N{QUOTATION MARK}{f"{f'{1}'}"}' """,
        """x = b'\\'' '' u"#" R'''\\'''''' """,
        """x = [ # ( ' \n'"', {1: "]"}]""",
    ],
)
def test_strings_end_where_they_end(statement: str) -> None:
    text = f"{statement.strip()}\ndef f(): pass\n"
    assert [(text[p.start : p.end], p.name) for p in cut(text)] == [(statement.strip(), None), ("def f(): pass", "f")]


def test_cutting_needs_no_parser() -> None:
    code = (
        "import sys; from pathlib import Path; from lint_sessions.source.document import Document;"
        "from lint_sessions.source import files, suppress;"
        "read = Document.from_bytes(Path('x.py'), b'class A:\\n    x = 1');"
        "read.blocks[0].children; suppress.Suppressions.of(read); assert 'libcst' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_no_text_is_refused() -> None:
    """Blocks are in order, apart and not empty, whatever they are cut from."""
    parts = (
        *("x", "\n", "\n  ", "\n\t", " ", "(", ")", "[", "]", "{", "}", ":", ";", "'", '"', "'''", '"""', "f'"),
        *('f"""', "\\", "\\\n", "#", "\r\n", "\r", "\f", "def f():", "class A:", "@d", "\n@d\n", "else:", "{{", "é"),
    )
    dice = random.Random(1)
    for _ in range(3000):
        read = document("".join(dice.choices(parts, k=dice.randint(1, 30))))
        for blocks in (read.blocks, *(block.children for block in read.blocks)):
            ends = [0, *(block.end for block in blocks)]
            assert all(end <= block.start < block.end for end, block in zip(ends, blocks, strict=False))


def test_the_cut_agrees_with_ast_on_the_standard_library() -> None:
    """A sample, seeded; `benchmarks/cut_trees.py` takes the whole of it, and what is installed."""
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
        assert list(differing(read, read.blocks, tree.body)) == [], path
        checked += 1
    assert checked > 100


def test_blocks_alone_and_in_the_file_have_the_same_places() -> None:
    """Every node of every block, on a sample of the standard library."""
    files = sorted(Path(sysconfig.get_path("stdlib"), "json").glob("*.py"))
    for path in [*files, Path(__file__)]:
        read = Document.read(path)
        check_places(read, read.blocks, read.module.body)


def check_places(read: Document, blocks: tuple[Block, ...], body: Sequence[cst.CSTNode]) -> None:
    assert len(blocks) == len(body)
    for block, node in zip(blocks, body, strict=True):
        pending: list[tuple[cst.CSTNode, cst.CSTNode]] = [(block.node, node)]
        while pending:
            alone, whole = pending.pop()
            assert type(alone) is type(whole)
            assert block.span(alone) == tuple(read.position(offset) for offset in read.tree.places.span(whole))
            pending += zip(parts_of(alone), parts_of(whole), strict=True)
        if isinstance(node, cst.ClassDef):
            check_places(read, block.children, node.body.body)


def parts_of(node: cst.CSTNode) -> list[cst.CSTNode]:
    """Without white space, of which there is more in a file than in its blocks."""
    blank = (cst.EmptyLine, cst.TrailingWhitespace, cst.BaseParenthesizableWhitespace)
    return [part for part in node.children if not isinstance(part, blank)]
