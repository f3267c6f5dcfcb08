# A context manager that commits stores what was added.
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


@contextmanager
def atomic(db: Session):
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
        raise


@contextmanager
def scope():
    db = SessionLocal()
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
        raise
    finally:
        db.close()


def f(item):
    with scope() as db:
        db.add(item)
    with SessionLocal() as db, atomic(db):
        db.add(item)
