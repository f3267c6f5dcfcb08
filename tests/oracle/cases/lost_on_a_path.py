# A path that leaves before the commit loses what was added.
# Expected: LS402.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f(a, item):
    with SessionLocal() as db:
        db.add(item)  # LS402
        if a:
            return
        db.commit()
