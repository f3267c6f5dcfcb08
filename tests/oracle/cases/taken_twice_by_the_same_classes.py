# What one handler has taken, a second for the same classes takes again
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


def f(item):
    db = Session(engine)  # LS301
    try:
        try:
            db.execute(select(Item))
        except (ValueError, IntegrityError):
            db.close()
            raise
    except (ValueError, IntegrityError):
        db.execute(select(Item))  # LS302
    finally:
        db.add(item)
        db.commit()
