# Making a context manager of contextlib does not fail.
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


def use(db: Session):
    db.execute(select(Item))


def f():
    db = SessionLocal()
    try:
        use(db)
    finally:
        with suppress(Exception):
            db.rollback()
