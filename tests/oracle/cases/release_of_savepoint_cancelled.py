# The end of a savepoint is a statement, which may be cancelled
# Expected: LS301, LS302.
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


async def make():
    return AsyncLocal()


async def f(a, item):
    db = await make()  # LS301
    try:
        async with db.begin_nested():
            other3 = db
            db = AsyncLocal()
            await db.close()
            await other3.flush()
            await db.scalars(select(Item))  # LS302
    except Exception:
        await db.close()
    else:
        await db.close()
