"""The baseline's application and its Lambda handlers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI
from mangum import Mangum
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession  # noqa: TC002  resolved at run time

from seed_app.database import engine, get_db
from seed_app.models import Post, PostRead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Dispose of the pool at the end."""
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


class PostRepository:
    """Statements about posts."""

    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get_all(self, skip: int = 0, limit: int = 100) -> Sequence[Post]:
        """Return a page of published posts."""
        statement = select(Post).where(Post.status == "published").order_by(Post.published_at.desc())
        return (await self.db.execute(statement.offset(skip).limit(limit))).scalars().all()


@app.get("/posts", response_model=list[PostRead])
async def list_posts(db: Annotated[AsyncSession, Depends(get_db)], skip: int = 0, limit: int = 20) -> Any:
    """List posts."""
    return await PostRepository(db).get_all(skip, limit)


handler = Mangum(app)
handler_without_lifespan = Mangum(app, lifespan="off")
