"""Settings, engine and session of the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_settings import BaseSettings
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Settings(BaseSettings):
    """What the environment says."""

    database_url: str
    db_echo: bool = False
    db_pool_size: int = 5
    db_max_overflow: int = 10


class Base(DeclarativeBase):
    """The declarative base."""


settings = Settings()
engine = create_async_engine(
    settings.database_url,
    echo=settings.db_echo,
    pool_pre_ping=True,
    pool_size=settings.db_pool_size,
    max_overflow=settings.db_max_overflow,
)
sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False, autoflush=False)


async def get_db() -> AsyncIterator[AsyncSession]:
    """Give a request its session."""
    async with sessions() as session:
        try:
            yield session
        finally:
            await session.close()
