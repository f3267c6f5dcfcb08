# A container keeps the session and does not use it.
# Expected: LS402.
# mypy: ignore-errors
# ruff: noqa: F401, I001
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def f(bag, item):
    db = SessionLocal()
    try:
        db.add(item)  # LS402
        db.execute(select(Item))
    except IntegrityError:
        bag.append(db)
    except BaseException:
        db.close()
        raise
    db.close()
