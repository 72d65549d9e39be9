"""Give the database the invocation's deadline, so that no statement outlives the function."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.database.timeouts import DEADLINE_MARGIN, deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mangum.types import LambdaContext
    from starlette.types import ASGIApp, Receive, Scope, Send


@contextmanager
def within_invocation(context: LambdaContext) -> Iterator[None]:
    """Set `api.database.timeouts.deadline` to Lambda's remaining time less the margin."""
    left = context.get_remaining_time_in_millis() / 1000 - DEADLINE_MARGIN
    token = deadline.set(asyncio.get_running_loop().time() + left)
    try:
        yield
    finally:
        deadline.reset(token)


class DeadlineMiddleware:
    """Set the deadline for each request of a Lambda function; elsewhere there is none."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application until then."""
        context = scope.get("aws.context")
        if context is None:
            await self.app(scope, receive, send)
            return
        with within_invocation(context):
            await self.app(scope, receive, send)
