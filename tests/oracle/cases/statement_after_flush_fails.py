# A statement that fails after a flush that went well leaves the session sound.
# Expected: LS401, LS402.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f(a, b, item, items):
    with SessionLocal() as db:
        try:
            db.add(item)  # LS402
            db.scalars(select(Item))
        except BaseException:  # LS401
            with suppress(IntegrityError):  # LS401
                db.flush()
        db.flush()
