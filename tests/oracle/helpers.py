"""Helpers that programs call: what a function of the project does to a session it is given, or that it gives."""

from __future__ import annotations

import re

HELPERS = {
    "use": "def use(db: Session):\n    db.execute(select(Item))",
    "save": "def save(db: Session, item):\n    db.add(item)\n    db.commit()",
    "store": "def store(db: Session, item):\n    db.add(item)\n    db.flush()",
    "undo": "def undo(db: Session):\n    db.rollback()",
    "finish": "def finish(db: Session):\n    db.close()",
    "finish_if": "def finish_if(db: Session):\n    if flag.h1:\n        db.close()",
    "give": "def give(db: Session):\n    return db",
    "make": "def make():\n    return SessionLocal()",
    "make_used": "def make_used():\n    db = SessionLocal()\n    db.execute(select(Item))\n    return db",
    "save_safely": (
        "def save_safely(db: Session, item):\n    db.add(item)\n    try:\n        db.commit()\n"
        "    except IntegrityError:\n        db.rollback()\n        raise"
    ),
    "try_save": (
        "def try_save(db: Session, item):\n    db.add(item)\n    try:\n        db.commit()\n"
        "    except SQLAlchemyError:\n        db.rollback()"
    ),
    "try_store": (
        "def try_store(db: Session, item):\n    db.add(item)\n    try:\n        db.flush()\n"
        "    except SQLAlchemyError:\n        return False\n    return True"
    ),
    "use_and_close": "def use_and_close(db: Session):\n    try:\n        db.execute(select(Item))\n    finally:\n        db.close()",
    "look": "def look(db: Session):\n    return db.in_transaction()",
    "use_twice": "def use_twice(db: Session):\n    use(db)\n    use(db)",
    "done": "def done(db: Session):\n    db.execute(select(Item))\n    db.commit()",
    "refuse": "def refuse(db: Session):\n    if db is not None and flag.h2:\n        raise ValueError()",
    "rollback_all": "def rollback_all(db: Session):\n    if db:\n        undo(db)",
    "put": "def put(db: Session, item, commit=True):\n    db.add(item)\n    if commit:\n        db.commit()",
    "make_pair": "def make_pair():\n    db = SessionLocal()\n    return db, flag.h3",
    "Repo": (
        "class Repo:\n    def __init__(self, db: Session):\n        self.db = db\n\n    def read(self):\n"
        "        self.db.execute(select(Item))\n\n    def save(self, item):\n        self.db.add(item)\n"
        "        self.db.commit()\n\n    def close(self):\n        self.db.close()"
    ),
    "scope": (
        "@contextmanager\ndef scope():\n    db = SessionLocal()\n    try:\n        yield db\n        db.commit()\n"
        "    except Exception:\n        db.rollback()\n        raise\n    finally:\n        db.close()"
    ),
    "within": "@contextmanager\ndef within():\n    with scope() as db:\n        db.execute(select(Item))\n        yield db",
    "lend": (
        "@contextmanager\ndef lend(db: Session | None = None):\n    if db is None:\n"
        "        with SessionLocal() as own:\n            yield own\n    else:\n        yield db"
    ),
    "atomic": (
        "@contextmanager\ndef atomic(db: Session):\n    try:\n        yield db\n        db.commit()\n"
        "    except Exception:\n        db.rollback()\n        raise"
    ),
    "quiet": (
        "@contextmanager\ndef quiet(db: Session):\n    try:\n        yield\n    except SQLAlchemyError:\n        pass"
    ),
}
"""By name; what stands at module level."""

USERS = {
    name: text
    for name, text in HELPERS.items()
    if text.startswith("def") and "(db: Session)" in text and name not in ("give",)
}
"""Those that take one session and nothing else."""


def _awaited(text: str) -> str:
    text = re.sub(r"\bdef (?!__init__)", "async def ", text).replace("@contextmanager", "@asynccontextmanager")
    text = text.replace("db: Session", "db: AsyncSession").replace("SessionLocal", "AsyncLocal")
    text = re.sub(r"\bwith ", "async with ", text)
    text = re.sub(r"(?:self\.)?\bdb\.(execute|commit|flush|rollback|close)\(", r"await \g<0>", text)
    return re.sub(r"(?<!def )\b(use|undo)\(", r"await \1(", text)


ASYNC_HELPERS = {name: _awaited(text) for name, text in HELPERS.items()}
ASYNC_USERS = {name: ASYNC_HELPERS[name] for name in USERS}
