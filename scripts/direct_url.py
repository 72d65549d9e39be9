"""Which database a command works on: the direct connection string of the environment or the local world."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from api.database.connection_url import ConnectionUrlError, DirectUrl
from infra.local import world
from infra.migrate.errors import DirectUrlInvalidError, DirectUrlMissingError

if TYPE_CHECKING:
    from infra.config import Project

_VARIABLE: Final = "DATABASE_URL_UNPOOLED"


def direct_url(project: Project) -> DirectUrl:
    """Return the URL from the environment, where passwords belong, or the local world's.

    Raises:
        DirectUrlInvalidError: It cannot be read, or is a pooled one.
        DirectUrlMissingError: There is neither.
    """
    text = os.environ.get(_VARIABLE)
    if text:
        try:
            return DirectUrl.parse(text)
        except ConnectionUrlError as error:
            # `from None`: the traceback of what was parsed is nobody's business.
            raise DirectUrlInvalidError(f"{_VARIABLE}: {error}", hint=error.hint) from None
    state = world.read_state(project.root)
    if state is None:
        message = f"{_VARIABLE} is not set, and no local world is running"
        raise DirectUrlMissingError(message, hint="set it, or start one with: bough up")
    return state.database_url_unpooled
