"""The id under which a request is found again: in response, problem document, log lines and statements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from starlette.types import Scope

HEADER: Final = b"x-request-id"
#: What a client may name its request; anything else could forge log lines or headers.
_ACCEPTED: Final = re.compile(rb"[A-Za-z0-9._:-]{8,128}")


def identify(scope: Scope) -> str:
    """Return Lambda's id of the invocation, else the caller's `x-request-id`, else a new one."""
    context = scope.get("aws.context")
    if context is not None:
        return str(context.aws_request_id)
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED.fullmatch(value):
            return str(value.decode())
    return str(uuid4())
