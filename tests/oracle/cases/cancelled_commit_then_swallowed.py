# A commit is cancelled, and what replaces the cancellation is swallowed by a manager
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


@asynccontextmanager
async def quiet(db: AsyncSession):
    try:
        yield
    except SQLAlchemyError:  # LS401
        pass


async def f(item):
    db = AsyncLocal()  # LS301
    async with quiet(db):
        match flag.m3:
            case True:
                try:
                    db.add(item)
                    await db.commit()
                except Exception as error:
                    await db.rollback()
                finally:
                    work(1)
    await db.execute(select(Item))
