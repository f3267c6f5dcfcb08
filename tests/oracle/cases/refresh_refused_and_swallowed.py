# What is refreshed counts as stored, also where the refresh fails and a return in finally swallows that
# Expected: nothing.
# mypy: ignore-errors
# ruff: noqa: B012, F401, I001
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
            db.refresh(item)
        finally:
            return db
    finally:
        db.close()
