# A savepoint in which nothing runs emits nothing, so the lost connection is not missed
# Expected: LS301.
# mypy: ignore-errors
# ruff: noqa: F401, I001, E722
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


async def f():
    db = AsyncLocal()  # LS301
    try:
        await db.execute(select(Item))
    except:
        async with db.begin_nested():
            pass
