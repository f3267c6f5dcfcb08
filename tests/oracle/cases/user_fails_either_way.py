# A flush of whoever is lent the session may fail in a way that a handler does not take.
# Expected: LS101, LS401.
# mypy: ignore-errors
# ruff: noqa: F401, F841, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def provide(item):
    db = SessionLocal()  # LS101
    try:
        yield db
    except (ValueError, IntegrityError):  # LS401
        pass
    finally:
        try:
            db.scalars(select(Item))
        except Exception as error:  # LS401
            db.commit()
