"""What happens without a request: branches expire, idle computes are suspended."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from infra.local.neon_api import answers, branches
from infra.local.neon_api.errors import ApiError
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, now

if TYPE_CHECKING:
    from infra.local.neon_api.backend import Backend
    from infra.local.neon_api.state import Branch

_logger: Final = logging.getLogger(__name__)

_TICK: Final = 0.5
#: Neon's default.
_DEFAULT_TIMEOUT: Final = 300
#: What runs without an endpoint was started for a copy or a look at its schema.
_TIMEOUT_WITHOUT_ENDPOINT: Final = 60
#: Seconds between two looks at a compute, when its timeout is no shorter: a look can be a query.
_LOOK: Final = 30.0


class Housekeeping:
    """Looks after branches until it is cancelled."""

    def __init__(self, backend: Backend) -> None:
        """Know what to look after."""
        self._backend = backend
        self._looked_at: dict[str, float] = {}

    async def run(self) -> None:
        """Look around twice a second."""
        while True:
            try:
                self.delete_expired()
                # What a full disk kept from being noted as done is done again.
                self._backend.operations.run_planned()
                for branch_id in self._backend.computes.running():
                    await self._suspend_if_idle(branch_id)
            except Exception:
                # A full disk, say: what is left undone is met again at the next look.
                _logger.exception("housekeeping failed")
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
                _logger.debug("%s stays for now: %s", branch.id, error)

    async def _suspend_if_idle(self, branch_id: str) -> None:
        endpoint = self._backend.state.endpoint_of(branch_id)
        timeout = endpoint.suspend_timeout_seconds if endpoint else _TIMEOUT_WITHOUT_ENDPOINT
        timeout = timeout or _DEFAULT_TIMEOUT
        since = time.monotonic() - self._looked_at.get(branch_id, -math.inf)
        if timeout == -1 or since < min(timeout, _LOOK):
            return
        self._looked_at[branch_id] = time.monotonic()
        idle = await self._backend.computes.idle_seconds(branch_id)
        if idle is None or idle < timeout:
            return
        with suppress(ApiError), self._backend.change() as state:
            # Not while it is copied, changed or deleted: the next look tells.
            state.require_idle(branch_id)
            plan(state, state.branches[branch_id], (Action.SUSPEND_COMPUTE, {}))


def _has_expired(branch: Branch) -> bool:
    return branch.deleted_at is None and branch.expires_at is not None and branch.expires_at <= now()


def _is_beyond_recovery(branch: Branch) -> bool:
    return branch.deleted_at is not None and branch.deleted_at + answers.RECOVERY_WINDOW <= now()
