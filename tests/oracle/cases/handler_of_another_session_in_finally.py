# While the failure of one session is in flight, a handler takes that of another: it is not to blame for the first
# Expected: LS101, LS402.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def try_store(db: Session, item):
    db.add(item)
    try:
        db.flush()
    except SQLAlchemyError:
        return False
    return True


def provide(item):
    db = SessionLocal()  # LS101
    try:
        yield db
    finally:
        with SessionLocal() as own1:
            if try_store(own1, item):  # LS402
                pass
            db.get(Item, 1)
