# That flush may fail, and poison.
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


def f(db: Session, item):
    db.add(item)
    try:
        with db.begin_nested():
            pass
    except Exception:  # LS401
        pass
    db.execute(select(Item))
