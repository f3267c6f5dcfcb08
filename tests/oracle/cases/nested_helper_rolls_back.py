# A helper that rolls back through another one is no use of the poisoned session.
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


def undo(db: Session):
    db.rollback()


def rollback_all(db: Session):
    if db:
        undo(db)


def f():
    db = SessionLocal()
    try:
        db.flush()
    except Exception:
        rollback_all(db)
    db.close()
