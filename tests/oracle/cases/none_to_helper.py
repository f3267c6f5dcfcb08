# None where a session is wanted raises AttributeError, which no handler takes here.
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


def finish(db: Session):
    db.close()


def f(item, db: Session | None = None):
    try:
        finish(db)
    except (ValueError, IntegrityError):
        db = SessionLocal()
        db.execute(select(Item))
