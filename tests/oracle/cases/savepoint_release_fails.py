# When the release of the savepoint fails, the transaction around it stays open.
# Expected: LS301.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f():
    db = SessionLocal()  # LS301
    with db.begin_nested():
        try:
            db.query(Item).all()
        except Exception:
            pass
    db.close()
