# What a savepoint flushes at its end is refused where a cancelled statement has taken the connection
# Expected: LS401, LS402.
# mypy: ignore-errors
# ruff: noqa: F401, I001, SIM105
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


async def f(item):
    db = AsyncLocal()
    try:
        await db.execute(select(Item))
    except BaseException:  # LS401
        pass
    try:
        async with db.begin_nested():
            db.add(item)  # LS402
    finally:
        await db.close()
