"""Give the database the invocation's deadline, so that no statement outlives the function."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from api.database.timeouts import DEADLINE_MARGIN, deadline

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class DeadlineMiddleware:
    """Set `api.database.timeouts.deadline` for each request of a Lambda function; elsewhere there is none."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application until Lambda's remaining time less the margin."""
        context = scope.get("aws.context")
        if context is None:
            await self.app(scope, receive, send)
            return
        left = context.get_remaining_time_in_millis() / 1000 - DEADLINE_MARGIN
        token = deadline.set(asyncio.get_running_loop().time() + left)
        try:
            await self.app(scope, receive, send)
        finally:
            deadline.reset(token)
