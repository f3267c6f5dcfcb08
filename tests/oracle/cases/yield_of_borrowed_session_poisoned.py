# The same: a handler after the yield is reached.
# Expected: LS401.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105
from contextlib import ExitStack, closing, contextmanager, suppress
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from elsewhere import Item, choose, flag, keep, work

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(engine)


def provide(db: Session):
    try:
        yield db
    except ValueError:
        try:
            db.commit()
        except IntegrityError:  # LS401
            pass
    finally:
        db.execute(select(Item))
