# A handler that fails itself has swallowed nothing: its exception goes on.
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


def f(db: Session, item):
    try:
        try:
            db.commit()
        except IntegrityError:
            work(2)
            raise
    finally:
        db.execute(select(Item))
