# A cancelled commit leaves the transaction inactive, whatever replaces the cancellation.
# Expected: LS401.
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


async def f():
    db = AsyncLocal()
    try:
        try:
            await db.execute(select(Item))
            await db.commit()
        finally:
            try:
                work(1)
            except IntegrityError:  # LS401
                await db.execute(select(Item))
    finally:
        await db.close()
