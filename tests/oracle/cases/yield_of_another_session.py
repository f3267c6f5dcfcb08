# Whoever is lent one session can't touch the other.
# Expected: nothing.
# mypy: ignore-errors
# ruff: noqa: F401, F841, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def provide():
    with closing(SessionLocal()) as db:
        other = SessionLocal()
        yield db
