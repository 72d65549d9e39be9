"""A plain ASGI application that shows what reached it, and misbehaves when asked to."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

#: Kept between requests, as a connection pool is: its lock belongs to the loop that first waited for it.
LOCK = asyncio.Lock()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer by path; anything unknown is echoed."""
    route = scope["path"].removeprefix(scope["root_path"])
    answer = ANSWERS.get(route)
    if answer is None:
        await _echo(scope, receive, send)
    else:
        await answer(send)


async def reply(
    send: Send, body: bytes, kind: bytes = b"application/json", *, status: int = 200, more: Any = ()
) -> None:
    headers = [(b"content-type", kind), *more] if kind else list(more)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "root_path": scope["root_path"],
        "query": scope["query_string"].decode(),
        "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
        "client": scope["client"][0],
        "body": body.hex(),
    }
    await reply(send, json.dumps(seen).encode())


async def _loop(send: Send) -> None:
    async def wait() -> None:
        async with LOCK:
            await asyncio.sleep(0)

    await asyncio.gather(wait(), wait())
    await reply(send, str(id(asyncio.get_running_loop())).encode())


async def _random(send: Send) -> None:
    await reply(send, str(random.random()).encode())


async def _problem(send: Send) -> None:
    await reply(send, b'{"code": "NOPE"}', b"application/problem+json", status=404)


async def _unavailable(send: Send) -> None:
    await reply(send, b"later", b"text/plain", status=503)


async def _empty(send: Send) -> None:
    await reply(send, b"", b"", status=204)


async def _binary(send: Send) -> None:
    await reply(send, bytes(range(256)), b"image/png")


async def _cookies(send: Send) -> None:
    more = [
        (b"set-cookie", b"a=1; Path=/"),
        (b"set-cookie", b"b=2; Path=/"),
        (b"x-tag", b"one"),
        (b"x-tag", b"two"),
    ]
    await reply(send, b"{}", more=more)


async def _latin1(send: Send) -> None:
    await reply(send, b"{}", more=[(b"x-name", "café".encode("latin-1"))])


async def _boom(_: Send) -> None:
    message = "password=hunter2"
    raise RuntimeError(message)


async def _cancelled(_: Send) -> None:
    raise asyncio.CancelledError


async def _half(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    message = "in the middle"
    raise RuntimeError(message)


async def _silent(_: Send) -> None:
    return


async def _after(send: Send) -> None:
    await reply(send, b'{"done": true}')
    message = "a background task failed"
    raise RuntimeError(message)


ANSWERS = {
    "/loop": _loop,
    "/random": _random,
    "/problem": _problem,
    "/unavailable": _unavailable,
    "/empty": _empty,
    "/binary": _binary,
    "/cookies": _cookies,
    "/latin1": _latin1,
    "/boom": _boom,
    "/cancelled": _cancelled,
    "/half": _half,
    "/silent": _silent,
    "/after": _after,
}
