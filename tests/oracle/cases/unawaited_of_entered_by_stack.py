# What a stack enters is what entering it gives.
# Expected: LS303, LS504.
# mode: unawaited
# mypy: ignore-errors
# ruff: noqa: F401, F841, I001
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


async def make_used():
    db = AsyncLocal()
    await db.execute(select(Item))
    return db


async def f():
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(await make_used())
        made = db.flush()  # LS504
        db.close()  # LS303
