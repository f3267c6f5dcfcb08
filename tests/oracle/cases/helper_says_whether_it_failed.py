# What a helper returns goes with what it has done.
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


def try_store(db: Session, item):
    db.add(item)
    try:
        db.flush()
    except SQLAlchemyError:
        return False
    return True


def f(db: Session, item):
    if not try_store(db, item):
        db.rollback()
    db.commit()
