# A helper that may close an unused session does not use it.
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


def finish_if(db: Session):
    if flag.h1:
        db.close()


def f():
    db = SessionLocal()
    finish_if(db)
