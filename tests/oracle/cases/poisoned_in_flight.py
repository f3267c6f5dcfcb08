# While its failure is in flight, a poisoned session refuses everything: nothing fails anew, nothing goes well.
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
    db.add(item)
    try:
        try:
            db.execute(select(Item))
        finally:
            with suppress(IntegrityError):
                db.execute(select(Item))
    finally:
        db.execute(select(Item))
