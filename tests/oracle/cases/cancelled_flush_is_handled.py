# A cancelled flush that a handler takes leaves the session poisoned.
# Expected: LS301, LS401.
# mypy: ignore-errors
# ruff: noqa: F401, F841, I001, SIM105
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


async def make():
    return AsyncLocal()


async def f(items):
    try:
        db = await make()  # LS301
        try:
            await db.flush()
        except Exception as error:
            pass
    except BaseException:  # LS401
        await db.commit()
