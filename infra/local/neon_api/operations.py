"""Operations: what requests leave to be done on servers, run in the background, one branch at a time.

Each can be run again after a kill in its middle.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError
from infra.local.neon_api import branches, catalog
from infra.local.neon_api.state import Action, BranchState, OperationStatus, now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from infra.local.neon_api.computes import Computes
    from infra.local.neon_api.state import Operation, Store

_logger: Final = logging.getLogger(__name__)


class Operations:
    """Runs what the state says is to be done."""

    def __init__(self, store: Store, computes: Computes) -> None:
        """Run nothing yet."""
        self._store = store
        self._computes = computes
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._actions: dict[Action, Callable[[Operation], Awaitable[None]]] = {
            Action.CREATE_TIMELINE: self._create_timeline,
            Action.CREATE_BRANCH: self._create_branch,
            Action.RESTORE: self._restore,
            Action.CREATE_COMPUTE: self._create_compute,
            Action.APPLY_CONFIG: self._apply_config,
            Action.START_COMPUTE: self._start_compute,
            Action.SUSPEND_COMPUTE: self._suspend_compute,
            Action.DELETE_TIMELINE: self._delete_timeline,
        }

    def run_planned(self) -> None:
        """Run all operations that have yet to be run, those of a batch in their order."""
        for batch in {each.batch for each in self._store.state.unfinished()} - self._tasks.keys():
            self._tasks[batch] = asyncio.create_task(self._run(batch))

    async def stop(self) -> None:
        """Stop in the middle; the next start goes on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, batch: UUID) -> None:
        try:
            await self._run_in_order(batch)
        finally:
            del self._tasks[batch]

    async def _run_in_order(self, batch: UUID) -> None:
        planned = [each.id for each in self._store.state.unfinished() if each.batch == batch]
        failed = False
        for operation_id in planned:
            if failed:
                self._mark(operation_id, OperationStatus.CANCELLED)
                continue
            self._mark(operation_id, OperationStatus.RUNNING)
            operation = self._store.state.operations[operation_id]
            try:
                await self._actions[operation.action](operation)
            except Exception as error:
                failed = True
                # Only what is ours is known to hold no password.
                said = str(error) if isinstance(error, InfraError) else type(error).__name__
                _logger.exception("%s of %s failed", operation.action, operation.branch_id)
                if self._makes_branch(batch):
                    # Whoever tries again is not to find half a branch of the same name.
                    await self._remove(operation.branch_id)
                self._mark(operation_id, OperationStatus.FAILED, error=said)
            else:
                self._mark(operation_id, OperationStatus.FINISHED)

    def _mark(self, operation_id: UUID, status: OperationStatus, error: str | None = None) -> None:
        with self._store.change() as state:
            operation = state.operations[operation_id]
            operation.status, operation.updated_at, operation.error = status, now(), error
            operation.failures_count += status is OperationStatus.FAILED

    def _makes_branch(self, batch: UUID) -> bool:
        operations = self._store.state.operations.values()
        return any(each.batch == batch and each.action is Action.CREATE_BRANCH for each in operations)

    async def _create_timeline(self, operation: Operation) -> None:
        await self._computes.of(operation.branch_id).create()
        with self._store.change() as state:
            branches.become_ready(state.branches[operation.branch_id])

    async def _create_branch(self, operation: Operation) -> None:
        branch = self._store.state.branches[operation.branch_id]
        if branch.current_state is BranchState.READY:
            return  # since before a kill: clients may have written to it
        source = self._computes.of(str(operation.source_id))
        compute = self._computes.of(branch.id)
        await (compute.copy_schema(source) if branch.init_source == "schema-only" else compute.copy(source))
        with self._store.change() as state:
            branches.become_ready(state.branches[branch.id])

    async def _restore(self, operation: Operation) -> None:
        """Replace the data; its present goes on as the preserved branch, if there is one.

        Until the copy is there the branch serves on, and a failure leaves it as it was.
        """
        branch_id, source_id = operation.branch_id, str(operation.source_id)
        if self._store.state.branches[branch_id].current_state is BranchState.READY:
            return  # as above
        preserved_id = operation.details["preserved_id"]
        compute, source = self._computes.of(branch_id), self._computes.of(source_id)
        try:
            if preserved_id:
                await compute.copy_and_preserve(source, self._computes.of(preserved_id))
            else:
                await compute.copy(source)
        except Exception:
            if preserved_id:
                preserved = self._computes.of(preserved_id)
                if preserved.has_data:
                    await preserved.hand_over(compute)
                await self._computes.remove(preserved_id)
            with self._store.change() as state:
                branches.give_up_restore(state, state.branches[branch_id], preserved_id=preserved_id)
            raise
        with self._store.change() as state:
            branches.change_over(
                state, state.branches[branch_id], state.branches[source_id], preserved_id=preserved_id
            )

    async def _apply_config(self, operation: Operation) -> None:
        branch = self._store.state.branches[operation.branch_id]
        compute = await self._computes.started(branch.id)
        details = operation.details
        await asyncio.to_thread(
            catalog.apply,
            compute.superuser_url(),
            roles=[each for each in branch.roles if each.name in details.get("roles", ())],
            databases=[each for each in branch.databases if each.name in details.get("databases", ())],
            dropped_roles=details.get("dropped_roles", ()),
            dropped_databases=details.get("dropped_databases", ()),
        )
        if details.get("renewed"):
            await compute.restart_pooler()

    async def _create_compute(self, operation: Operation) -> None:
        """Let the servers go that ran without an endpoint: the next ones say which it is."""
        await self._computes.forget(operation.branch_id)

    async def _start_compute(self, operation: Operation) -> None:
        await self._computes.listen(operation.branch_id)
        await self._computes.started(operation.branch_id)
        self._note(operation, "started_at")

    async def _suspend_compute(self, operation: Operation) -> None:
        if operation.details.get("close"):
            await self._computes.forget(operation.branch_id)
        else:
            await self._computes.of(operation.branch_id).suspend()
        self._note(operation, "suspended_at")

    def _note(self, operation: Operation, field: str) -> None:
        with self._store.change() as state:
            if operation.endpoint_id in state.endpoints:
                setattr(state.endpoints[operation.endpoint_id], field, now())

    async def _delete_timeline(self, operation: Operation) -> None:
        await self._remove(operation.branch_id)

    async def _remove(self, branch_id: str) -> None:
        if branch_id in self._store.state.branches:
            await self._computes.remove(branch_id)
            with self._store.change() as state:
                del state.branches[branch_id]
                if endpoint := state.endpoint_of(branch_id):
                    del state.endpoints[endpoint.id]
