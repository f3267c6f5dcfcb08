# A rollback after the close, in a helper, leaves the session closed.
# Expected: LS302.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def undo(db: Session):
    db.rollback()


def f():
    db = SessionLocal()
    db.close()
    undo(db)
    db.execute(select(Item))  # LS302
