# A savepoint cannot be gone back to when its statement was cancelled
# Expected: LS401.
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


async def f(items):
    async with AsyncLocal.begin() as db:
        for _ in items:
            async with db.begin_nested():
                try:
                    await db.execute(select(Item))
                except BaseException:  # LS401
                    pass
