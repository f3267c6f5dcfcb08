# A statement in a helper flushes what its caller has added.
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


def use(db: Session):
    db.execute(select(Item))


def f(item):
    db = SessionLocal()
    try:
        try:
            db.add(item)  # LS402
            use(db)
        except SQLAlchemyError:  # LS401
            db.commit()
    finally:
        db.close()
