# What a handler has taken and raises again is not taken by one for a class that has nothing to do with it
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


def f(item):
    db = Session(engine)
    try:
        work(2)
    except IntegrityError:
        try:
            raise
        except ValueError:
            pass
        db.add(item)
    finally:
        db.close()
