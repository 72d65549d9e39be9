"""The project's application as tests call it: in this process, and without hiding what goes wrong."""

from __future__ import annotations

import importlib
import operator
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx2

from infra.testing.lazy_loads import lazy_loads_refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from infra.config import Project

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]


class ServerError(AssertionError):
    """The application answered 500, which no client can mean."""


def load_application(project: Project) -> Any:
    """Import what `app` of `[tool.bough]` names."""
    module, _, attribute = project.app.partition(":")
    return operator.attrgetter(attribute)(importlib.import_module(module))


def forget_settings() -> None:
    """Have the kit's settings read from the environment again, where the project uses them."""
    settings = sys.modules.get("api.settings")
    if settings is not None:
        settings.get_settings.cache_clear()


def make_client(application: Application) -> httpx2.AsyncClient:
    """Make a client that raises what its requests made the application do wrong.

    Like Lambda's handler it runs no lifespan events.

    Raises:
        LazyLoadError: By a request: an attribute was read that no statement had loaded.
        ServerError: By a request: it was answered with the status 500.
    """
    transport = httpx2.ASGITransport(_Strict(application))
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


class _Strict:
    """An application that raises what the one inside would keep to itself."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with lazy_loads_refused():
            await self.application(scope, receive, watch)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            request = f"{scope['method']} {scope['path']}"
            raise ServerError(f"{request} was answered with 500; its reason is in the captured log")
