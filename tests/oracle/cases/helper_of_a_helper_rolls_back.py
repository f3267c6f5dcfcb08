# A helper hands the session on to another that rolls back: nothing is at hand that a commit could store
# Expected: nothing.
# mypy: ignore-errors
# ruff: noqa: F401, I001
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


def rollback_all(db: Session):
    if db:
        undo(db)


def undo(db: Session):
    db.rollback()


def f(items):
    db = make_pair()[0]
    for _ in items:
        db.commit()
        rollback_all(db)
