# A session that a helper returns in a tuple is the caller's.
# Expected: LS301.
# mypy: ignore-errors
# ruff: noqa: F401, I001, RUF059
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def make_pair():
    db = SessionLocal()
    return db, flag.h3


def f(item):
    db, ok = make_pair()  # LS301
    db.add(item)
    db.commit()
