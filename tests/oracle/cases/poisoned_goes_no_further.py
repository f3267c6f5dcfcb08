# A poisoned session raises PendingRollbackError, which is no IntegrityError.
# Expected: LS401, LS402.
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
    db = SessionLocal()
    try:
        db.add(item)  # LS402
        try:
            db.execute(select(Item))
        except IntegrityError:  # LS401
            try:
                db.query(Item).all()
            except IntegrityError:
                db.execute(select(Item))
    finally:
        db.close()
