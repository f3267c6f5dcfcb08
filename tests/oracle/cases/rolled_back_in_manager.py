# A commit with nothing to store does nothing, whoever made the session.
# Expected: nothing.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


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


@contextmanager
def within():
    with scope() as db:
        db.execute(select(Item))
        yield db


def provide(bag):
    with within() as db:
        db.rollback()
        try:
            db.commit()
        except BaseException:
            pass
