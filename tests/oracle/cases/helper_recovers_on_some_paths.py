# A helper that closes on some paths only leaves the session poisoned on the others.
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


def finish_if(db: Session):
    if flag.h1:
        db.close()


def f(db: Session):
    with suppress(Exception):  # LS401
        db.commit()
    finish_if(db)
    db.commit()
