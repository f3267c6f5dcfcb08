# A session of a manager is used by whoever drives the generator
# Expected: LS401.
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


def provide(a, b, item, items):
    with scope() as db:
        yield db
        try:
            if b:
                db.commit()
        except IntegrityError:  # LS401
            pass
        finally:
            db.execute(select(Item))
