# What suppress() lets pass is none of the classes that it names.
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


def provide(item):
    db = SessionLocal()
    try:
        try:
            with suppress(IntegrityError):
                db.execute(select(Item))
        except (ValueError, IntegrityError):
            db.commit()
    except Exception:
        pass
    finally:
        db.close()
