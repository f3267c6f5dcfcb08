"""Every exit of a function: which sessions are left open, which are poisoned, and on which path."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import PRELUDE, SmallProject

from lint_sessions.flow.lifecycle import Exit, Lifecycle

HELPERS = """
def work(*args): ...
def use(db): db.execute(select(1))
def finish(db): db.close()
def make(): return SessionLocal()
def borrow(db): return db
def undo(db): db.rollback()
def save(db):
    db.add(object())
    db.commit()

class Repo:
    def __init__(self, db): self.db = db
    def get(self): return self.db.get(object, 1)
    def stop(self): self.db.close()

class Unit:
    def __init__(self, db): self.db = db
    def __enter__(self): return self
    def __exit__(self, *error): self.db.close()
"""


def runs(tmp_path: Path, body: str, head: str = "def f(a, b):") -> Lifecycle:
    text = PRELUDE + HELPERS + head + "\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    return SmallProject(tmp_path, {"main.py": text}).runs("f")


LEAKS = [
    ("db = SessionLocal()\ndb.execute(a)", Exit.END),
    ("SessionLocal().execute(a)", Exit.OVERWRITTEN),
    ("db = SessionLocal()\ndb.execute(a)\ndb.close()", Exit.DATABASE),
    ("db = SessionLocal()\ndb.query(a).all()\nif a:\n    return 1\ndb.close()", Exit.RETURN),
    ("db = SessionLocal()\ndb.query(a).all()\nif a:\n    raise KeyError\ndb.close()", Exit.RAISE),
    ("db = SessionLocal()\ntry:\n    db.execute(a)\nexcept ValueError:\n    db.close()\ndb.close()", Exit.DATABASE),
    ("db = SessionLocal()\ndb.execute(a)\ndb = None", Exit.OVERWRITTEN),
    ("db = SessionLocal()\ndb.execute(a)\ndel db", Exit.OVERWRITTEN),
    ("for x in a:\n    db = SessionLocal()\n    db.execute(x)\ndb.close()", Exit.OVERWRITTEN),
    ("while a:\n    db = SessionLocal()\n    db.execute(a)\n    if b:\n        continue\n    db.close()", Exit.END),
    ("db = SessionLocal()\ndb.execute(a)\ndb.close", Exit.END),
    ("db = SessionLocal()\ndb.add(a)\ndb.flush()", Exit.END),
    ("db = SessionLocal()\ndb.add(a)\ndb.commit()", Exit.DATABASE),
    ("db = SessionLocal()\ndb.add(a)\ndb.commit()\ndb.refresh(a)", Exit.END),
    ("x = object()\ndb = SessionLocal()\ndb.add(x)\ndb.commit()\nreturn x.id", Exit.RETURN),
    ("db = SessionLocal()\nuse(db)\ndb.close()", Exit.DATABASE),
    ("db = make()\nuse(db)", Exit.END),
    ("db = borrow(SessionLocal())\nuse(db)", Exit.END),
    ("repo = Repo(SessionLocal())\nrepo.get()", Exit.END),
    ("db = SessionLocal()\nx = db.query(a).first()\ny = x.name\ndb.close()", Exit.DATABASE),
    ("a = b = SessionLocal()\na.execute(1)\na = None\nb = None", Exit.OVERWRITTEN),
    ("if a:\n    db = SessionLocal()\nelse:\n    db = b\ndb.execute(a)", Exit.END),
    ("db = SessionLocal()\ntry:\n    use(db)\nfinally:\n    db.commit()\n    db.close()", Exit.DATABASE),
    ("db = scoped_session(SessionLocal)()\ndb.execute(a)\nif a:\n    db.close()", Exit.END),
]


@pytest.mark.parametrize(("body", "how"), LEAKS, ids=[body.replace("\n", "; ") for body, _ in LEAKS])
def test_leak(tmp_path: Path, body: str, how: Exit) -> None:
    leaks = runs(tmp_path, body).leaks
    assert leaks, "no leak found"
    assert min(leak.exit.rank for leak in leaks) == how.rank


CLEAN = [
    "db = SessionLocal()\nwork()",
    "db = SessionLocal()\ndb.add(a)",
    "db = SessionLocal()\ndb.rollback()",
    "with SessionLocal() as db:\n    db.execute(a)",
    "with SessionLocal() as db, db.begin():\n    db.execute(a)",
    "with SessionLocal.begin() as db:\n    db.execute(a)",
    "db = SessionLocal()\nwith db:\n    db.execute(a)",
    "db = SessionLocal()\nwith db.begin():\n    db.execute(a)",
    "with closing(SessionLocal()) as db:\n    db.execute(a)",
    "with ExitStack() as stack:\n    db = stack.enter_context(SessionLocal())\n    db.execute(a)",
    "with ExitStack() as stack:\n    db = SessionLocal()\n    stack.callback(db.close)\n    db.execute(a)",
    "db = SessionLocal()\ntry:\n    db.execute(a)\nfinally:\n    db.close()",
    "db = None\ntry:\n    db = SessionLocal()\n    db.execute(a)\nfinally:\n    if db is not None:\n        db.close()",
    "db = None\ntry:\n    db = SessionLocal()\n    db.execute(a)\nfinally:\n    if db:\n        db.close()",
    "owns = False\nif a is None:\n    a = SessionLocal()\n    owns = True\ntry:\n    use(a)\nfinally:\n    if owns:\n        a.close()",
    "own = a is None\ndb = SessionLocal() if own else a\ntry:\n    use(db)\nfinally:\n    if own:\n        db.close()",
    "db = SessionLocal()\ntry:\n    use(db)\nexcept:\n    db.close()\n    raise\nelse:\n    db.close()",
    "db = SessionLocal()\ntry:\n    use(db)\nexcept BaseException:\n    db.rollback()\n    raise\ndb.close()",
    "db = SessionLocal()\ntry:\n    db.execute(a)\nexcept SQLAlchemyError:\n    pass\nfinally:\n    db.close()",
    "db = SessionLocal()\ntry:\n    use(db)\nfinally:\n    finish(db)",
    "db = make()\ntry:\n    use(db)\nfinally:\n    db.close()",
    "db = SessionLocal()\nreturn db",
    "return SessionLocal()",
    "db = SessionLocal()\nreturn a, db",
    "db = SessionLocal()\na.session = db\nuse(db)",
    "db = SessionLocal()\na.append(db)\nuse(db)",
    "db = SessionLocal()\nunheard_of(db)",
    "db = SessionLocal()\ndef close():\n    db.close()\ntry:\n    use(db)\nfinally:\n    close()",
    "db = SessionLocal()\na.on_exit(db.close)\nuse(db)",
    "repo = Repo(SessionLocal())\ntry:\n    repo.get()\nfinally:\n    repo.stop()",
    "with Unit(SessionLocal()) as unit:\n    use(unit.db)",
    "db = Session(engine.connect())\nuse(db)",
    "for x in a:\n    with SessionLocal() as db:\n        db.execute(x)",
    "for x in a:\n    db = SessionLocal()\n    try:\n        if x:\n            continue\n        use(db)\n    finally:\n        db.close()",
    "a.execute(1)\nb.commit()",
    "try:\n    db = SessionLocal()\n    use(db)\nexcept Exception:\n    raise\nfinally:\n    db.close()",
    "db = scoped_session(SessionLocal)()\ndb.execute(a)",
    (
        "try:\n    try:\n        raise ValueError\n    except* ValueError:\n        raise KeyError\nexcept KeyError:\n"
        "    SessionLocal().execute(a)"
    ),
]


@pytest.mark.parametrize("body", CLEAN, ids=[body.replace("\n", "; ") for body in CLEAN])
def test_no_leak(tmp_path: Path, body: str) -> None:
    result = runs(tmp_path, body)
    assert not result.gave_up
    assert [(leak.exit, leak.node) for leak in result.leaks] == []


ASYNC_LEAKS = [
    ("db = AsyncLocal()\nawait db.execute(a)", Exit.END),
    ("db = AsyncLocal()\nawait db.execute(a)\ndb.close()", Exit.END),
    ("db = AsyncLocal()\nawait db.execute(a)\nawait db.close()", Exit.DATABASE),
    (
        "db = AsyncLocal()\ntry:\n    await db.execute(a)\n    await b()\nexcept Exception:\n    await db.close()\n    raise\nelse:\n    await db.close()",
        Exit.CANCEL,
    ),
]


@pytest.mark.parametrize(("body", "how"), ASYNC_LEAKS, ids=[body.replace("\n", "; ") for body, _ in ASYNC_LEAKS])
def test_async_leak(tmp_path: Path, body: str, how: Exit) -> None:
    leaks = runs(tmp_path, body, "async def f(a, b):").leaks
    assert min((leak.exit.rank for leak in leaks), default=None) == how.rank


@pytest.mark.parametrize(
    "body",
    [
        "async with AsyncLocal() as db:\n    await db.execute(a)",
        "async with AsyncLocal.begin() as db:\n    await db.execute(a)",
        "db = AsyncLocal()\ntry:\n    await db.execute(a)\nfinally:\n    await db.close()",
        "import asyncio\ndb = AsyncLocal()\ntry:\n    await db.execute(a)\nfinally:\n    await asyncio.shield(db.close())",
        "async with AsyncExitStack() as stack:\n    db = await stack.enter_async_context(AsyncLocal())\n    await db.execute(a)",
        "db = AsyncLocal()\ntry:\n    await db.execute(a)\nfinally:\n    close = db.close()\n    await close",
    ],
)
def test_async_clean(tmp_path: Path, body: str) -> None:
    assert [leak.exit for leak in runs(tmp_path, body, "async def f(a, b):").leaks] == []


POISONED = [
    "try:\n    db.flush()\nexcept Exception:\n    pass\ndb.execute(a)",
    "try:\n    db.commit()\nexcept IntegrityError:\n    db.execute(a)",
    "for x in a:\n    db.add(x)\n    try:\n        db.commit()\n    except IntegrityError:\n        continue",
    "with suppress(IntegrityError):\n    db.flush()\ndb.commit()",
    "try:\n    save(db)\nexcept Exception:\n    work()\nuse(db)",
    "db.add(a)\ntry:\n    db.query(a).all()\nexcept Exception:\n    pass\ndb.commit()",
    "with SessionLocal.begin() as own:\n    try:\n        own.add(a)\n        own.flush()\n    except Exception:\n        pass",
    "with SessionLocal() as own, own.begin():\n    try:\n        own.add(a)\n        own.flush()\n    except Exception:\n        pass",
]


@pytest.mark.parametrize("body", POISONED, ids=[body.replace("\n", "; ") for body in POISONED])
def test_poisoned(tmp_path: Path, body: str) -> None:
    assert runs(tmp_path, body, "def f(db: Session, a):").poisoned


SOUND = [
    "try:\n    db.flush()\nexcept Exception:\n    db.rollback()\ndb.execute(a)",
    "try:\n    db.flush()\nexcept Exception:\n    undo(db)\ndb.execute(a)",
    "try:\n    db.flush()\nexcept Exception:\n    raise\ndb.execute(a)",
    "try:\n    db.flush()\nexcept Exception:\n    return None\ndb.execute(a)",
    "try:\n    db.flush()\nexcept KeyError:\n    pass\ndb.execute(a)",
    "try:\n    db.execute(a)\nexcept Exception:\n    pass\ndb.execute(a)",
    "try:\n    work()\n    db.flush()\nexcept ValueError:\n    pass\ndb.execute(a)",
    "try:\n    with db.begin_nested():\n        db.flush()\nexcept Exception:\n    pass\ndb.execute(a)",
    "point = db.begin_nested()\ntry:\n    db.flush()\n    point.commit()\nexcept Exception:\n    point.rollback()\ndb.execute(a)",
    "try:\n    with db.begin():\n        db.flush()\nexcept Exception:\n    pass\ndb.execute(a)",
    "try:\n    db.commit()\nexcept Exception:\n    pass\ndb.close()",
    "try:\n    db.commit()\nexcept Exception:\n    pass\ndb.rollback()\ndb.execute(a)",
    "for x in a:\n    with SessionLocal() as own:\n        try:\n            own.add(x)\n            own.commit()\n        except Exception:\n            pass",
    "try:\n    db.flush()\nfinally:\n    work()\ndb.execute(a)",
    "try:\n    a.commit()\nexcept Exception:\n    pass\na.execute(1)",
]


@pytest.mark.parametrize("body", SOUND, ids=[body.replace("\n", "; ") for body in SOUND])
def test_sound(tmp_path: Path, body: str) -> None:
    assert runs(tmp_path, body, "def f(db: Session, a):").poisoned == []


def test_gives_up_quietly(tmp_path: Path) -> None:
    """A function with too many states is left alone, and that is on record."""
    flags = "\n".join(f"x{i} = None\nif a{i}:\n    x{i} = True" for i in range(16))
    tests = "\n".join(f"if x{i}:\n    work()" for i in range(16))
    result = runs(tmp_path, f"db = SessionLocal()\n{flags}\n{tests}\ndb.execute(a)")
    assert result.gave_up
    assert result.leaks == []
