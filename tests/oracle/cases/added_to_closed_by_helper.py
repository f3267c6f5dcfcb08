# What a helper adds to a closed session is flushed later.
# Expected: LS301, LS302.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def make_used():
    db = SessionLocal()  # LS301
    db.execute(select(Item))
    return db


def put(db: Session, item, commit=True):
    db.add(item)
    if commit:
        db.commit()


def f(item):
    db = make_used()
    db.close()
    put(db, item, False)
    db.flush()  # LS302
