# What stands behind a use of a poisoned session is never reached.
# Expected: LS401.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f(item):
    db = SessionLocal()
    try:
        db.add(item)
        try:
            db.commit()
        except SQLAlchemyError:  # LS401
            db.flush()
            db = SessionLocal()
    finally:
        db.close()
