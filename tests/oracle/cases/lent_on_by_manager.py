# A context manager that yields what it was given does not close it.
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


@contextmanager
def lend(db: Session | None = None):
    if db is None:
        with SessionLocal() as own:
            yield own
    else:
        yield db


def f():
    db = Session(engine)  # LS301
    with lend(db):
        db.execute(select(Item))
