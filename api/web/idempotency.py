"""Writes that a client may send again: the header `Idempotency-Key`.

A client that got no answer cannot know whether its request was carried out. It sends the same request with
the same key again: the first one's response comes back, or, if that one never took effect, the request is
carried out now. Key and response are written in the transaction of the effect, so there is one or neither.

Use, in any route that writes::

    @router.post("/orders", response_model=OrderRead, responses=problem_responses(IdempotencyKeyReusedError))
    async def create_order(
        user: CurrentUserDep, session: WriteSessionDep, once: OnceDep, new: OrderCreate
    ) -> Response:
        return await once(user.id, lambda: service.create(session, user, new))

The header is that of draft-ietf-httpapi-idempotency-key-header-07; what it leaves open, and where this
departs from it, is in `docs/decisions/0008-idempotency.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Header, Request, Response

from api.database.session import WriteSessionDep  # noqa: TC001  FastAPI resolves annotations at run time
from api.web import idempotency_keys
from api.web.problems import UnprocessableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from pydantic import BaseModel

    from api.database.session import WriteSession

REPLAYED: Final = "Idempotent-Replayed"

_Key = Annotated[
    str | None,
    Header(
        # Printable ASCII without quote and backslash; the draft's String, or the same without its quotes.
        pattern=r'^("[ !#-\[\]-~]{1,255}"|[!#-\[\]-~]{1,255})$',
        description="A new UUID for each new request: sent again with the same key, it is carried out once. "
        "Kept for 24 hours.",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ),
]


class IdempotencyKeyReusedError(UnprocessableError):
    """The key came with another request before."""

    code = "IDEMPOTENCY_KEY_REUSED"


@dataclass(frozen=True, slots=True)
class Once:
    """Carries out a request once for each key of a user, and answers alike each time."""

    session: WriteSession
    request: Request
    key: str | None

    async def __call__(self, user_id: UUID, work: Callable[[], Awaitable[BaseModel]]) -> Response:
        """Do the work, or return what it returned before; without a key, just do it.

        Args:
            user_id: Whose key it is.
            work: Writes in the request's session only; what it raises is not stored.

        Raises:
            IdempotencyKeyReusedError: The key came with another request before.
            LockTimeoutError: The first request with this key still runs.
        """
        route = self.request.scope["route"]
        status = route.status_code or 200
        if self.key is None:
            return _json(await _body(work), status)
        fingerprint = await self._fingerprint()
        while not await idempotency_keys.claim(
            self.session,
            user_id=user_id,
            key=self.key,
            operation=route.name,
            fingerprint=fingerprint,
            status=status,
        ):
            # Claimed again where the key expired between the two statements.
            if first := await idempotency_keys.find(self.session, user_id, self.key):
                return _replay(first, fingerprint)
        body = await _body(work)
        await idempotency_keys.store(self.session, user_id, self.key, body)
        return _json(body, status)

    async def _fingerprint(self) -> bytes:
        """Return what tells requests apart: method, path, query and body, byte by byte."""
        url = self.request.url
        parts = (self.request.method.encode(), url.path.encode(), url.query.encode())
        # A digest of digests: no byte can move from one part to the next.
        return sha256(
            b"".join(sha256(part).digest() for part in (*parts, await self.request.body()))
        ).digest()


async def _once(request: Request, session: WriteSessionDep, idempotency_key: _Key = None) -> Once:
    return Once(session, request, idempotency_key and idempotency_key.strip('"'))


OnceDep = Annotated[Once, Depends(_once)]


async def _body(work: Callable[[], Awaitable[BaseModel]]) -> bytes:
    return (await work()).model_dump_json().encode()


def _replay(first: idempotency_keys.IdempotencyKey, fingerprint: bytes) -> Response:
    if first.fingerprint != fingerprint:
        raise IdempotencyKeyReusedError(
            f"This Idempotency-Key came with another request before ({first.operation}); "
            "send a new key with a new request."
        )
    return _json(first.body, first.status, {REPLAYED: "true"})


def _json(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    # The same bytes each time: the response is written here and not by FastAPI.
    return Response(body, status, headers, media_type="application/json")
