# A poisoned session refuses begin() as well.
# Expected: LS301, LS401.
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


async def make_pair():
    db = AsyncLocal()
    return db, flag.h3


@asynccontextmanager
async def quiet(db: AsyncSession):
    try:
        yield
    except SQLAlchemyError:  # LS401
        pass


async def f(b, bag, item):
    db = (await make_pair())[0]  # LS301
    async with quiet(db):
        await db.execute(select(Item))
        db.add(item)
        await db.flush()
    async with db.begin():
        pass
