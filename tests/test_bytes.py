"""Fixes through the whole command, on files of all shapes: every byte outside the edits stays, and the result is Python."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from lint_sessions import cli

LEAK = """\
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def load():
    db = SessionLocal()  # opened: \xe9
    rows = db.query(1).all()
    db.close()
    return rows


def get_db():
    db = SessionLocal()
    yield db
    db.close()
"""
FIXED = """\
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def load():
    with SessionLocal() as db:  # opened: \xe9
        rows = db.query(1).all()
    return rows


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fix(data: bytes, *options: str) -> bytes:
    file = Path("app.py")
    file.write_bytes(data)
    status = cli.main(["check", "--fix", "--unsafe-fixes", "--isolated", "--quiet", *options, str(file)])
    assert status in (0, 1)
    return file.read_bytes()


def mixed(text: str) -> bytes:
    ends = (b"\n", b"\r\n", b"\r", b"\r\n")
    return b"".join(line.encode() + ends[i % 4] for i, line in enumerate(text.splitlines()))


def utf8(text: str) -> bytes:
    return text.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(utf8(LEAK), utf8(FIXED), id="plain"),
        pytest.param(utf8(LEAK.replace("    ", "\t")), utf8(FIXED.replace("    ", "\t")), id="tabs"),
        pytest.param(utf8(LEAK.replace("    ", " ")), utf8(FIXED.replace("    ", " ")), id="one blank"),
        pytest.param(utf8(LEAK.replace("\n", "\r\n")), utf8(FIXED.replace("\n", "\r\n")), id="CRLF"),
        pytest.param(utf8(LEAK.replace("\n", "\r")), utf8(FIXED.replace("\n", "\r")), id="CR"),
        pytest.param(utf8(LEAK.rstrip("\n")), utf8(FIXED.rstrip("\n")), id="no newline at the end"),
        pytest.param(codecs.BOM_UTF8 + utf8(LEAK), codecs.BOM_UTF8 + utf8(FIXED), id="BOM"),
        pytest.param(
            ("# coding: latin-1\n" + LEAK).encode("latin-1"), ("# coding: latin-1\n" + FIXED).encode("latin-1"), id="latin-1"
        ),
        pytest.param(utf8("\f\n" + LEAK + "\f\n\f"), utf8("\f\n" + FIXED + "\f\n\f"), id="form feeds"),
        pytest.param(utf8("# fmt: off\n" + LEAK + "# fmt: on\n"), utf8("# fmt: off\n" + FIXED + "# fmt: on\n"), id="fmt"),
        pytest.param(utf8(LEAK + "\n\n\n  \n\t\n"), utf8(FIXED + "\n\n\n  \n\t\n"), id="blank rows at the end"),
        pytest.param(utf8("x = '\u2028\x0b\x1c\x85'\n" + LEAK), utf8("x = '\u2028\x0b\x1c\x85'\n" + FIXED), id="what is no newline to Python"),
    ],
)  # fmt: skip
def test_the_file_keeps_its_shape(before: bytes, after: bytes) -> None:
    assert fix(before) == after
    assert fix(after) == after


def test_mixed_newlines_stay() -> None:
    """Rows that are not new keep their own end."""
    before = mixed(LEAK)
    after = fix(before)
    assert after.decode().splitlines() == FIXED.splitlines()
    changed = (b"db = ", b"rows", b"yield", b"db.close()", b"try:", b"finally:")
    kept = [line for line in before.splitlines(keepends=True) if not line.strip().startswith(changed)]
    assert [line for line in after.splitlines(keepends=True) if line in kept] == kept


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_what_is_no_python_is_left_alone(encoding: str) -> None:
    data = LEAK.encode(encoding)
    Path("app.py").write_bytes(data)
    assert cli.main(["check", "--fix", "--quiet", "app.py"]) == 2
    assert Path("app.py").read_bytes() == data


START = "from sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker()\n\n\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "def load():\n    db = SessionLocal()\n    rows = db.query('''a\n  b\n''').all()\n    db.close()\n    return rows\n",
            "def load():\n    with SessionLocal() as db:\n        rows = db.query('''a\n  b\n''').all()\n    return rows\n",
            id="a string of rows",
        ),
        pytest.param(
            "def load(n):\n    db = SessionLocal()\n    rows = db.query(f'''a {n\n} b\n    c''').all()\n    db.close()\n    return rows\n",
            "def load(n):\n    with SessionLocal() as db:\n        rows = db.query(f'''a {n\n} b\n    c''').all()\n    return rows\n",
            id="an f-string of rows",
        ),
        pytest.param(
            "def load(n):\n    db = SessionLocal()\n    rows = db.query('a \\\n  b').all()\n    db.close()\n    return rows\n",
            "def load(n):\n    with SessionLocal() as db:\n        rows = db.query('a \\\n  b').all()\n    return rows\n",
            id="a continued string",
        ),
        pytest.param(
            "def load(n):\n    db = SessionLocal()\n    rows = db \\\n  .query(n) \\\n.all()\n    db.close()\n    return rows\n",
            "def load(n):\n    with SessionLocal() as db:\n        rows = db \\\n      .query(n) \\\n    .all()\n    return rows\n",
            id="a continued row",
        ),
        pytest.param(
            "def load(n):\n    db = SessionLocal()\n    rows = db.query(\nn\n).all()\n    # of them all\n\n    db.close()\n    return rows\n",
            "def load(n):\n    with SessionLocal() as db:\n        rows = db.query(\n    n\n    ).all()\n    # of them all\n\n    return rows\n",
            id="brackets and comments",
        ),
        pytest.param(
            "def load(n):\n    db = SessionLocal()  # type: ignore[misc]\n    rows = db.query(n).all()  # type: list[int]\n    db.close()\n    return rows\n",
            "def load(n):\n    with SessionLocal() as db:  # type: ignore[misc]\n        rows = db.query(n).all()  # type: list[int]\n    return rows\n",
            id="type comments",
        ),
        pytest.param(
            "def outer():\n    @wraps\n    def load(n):\n        db = SessionLocal()\n        rows = db.query(n).all()\n        db.close()\n        return rows\n\n    return load\n",
            "def outer():\n    @wraps\n    def load(n):\n        with SessionLocal() as db:\n            rows = db.query(n).all()\n        return rows\n\n    return load\n",
            id="nested, decorated",
        ),
        pytest.param(
            "def load(n):\n    db = SessionLocal()\n    @wraps\n    def one(x):\n        '''Doc\n        of it.'''\n        return db.get(x, 1)\n    rows = [one(n)]\n    db.close()\n    return rows\n",
            None,
            id="a function within",
        ),
    ],
)  # fmt: skip
def test_bodies_that_are_indented(before: str, after: str | None) -> None:
    result = fix((START + before).encode(), "--select", "LS301").decode()
    compile(result, "<fixed>", "exec")
    if after is not None:
        assert result == START + after


def test_the_configuration_says_what_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    """LS402's fix is unsafe, LS101's is safe."""
    source = LEAK.replace("é", "e") + "\n\ndef store(x):\n    with SessionLocal() as db:\n        db.add(x)\n"
    stored = source + "        db.commit()\n"
    closed = source.replace(
        "    yield db\n    db.close()", "    try:\n        yield db\n    finally:\n        db.close()"
    )
    for table, expected in (
        ("select = ['LS402']", source),
        ("select = ['LS402']\nextend-safe-fixes = ['LS4']", stored),
        ("select = ['LS101']", closed),
        ("select = ['LS101']\nextend-unsafe-fixes = ['yield-without-finally']", source),
    ):
        Path("lint-sessions.toml").write_text(table, "utf-8")
        Path("app.py").write_text(source, "utf-8")
        cli.main(["check", "--fix", "app.py"])
        assert Path("app.py").read_text("utf-8") == expected
    assert "(1 fixable with --fix --unsafe-fixes)" in capsys.readouterr().out


ONE_ROW = [
    "def load(x):\n    db = SessionLocal(); db.add(x); db.commit(); db.close()\n",
    "def load(x):\n    db = SessionLocal(); db.add(x)\n    db.commit()\n    db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    db.add(x); db.commit(); db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    db.add(x)\n    db.commit(); db.close()\n    return x\n",
    "def load(x):\n    db = SessionLocal();\n    db.add(x);\n    db.commit();\n    db.close();\n",
    "def load(x):\n    x += 1; db = SessionLocal()\n    db.add(x)\n    db.commit()\n    db.close()\n",
    "def load(x): db = SessionLocal(); db.add(x); db.commit(); db.close()\n",
    "def load(x):\n    if x: db = SessionLocal(); db.add(x); db.commit(); db.close()\n",
    "def load(x):\n    if x: db = SessionLocal()\n    else: db = SessionLocal()\n    db.add(x)\n    db.commit()\n    db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    if x: db.add(x)\n    else: db.close()\n    db.commit()\n    db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    for y in x: db.add(y); db.commit()\n    db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    try: db.add(x); db.commit()\n    except ValueError: pass\n    db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    with x: db.add(x); db.commit()\n    db.close()\n",
    "def load(x):\n    db = \\\n        SessionLocal()\n    db.add(x)\n    db.commit()\n    db.close()\n",
    "def load(x):\n    db = (\n        SessionLocal()\n    )\n    db.add(x)\n    db.commit()\n    db.close()\n",
    "def load(x):\n    db = SessionLocal(\n        # a comment\n    )\n    db.add(x)\n    db.commit()\n    db.close()\n",
    "def load(x):\n    db = SessionLocal() \\\n\n    db.add(x)\n    db.commit()\n    db.close()\n",
    "def get_db():\n    db = SessionLocal(); yield db; db.close()\n",
    "def get_db():\n    db = SessionLocal()\n    yield db; db.close()\n",
    "def get_db(): db = SessionLocal(); yield db; db.close()\n",
    "def get_db():\n    db = SessionLocal(); yield db\n    db.close()\n",
    "def get_db():\n    db = SessionLocal()\n    try: yield db\n    except ValueError: db.rollback()\n    db.close()\n",
    "def get_db():\n    db = SessionLocal()\n    try: yield db; db.commit()\n    finally: db.commit(); db.close()\n",
    "def get_db():\n    db = SessionLocal()\n    try:\n        yield db\n    except Exception: pass\n    finally: db.close()\n",
    "def get_db():\n    db = SessionLocal()\n    try:\n        yield db; db.commit()\n    except Exception: db.rollback(); pass\n    finally: db.close()\n",
    "def get_db():\n    try:\n        db = SessionLocal(); yield db\n    finally: db.close()\n",
    "def get_db():\n    try: db = SessionLocal(); yield db\n    finally: db.close()\n",
    "def get_db(): return SessionLocal()\nfrom fastapi import Depends\ndef route(db=Depends(get_db)): db.query(1)\n",
    "def get_db():\n    x = 1; return SessionLocal()\nfrom fastapi import Depends\ndef route(db=Depends(get_db)): db.query(1)\n",
    "def get_db():\n    db = SessionLocal(); return db\nfrom fastapi import Depends\ndef route(db=Depends(get_db)): db.query(1)\n",
    "def get_db():\n    if 1: return SessionLocal()\nfrom fastapi import Depends\ndef route(db=Depends(get_db)): db.query(1)\n",
    "from contextlib import contextmanager\nfrom fastapi import Depends\n@contextmanager\ndef get_db():\n    with SessionLocal() as db: yield db\ndef route(db=Depends(get_db)): db.query(1)\n",
    "def save(db, x):\n    try: db.add(x); db.commit()\n    except Exception: print(x)\n    db.add(x); db.commit()\ndef load(x):\n    with SessionLocal() as db: save(db, x)\n",
    "def load(x):\n    with SessionLocal() as db: db.add(x)\n",
    "def load(x):\n    with SessionLocal() as db: db.add(x); return x\n",
    "def load(x):\n    with SessionLocal() as db:\n        db.add(x); return x\n",
    "def load(x):\n    with SessionLocal() as db: db.add(x); db.refresh(x); db.commit()\n",
    "def load(x):\n    db = SessionLocal()\n    db.add(x); db.commit()\n    db.close; return x\n",
    "def load(x):\n    db = SessionLocal()\n    '''a\nstring'''; db.add(x)\n    db.commit()\n    db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    db.add(x)\n    db.commit(); x = '''a\nstring'''\n    db.close()\n",
    "def load(x):\n    db = SessionLocal()\n    db.add('''a\n'''); db.commit(); '''\n    b\n'''; db.close(); '''c\n'''\n    return x\n",
    "def load(x):\n    x = '''a\n    '''; db = SessionLocal()\n    db.add(x)\n    db.commit()\n    db.close()\n",
    "class A:\n  def load(self, x):\n       db = SessionLocal()\n       db.add(x)\n       if x:\n          db.commit()\n       db.close()\n",
    "def load(x):\n\tdb = SessionLocal()\n\tif x:\n\t    db.add(x)\n\tdb.commit()\n\tdb.close()\n",
    "def load(x):\n    db = SessionLocal()\n\n\f\n    db.add(x)\n\f    db.commit()\n    db.close()\n",
]  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("text", ONE_ROW, ids=range(len(ONE_ROW)))
def test_statements_on_one_row(text: str, ends: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is done with them: what was said stays said, in the same order, and no fix of ours does harm."""
    source = (START + text).replace("\n", ends)
    result = fix(source.encode()).decode()
    assert capsys.readouterr().err == ""
    compile(result, "<fixed>", "exec")
    assert not result.replace(ends, "").strip("\n") or "\r" not in result.replace(ends, "")
    assert "\n" not in result.replace(ends, "")
    for piece in ("'''a", "string'''", "'''c", "# a comment"):
        assert result.count(piece) == source.count(piece)
