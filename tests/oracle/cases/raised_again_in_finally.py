# A bare raise in a finally raises what has entered it.
# Expected: LS101, LS401.
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


async def provide(a, bag, item):
    db = await make()  # LS101
    try:
        yield db
    except KeyError:
        try:
            await db.flush()
        finally:
            try:
                raise
            except IntegrityError:  # LS401
                await db.commit()
