# An instance that was refreshed may have been changed since.
# Expected: LS301.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def make_used():
    db = SessionLocal()  # LS301
    db.execute(select(Item))
    return db


def f(item):
    db = make_used()  # LS301
    try:
        db.refresh(item)
    except Exception:
        db.rollback()
        db.commit()
    db.close()
