# A coroutine that some run awaits, returns or hands on is nobody's mistake.
# Expected: nothing.
# mode: unawaited
# mypy: ignore-errors
# ruff: noqa: F401, I001, RUF006
import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from elsewhere import Item, awork, choose, flag, keep, work

async_engine = create_async_engine("sqlite+aiosqlite://")
AsyncLocal = async_sessionmaker(async_engine)


async def f(a, bag, db: AsyncSession):
    made = db.flush()
    if a:
        await made
    asyncio.create_task(db.rollback())
    bag.job = db.execute(select(Item))
    await asyncio.gather(db.commit(), return_exceptions=True)
    return db.close()
