"""Faults that tests ask for; served only by a control plane that was started with `--faults`.

`POST /faults` (beside `/api/v2`, with the same key) takes one rule, and answers 201:

    {"method": "POST", "path": "/branches$", "times": 1, "kind": "answer", "status": 423}

`path` is a regular expression, searched in the path below `/api/v2`; `times` is how many requests
that match it meet the fault, 1 by default. What happens to them, by `kind`:

- `answer`: nothing is done; `status` (423, 429, 503 …) is the answer, with `retry_after`, when
  given, as the header `Retry-After`;
- `wait_before`: `seconds` later it is done and answered;
- `wait_after`: it is done, and `seconds` later answered;
- `drop_before`: the connection is cut and nothing is done;
- `drop_after`: it is done, and the connection is cut in place of an answer.

Rules are tried in the order in which they came. `GET /faults` answers with those that are left,
`DELETE /faults` (204) takes all back.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from starlette.requests import Request
from starlette.routing import Route

from infra.local.neon_api import errors, requests
from infra.local.neon_api.backend import answer, nothing, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def _is_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        message = "not a regular expression"
        raise ValueError(message) from error
    return text


class Rule(BaseModel):
    """A fault and the requests that meet it."""

    method: str
    path: Annotated[str, AfterValidator(_is_expression)]
    times: Annotated[int, Field(ge=1)] = 1
    kind: Literal["answer", "wait_before", "wait_after", "drop_before", "drop_after"]
    status: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: str | None = None
    seconds: Annotated[float, Field(ge=0)] = 0


class Faults:
    """The rules, and the routes to set them."""

    def __init__(self) -> None:
        """Have no rules."""
        self._rules: list[Rule] = []
        self.routes = [
            Route("/faults", self._add, methods=["POST"]),
            Route("/faults", self._show, methods=["GET"]),
            Route("/faults", self._clear, methods=["DELETE"]),
        ]

    def meet(self, method: str, path: str) -> Rule | None:
        """Return the rule that a request meets, and count it."""
        for rule in self._rules:
            if rule.method == method and re.search(rule.path, path):
                rule.times -= 1
                if not rule.times:
                    self._rules.remove(rule)
                return rule
        return None

    async def _add(self, request: Request) -> Response:
        self._rules.append(await requests.body(request, Rule))
        return await self._show(request, status=201)

    async def _show(self, _request: Request, status: int = 200) -> Response:
        return answer(status, {"faults": [each.model_dump(mode="json") for each in self._rules]})

    async def _clear(self, _request: Request) -> Response:
        self._rules.clear()
        return nothing()


class FaultyAnswers:
    """ASGI middleware that lets requests meet their faults."""

    def __init__(self, app: ASGIApp, faults: Faults, cut: Callable[[Any], None]) -> None:
        """Wrap an application.

        Args:
            app: Does the work.
            faults: The rules.
            cut: Aborts the connection of a client's address, as the scope has it.
        """
        self._app = app
        self._faults = faults
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = str(scope["path"])
        rule = self._faults.meet(scope["method"], path.removeprefix("/api/v2")) if path != "/faults" else None
        if rule is None:
            await self._app(scope, receive, send)
        elif rule.kind == "answer":
            headers = {"Retry-After": rule.retry_after} if rule.retry_after else {}
            error = errors.ApiError(
                rule.status, f"a fault that was asked for: {rule.status}", headers=headers
            )
            await refusal(Request(scope), error)(scope, receive, send)
        elif rule.kind == "drop_before":
            self._cut(scope["client"])
        elif rule.kind == "wait_before":
            await asyncio.sleep(rule.seconds)
            await self._app(scope, receive, send)
        else:
            held: list[Message] = []

            async def hold(message: Message) -> None:
                held.append(message)

            await self._app(scope, receive, hold)
            if rule.kind == "drop_after":
                self._cut(scope["client"])
                return
            await asyncio.sleep(rule.seconds)
            for message in held:
                await send(message)
