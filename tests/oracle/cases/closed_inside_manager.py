# A session that is entered once more loses what it was given.
# Expected: LS402.
# mypy: ignore-errors
# ruff: noqa: F401, I001
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


@asynccontextmanager
async def scope():
    db = AsyncLocal()
    try:
        yield db
        await db.commit()
    except Exception:
        await db.rollback()
        raise
    finally:
        await db.close()


@asynccontextmanager
async def within():
    async with scope() as db:
        await db.execute(select(Item))
        yield db


async def f(item):
    async with within() as db, db:
        db.add(item)  # LS402
