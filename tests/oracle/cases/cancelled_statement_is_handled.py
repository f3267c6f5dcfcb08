# A bare except takes the cancellation of a statement as well.
# Expected: LS301.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105, E722
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


async def make_used():
    db = AsyncLocal()  # LS301
    await db.execute(select(Item))
    return db


async def f():
    async with AsyncSession(async_engine) as db:
        try:
            try:
                await db.get(Item, 1)
            except Exception:
                pass
        except:
            db = await make_used()  # LS301
