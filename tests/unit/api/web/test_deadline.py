"""The database's deadline from Lambda's remaining time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.database.timeouts import DEADLINE_MARGIN, deadline, remaining
from api.web.deadline import DeadlineMiddleware
from tests.support.lambda_events import Context


async def _seen(scope: dict[str, Any]) -> float | None:
    seen: list[float | None] = []

    async def app(*_: Any) -> None:
        await asyncio.sleep(0)
        seen.append(remaining())

    async def nothing(*_: Any) -> Any:
        return None

    await DeadlineMiddleware(app)(scope, nothing, nothing)
    return seen[0]


class TestDeadlineMiddleware:
    """Deadlines in and outside Lambda."""

    @pytest.mark.asyncio
    async def test_deadline_is_remaining_time_less_margin(self) -> None:
        """The request sees what Lambda leaves it, less the margin; afterwards there is no deadline."""
        left = await _seen({"type": "http", "aws.context": Context(remaining_milliseconds=8_000)})
        assert left is not None
        assert 8 - DEADLINE_MARGIN - 1 < left <= 8 - DEADLINE_MARGIN
        assert deadline.get() is None

    @pytest.mark.asyncio
    async def test_no_lambda_no_deadline(self) -> None:
        """Under a server of its own a request has no deadline."""
        assert await _seen({"type": "http"}) is None
