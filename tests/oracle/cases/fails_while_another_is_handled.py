# A helper handles an error of its own session while another session has failed
# Expected: LS301, LS402.
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
def lend(db: Session | None = None):
    if db is None:
        with SessionLocal() as own:
            yield own
    else:
        yield db


def try_store(db: Session, item):
    db.add(item)
    try:
        db.flush()
    except SQLAlchemyError:
        return False
    return True


def f(b, item):
    db = SessionLocal()  # LS301
    try:
        db.add(item)
        db.flush()
    finally:
        with lend() as own2:
            if try_store(own2, item):  # LS402
                pass
            db.execute(select(Item))
