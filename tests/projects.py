"""Small projects made of texts, for tests that ask the analysis directly."""

from __future__ import annotations

from pathlib import Path

from lint_sessions.config import Config
from lint_sessions.engine import Analysis
from lint_sessions.flow.lifecycle import Lifecycle
from lint_sessions.project.modules import Module
from lint_sessions.project.scopes import Scope
from lint_sessions.project.types import FunctionType, Type

PRELUDE = """
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)
AsyncLocal = async_sessionmaker()
"""


class SmallProject:
    """Files below a folder, by their relative names."""

    def __init__(self, root: Path, files: dict[str, str]) -> None:
        self.root = root
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        self.analysis = Analysis(Config(root))

    def module(self, name: str) -> Module:
        module = self.analysis.project.at(self.root / name)
        assert module is not None
        return module

    def type_of(self, name: str, file: str = "main.py") -> Type | None:
        """The type of a module-level name."""
        return self.analysis.types.name(name, self.analysis.types.module_scope(self.module(file)))

    def function(self, name: str, file: str = "main.py") -> Scope:
        kind = self.type_of(name, file)
        assert isinstance(kind, FunctionType)
        return kind.scope

    def runs(self, name: str, file: str = "main.py") -> Lifecycle:
        return self.analysis.summaries.lifecycle(self.function(name, file))
