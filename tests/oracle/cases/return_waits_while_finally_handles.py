# What fails in finally and is handled there leaves the return as it was
# Expected: nothing.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105, E722
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f(a, item):
    db = SessionLocal()
    try:
        return db
    finally:
        try:
            db.query(Item).all()
        except:
            pass
