"""What names mean: within a module, across modules, and where nothing can be resolved."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import PRELUDE, SmallProject

from lint_sessions.project.types import (
    ClassType,
    EngineType,
    External,
    FactoryType,
    Flavor,
    FunctionType,
    GeneratorType,
    InstanceType,
    ManagerType,
    SessionType,
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = sessionmaker()", FactoryType),
        ("x = sessionmaker()()", SessionType),
        ("x = SessionLocal()", SessionType),
        ("x = Session(engine)", SessionType),
        ("x = scoped_session(SessionLocal)", SessionType),
        ("x = engine", EngineType),
        ("x = SessionLocal.begin()", ManagerType),
        ("x = closing(SessionLocal())", ManagerType),
        ("def f():\n    return SessionLocal()\nx = f()", SessionType),
        ("def f():\n    return sessionmaker(engine)\nx = f()", FactoryType),
        ("def f():\n    return engine, SessionLocal\na, x = f()", FactoryType),
        ("def f():\n    yield SessionLocal()\nx = f()", GeneratorType),
        ("@contextmanager\ndef f():\n    yield SessionLocal()\nx = f()", ManagerType),
        ("def f():\n    yield SessionLocal()\nx = contextmanager(f)()", ManagerType),
        ("class Own(Session): ...\nx = Own(engine)", SessionType),
        ("class Model: ...\nx = Model()", InstanceType),
        ("class Model: ...\nx = Model", ClassType),
        ("x = SessionLocal() if engine else None", SessionType),
        ("x = None\nx = SessionLocal()", SessionType),
        ("x = lambda: SessionLocal()", FunctionType),
        ("x = (lambda: SessionLocal())()", SessionType),
        ("import sqlalchemy.orm as o\nx = o.sessionmaker()", FactoryType),
        ("import sqlalchemy.orm\nx = sqlalchemy.orm.Session()", SessionType),
        ("from sqlmodel import Session as S\nx = S(engine)", SessionType),
        ("from functools import partial\nx = partial(Session, engine)()", SessionType),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_types_in_a_module(tmp_path: Path, source: str, expected: type) -> None:
    assert isinstance(SmallProject(tmp_path, {"main.py": PRELUDE + source}).type_of("x"), expected)


@pytest.mark.parametrize(
    "source",
    [
        "import requests\nx = requests.Session()",
        "from aiohttp import ClientSession as Session\nx = Session()",
        "import boto3\nx = boto3.Session()",
        "class ChatSession: ...\nx = ChatSession()",
        "class Session: ...\nx = Session()",
        "def SessionLocal(): return 1\nx = SessionLocal()",
        "x = SessionLocal()\nx = 1",
        "def f(): return f()\nx = f()",
        "x = y\ny = x",
    ],
)
def test_no_session(tmp_path: Path, source: str) -> None:
    assert not isinstance(SmallProject(tmp_path, {"main.py": PRELUDE + source}).type_of("x"), SessionType)


def test_flavor(tmp_path: Path) -> None:
    text = "a = async_sessionmaker(expire_on_commit=False)()\nb = sessionmaker(class_=AsyncSession)()\nc = Session(engine.connect())\n"
    project = SmallProject(tmp_path, {"main.py": PRELUDE + text})
    a, b, c = (project.type_of(name) for name in "abc")
    assert a == SessionType(Flavor(is_async=True, expires=False))
    assert b == SessionType(Flavor(is_async=True, expires=True))
    assert c == SessionType(Flavor(on_connection=True))


@pytest.mark.parametrize(
    ("imports", "files"),
    [
        ("from db import SessionLocal as x", {"db.py": PRELUDE}),
        ("import db\nx = db.SessionLocal", {"db.py": PRELUDE}),
        ("from app.db import SessionLocal as x", {"app/db.py": PRELUDE}),
        ("from app.db import SessionLocal as x", {"app/__init__.py": "", "app/db.py": PRELUDE}),
        (
            "from app import SessionLocal as x",
            {"app/__init__.py": "from .db import SessionLocal", "app/db.py": PRELUDE},
        ),
        ("from app import x", {"app/__init__.py": "from app.db import SessionLocal as x", "app/db.py": PRELUDE}),
        ("from app import *\nx = SessionLocal", {"app/__init__.py": "from .db import *", "app/db.py": PRELUDE}),
        ("from app import db\nx = db.SessionLocal", {"app/__init__.py": "", "app/db.py": PRELUDE}),
        ("import app.db\nx = app.db.SessionLocal", {"app/db.py": PRELUDE}),
        ("from shop.db import SessionLocal as x", {"src/shop/__init__.py": "", "src/shop/db.py": PRELUDE}),
        ("from shared.db import SessionLocal as x", {"libs/shared/__init__.py": "", "libs/shared/db.py": PRELUDE}),
        (
            "from a import SessionLocal as x",
            {"a.py": "from b import SessionLocal", "b.py": "from a import *\n" + PRELUDE},
        ),
        ("from db import x", {"db.py": PRELUDE + "try:\n    x = sessionmaker()\nexcept Exception:\n    x = None\n"}),
        ("from db import x", {"db.py": PRELUDE + "if engine:\n    x = sessionmaker()\nelse:\n    x = SessionLocal\n"}),
    ],
)
def test_across_modules(tmp_path: Path, imports: str, files: dict[str, str]) -> None:
    assert isinstance(SmallProject(tmp_path, {**files, "main.py": imports}).type_of("x"), FactoryType)


def test_relative_imports(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "",
        "app/core/__init__.py": "",
        "app/core/db.py": PRELUDE,
        "app/api/__init__.py": "",
        "app/api/routes.py": "from ..core.db import SessionLocal as x\nfrom .. import core\ny = core.db.SessionLocal\n",
    }
    project = SmallProject(tmp_path, files)
    assert isinstance(project.type_of("x", "app/api/routes.py"), FactoryType)
    assert isinstance(project.type_of("y", "app/api/routes.py"), FactoryType)


def test_import_cycle_ends(tmp_path: Path) -> None:
    project = SmallProject(
        tmp_path, {"a.py": "from b import x", "b.py": "from a import x", "main.py": "from a import x"}
    )
    assert project.type_of("x") is None


def test_published_package_is_never_a_folder_of_the_project(tmp_path: Path) -> None:
    project = SmallProject(
        tmp_path, {"sqlalchemy/orm.py": "Session = 1", "main.py": "from sqlalchemy.orm import Session"}
    )
    assert project.type_of("Session") == External("sqlalchemy.orm.Session")


def test_well_known_names_only_where_nothing_resolves(tmp_path: Path) -> None:
    files = {
        "known.py": "def SessionLocal(): return 1",
        "main.py": "from missing.db import SessionLocal as a\nfrom known import SessionLocal as b\nx = a()\ny = b()\n",
    }
    project = SmallProject(tmp_path, files)
    assert isinstance(project.type_of("x"), SessionType)
    assert project.type_of("y") is None


def test_attributes_of_self(tmp_path: Path) -> None:
    text = """
class Base:
    def __init__(self, db: Session):
        self.db = db

class Repo(Base):
    def get(self):
        return self.db

x = Repo(SessionLocal()).get()
"""
    assert isinstance(SmallProject(tmp_path, {"main.py": PRELUDE + text}).type_of("x"), SessionType)


@pytest.mark.parametrize(
    "annotation",
    [
        "Session",
        "'Session'",
        "Session | None",
        "Optional[Session]",
        "Annotated[Session, Depends(f)]",
        "Alias",
    ],
)
def test_annotations(tmp_path: Path, annotation: str) -> None:
    text = f"from typing import Annotated, Optional\nfrom fastapi import Depends\nAlias = Annotated[Session, Depends(f)]\ndef f(db: {annotation}): return db\nx = f()\n"
    assert isinstance(SmallProject(tmp_path, {"main.py": PRELUDE + text}).type_of("x"), SessionType)


def test_depends_default(tmp_path: Path) -> None:
    text = "from fastapi import Depends\ndef get():\n    with SessionLocal() as db:\n        yield db\ndef f(db=Depends(get)): return db\nx = f()\n"
    assert isinstance(SmallProject(tmp_path, {"main.py": PRELUDE + text}).type_of("x"), SessionType)


def test_a_project_that_is_a_package_itself(tmp_path: Path) -> None:
    """Its root has the configuration, and its modules import each other by the root's own name."""
    files = {"shop/db.py": PRELUDE, "shop/main.py": "from shop.db import SessionLocal as x\n"}
    SmallProject(tmp_path, files)
    assert isinstance(SmallProject(tmp_path / "shop", {}).type_of("x"), FactoryType)
