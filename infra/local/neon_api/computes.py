"""The computes of all branches that have data, and the ports that they are given."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError
from infra.local import ports
from infra.local.errors import PortInUseError
from infra.local.neon_api import errors
from infra.local.neon_api.compute import Compute
from infra.local.neon_api.state import Action, BranchState

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.neon_api.state import Branch, Endpoint, State, Store

_logger: Final = logging.getLogger(__name__)

#: Below the ports that Linux and macOS give to outgoing connections: one of those could hold a
#: port just when it is wanted again.
_PORTS: Final = range(20000, 32768)


class Computes:
    """Finds a branch's compute; there is one for each, as long as the branch exists."""

    def __init__(self, folder: Path, store: Store) -> None:
        """Know where data lies.

        Args:
            folder: Holds a folder for the data of each branch.
            store: Knows which it is.
        """
        self._folder = folder
        self._store = store
        self._known: dict[str, Compute] = {}
        self._listening: set[str] = set()
        self._used_at: dict[str, float] = {}

    def of(self, branch_id: str) -> Compute:
        """Return the branch's compute."""
        if branch_id not in self._known:
            branch = self._store.state.branches[branch_id]
            identity = {"neon.project_id": branch.project_id, "neon.branch_id": branch.id}
            if endpoint := self._store.state.endpoint_of(branch_id):
                identity["neon.endpoint_id"] = endpoint.id
            self._known[branch_id] = Compute(self._folder / branch_id, identity)
        return self._known[branch_id]

    def is_running(self, branch_id: str) -> bool:
        """Say whether the branch's servers run."""
        return branch_id in self._known and self._known[branch_id].is_running

    async def ready(self, branch: Branch) -> Compute:
        """Return the branch's compute, started, or refuse with 422 while there is none."""
        if branch.current_state is not BranchState.READY:
            raise errors.refused("branch not ready yet")
        return await self.started(branch.id)

    async def started(self, branch_id: str) -> Compute:
        """Return the branch's compute, started."""
        self._used_at[branch_id] = time.monotonic()
        compute = self.of(branch_id)
        await compute.start()
        return compute

    async def idle_seconds(self, branch_id: str) -> float | None:
        """Return how long nobody has used the branch, neither its clients nor we; `None` while one does."""
        unused = time.monotonic() - self._used_at.get(branch_id, -math.inf)
        if self._store.state.endpoint_of(branch_id) is None:
            return unused
        idle = await self.of(branch_id).idle_seconds()
        return None if idle is None else min(idle, unused)

    def running(self) -> list[str]:
        """Return the branches whose servers run."""
        return [branch_id for branch_id, compute in self._known.items() if compute.is_running]

    async def listen(self, branch_id: str) -> None:
        """Open the ports of the branch's endpoint; others where a stranger has taken one."""
        endpoint = self._store.state.endpoint_of(branch_id)
        if endpoint is None or branch_id in self._listening:
            return
        self._listening.add(branch_id)
        try:
            await self._listen(branch_id, endpoint)
        except BaseException:
            self._listening.discard(branch_id)
            raise

    async def _listen(self, branch_id: str, endpoint: Endpoint) -> None:
        try:
            await self.of(branch_id).listen(endpoint.direct_port, endpoint.pooled_port)
        except PortInUseError as error:
            with self._store.change() as state:
                moved = state.endpoints[endpoint.id]
                moved.direct_port, moved.pooled_port = free_ports(state)
            _logger.warning(
                "%s; the endpoint %s has moved to %d and %d",
                error, endpoint.id, moved.direct_port, moved.pooled_port,
            )  # fmt: skip
            await self.of(branch_id).listen(moved.direct_port, moved.pooled_port)

    async def forget(self, branch_id: str) -> None:
        """Close the branch's compute; its data stays."""
        await self.of(branch_id).close()
        self._let_go(branch_id)

    async def remove(self, branch_id: str) -> None:
        """Close the branch's compute and delete its data."""
        await self.of(branch_id).remove()
        self._let_go(branch_id)

    async def come_back(self) -> None:
        """Open the ports of all endpoints; take over servers that a killed control plane left."""
        state = self._store.state
        unfinished = {(each.branch_id, each.action) for each in state.unfinished()}
        made = [
            each.id
            for each in state.branches.values()
            if each.deleted_at is None
            and each.current_state is not BranchState.INIT
            # A new branch that still has its parent's passwords: its start opens the ports.
            and not {(each.id, Action.APPLY_CONFIG), (each.id, Action.START_COMPUTE)} <= unfinished
        ]
        await asyncio.gather(*map(self._come_back, made))

    async def _come_back(self, branch_id: str) -> None:
        try:
            await self.listen(branch_id)
            if self.of(branch_id).was_left_running:
                await self.started(branch_id)
        except InfraError as error:
            # The others are served all the same; this one's clients are told.
            _logger.warning("%s did not come back: %s", branch_id, error)

    async def close(self) -> None:
        """Close all computes; their data stays."""
        await asyncio.gather(*(self.forget(branch_id) for branch_id in list(self._known)))

    def _let_go(self, branch_id: str) -> None:
        # After the end of the servers: meanwhile nobody may start others over the same data.
        self._known.pop(branch_id, None)
        self._used_at.pop(branch_id, None)
        self._listening.discard(branch_id)


def free_ports(state: State) -> tuple[int, int]:
    """Return a direct and a pooled port that are free and nobody's, now or when it is awake."""
    taken = {port for each in state.endpoints.values() for port in (each.direct_port, each.pooled_port)}
    free = [port for port in random.sample(_PORTS, 50) if port not in taken and ports.is_free(port)]
    return free[0], free[1]
