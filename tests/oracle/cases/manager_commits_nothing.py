# A manager commits a session in which the block did nothing
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


def f(item):
    try:
        db = SessionLocal()
        with atomic(db):
            pass
    except IntegrityError:
        db.add(item)
    finally:
        db.close()
