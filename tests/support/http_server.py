"""An ASGI application behind a real HTTP server."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@asynccontextmanager
async def served_over_http(app: ASGIApp) -> AsyncIterator[str]:
    """Serve the application in this event loop while the block runs, and yield its URL."""

    async def invoke(scope: Scope, receive: Receive, send: Send) -> None:
        # As Lambda does: the application runs once the whole request is there.
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)

        async def received() -> Message:
            return {"type": "http.request", "body": body}

        await app(scope, received, send)

    server = uvicorn.Server(uvicorn.Config(invoke, lifespan="off", log_level="warning", ws="none"))
    # The protocol by name: without it asyncio leaves Nagle's algorithm on, which costs 40 ms a request.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task
