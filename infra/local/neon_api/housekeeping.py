"""What happens without a request: branches expire, idle computes are suspended."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from typing import TYPE_CHECKING, Final

from infra.local.neon_api import answers, branches
from infra.local.neon_api.errors import ApiError
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, now

if TYPE_CHECKING:
    from infra.local.neon_api.backend import Backend
    from infra.local.neon_api.state import Branch, Endpoint

_logger: Final = logging.getLogger(__name__)

_TICK: Final = 0.5
#: Neon's default.
_DEFAULT_SUSPEND_TIMEOUT: Final = 300
#: Seconds between two looks at a busy compute: each look is a query.
_LOOK: Final = 30.0


class Housekeeping:
    """Looks after branches until it is cancelled."""

    def __init__(self, backend: Backend) -> None:
        """Know what to look after."""
        self._backend = backend
        self._next_look: dict[str, float] = {}

    async def run(self) -> None:
        """Look around twice a second."""
        while True:
            self.delete_expired()
            for endpoint in list(self._backend.state.endpoints.values()):
                if self._is_due(endpoint):
                    await self._suspend_if_idle(endpoint)
            await asyncio.sleep(_TICK)

    def delete_expired(self) -> None:
        """Delete for good what has expired, also while nothing ran, and what was deleted long ago."""
        for branch in list(self._backend.state.branches.values()):
            if not (_has_expired(branch) or _is_beyond_recovery(branch)):
                continue
            try:
                with self._backend.change() as state:
                    gone = state.branches[branch.id]
                    if gone.deleted_at:
                        state.require_idle(gone.id)
                        plan(state, gone, (Action.DELETE_TIMELINE, {}))
                    else:
                        branches.delete(state, gone, hard=True)
            except ApiError as error:
                # Something is being done to it, or a child was made before it got its expiry.
                _logger.info("%s stays for now: %s", branch.id, error)

    def _is_due(self, endpoint: Endpoint) -> bool:
        return (
            endpoint.suspend_timeout_seconds != -1
            and self._backend.computes.is_running(endpoint.branch_id)
            and time.monotonic() >= self._next_look.get(endpoint.id, 0)
        )

    async def _suspend_if_idle(self, endpoint: Endpoint) -> None:
        timeout = endpoint.suspend_timeout_seconds or _DEFAULT_SUSPEND_TIMEOUT
        idle = await self._backend.computes.of(endpoint.branch_id).idle_seconds()
        if idle is None or idle < timeout:
            wait = _LOOK if idle is None else timeout - idle
            self._next_look[endpoint.id] = time.monotonic() + min(wait, timeout, _LOOK)
            return
        try:
            with self._backend.change() as state:
                branch = state.branches[endpoint.branch_id]
                state.require_idle(branch.id)
                plan(state, branch, (Action.SUSPEND_COMPUTE, {}))
        except (ApiError, KeyError):
            return  # it is being copied, changed or deleted: the next look tells


def _has_expired(branch: Branch) -> bool:
    return branch.deleted_at is None and branch.expires_at is not None and branch.expires_at <= now()


def _is_beyond_recovery(branch: Branch) -> bool:
    return branch.deleted_at is not None and branch.deleted_at + answers.RECOVERY_WINDOW <= dt.datetime.now(
        dt.UTC
    )
