"""The id under which a request is found again: in its response, its problem document and its log lines."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from starlette.types import Scope

HEADER: Final = b"x-request-id"
#: What a client may name its request; anything else could forge log lines or headers.
_ACCEPTED: Final = re.compile(rb"[A-Za-z0-9._:-]{8,128}")

#: The running request's id; `None` outside a request.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def identify(scope: Scope) -> str:
    """Return Lambda's id of the invocation, else the caller's `x-request-id`, else a new one."""
    context = scope.get("aws.context")
    if context is not None:
        return str(context.aws_request_id)
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED.fullmatch(value):
            return str(value.decode())
    return str(uuid4())
