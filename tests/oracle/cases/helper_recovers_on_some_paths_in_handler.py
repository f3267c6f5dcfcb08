# The same in the handler.
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


def f(item):
    db = SessionLocal()
    try:
        try:
            db.add(item)
            db.commit()
        except Exception:  # LS401
            finish_if(db)
            db.commit()
    finally:
        db.close()
