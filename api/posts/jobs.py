"""Jobs of posts."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  pydantic resolves annotations at run time

from pydantic import BaseModel

from api.database.session import WriteSession  # noqa: TC001  jobs' annotations are read at run time
from api.posts.repository import posts


class PublishPost(BaseModel):
    """Which draft to publish: a message that an editor's tool delays until then, for one."""

    post_id: UUID


async def publish_post(session: WriteSession, message: PublishPost) -> None:
    """Publish a draft; one that is published, or deleted meanwhile, stays as it is, so twice is as once."""
    await posts.publish(session, message.post_id)
