"""What may be done to branches, and what it changes in the state.

Each function refuses, or changes the state and returns the operations that are left to be done.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING, Final

from infra.local.neon_api import endpoints, errors, ids
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, Branch, BranchState, now

if TYPE_CHECKING:
    from infra.local.neon_api.limits import Limits
    from infra.local.neon_api.plans import Step
    from infra.local.neon_api.requests import BranchChanges, BranchCreate, BranchOptions, BranchRestore
    from infra.local.neon_api.state import Operation, Role, State

_LONGEST_TTL: Final = dt.timedelta(days=30)


def create(
    state: State, project_id: str, wanted: BranchCreate, limits: Limits
) -> tuple[Branch, list[Operation]]:
    """Make a branch of another, with an endpoint when one is wanted."""
    options = wanted.branch
    parent = (
        state.branch(project_id, options.parent_id) if options.parent_id else state.default_branch(project_id)
    )
    branch_id = ids.branch_id()
    name = options.name or branch_id
    _require_name_free(state, project_id, name)
    require_present(options.parent_timestamp, options.parent_lsn)
    state.require_unchanging(parent.id)
    _require_parent_fit(parent)
    schema_only = options.init_source == "schema-only"
    _require_room(state, project_id, options, limits)
    branch = Branch(
        id=branch_id,
        project_id=project_id,
        parent_id=None if schema_only else parent.id,
        parent_timestamp=None if schema_only else now(),
        name=name,
        init_source=options.init_source,
        protected=options.protected,
        annotation=wanted.annotation_value,
        roles=[each.model_copy() for each in parent.roles],
        databases=[each.model_copy() for each in parent.databases],
    )
    steps: list[Step] = [(Action.CREATE_BRANCH, {})]
    if parent.protected:
        _renew_passwords(branch.roles)
        # Before the ports are open: its parent's passwords never open the branch.
        steps.append((Action.APPLY_CONFIG, {"roles": [each.name for each in branch.roles]}))
    _set_expiry(state, branch, options.expires_at)
    state.branches[branch.id] = branch
    for endpoint in wanted.endpoints:
        endpoints.add(state, branch, endpoint, limits)
        steps.append((Action.START_COMPUTE, {}))
    return branch, plan(state, branch, *steps, source_id=parent.id)


def update(state: State, branch: Branch, changes: BranchChanges, limits: Limits) -> None:
    """Change what can be changed at any time."""
    if changes.name is not None and changes.name != branch.name:
        _require_name_free(state, branch.project_id, changes.name)
        branch.name = changes.name
    if changes.protected is not None and changes.protected != branch.protected:
        if changes.protected:
            protected = sum(each.protected for each in state.live_branches(branch.project_id))
            if protected >= limits.protected_branches:
                raise errors.limit_exceeded("protected branches", limits.protected_branches)
        branch.protected = changes.protected
    expires_at = changes.expires_at if "expires_at" in changes.model_fields_set else branch.expires_at
    if expires_at != branch.expires_at:
        # Something may just be becoming its child.
        state.require_idle(branch.id)
        _set_expiry(state, branch, expires_at)
    elif expires_at and branch.protected:
        raise errors.refused("a branch that expires cannot be protected")
    branch.updated_at = now()


def restore(state: State, branch: Branch, wanted: BranchRestore, limits: Limits) -> list[Operation]:
    """Replace a branch's data by that of another, or of itself, at a time."""
    source = state.branch(branch.project_id, wanted.source_branch_id)
    if branch.protected:
        raise errors.refused("cannot restore a protected branch")
    itself = source.id == branch.id
    if itself and not (wanted.source_timestamp or wanted.source_lsn):
        raise errors.bad_request("source_timestamp or source_lsn is required to restore a branch to itself")
    require_present(wanted.source_timestamp, wanted.source_lsn)
    if state.children(branch) and not wanted.preserve_under_name:
        raise errors.refused("Branch has children, preserve_under_name is required")
    if not itself:
        _require_parent_fit(source)
    state.require_idle(branch.id)
    state.require_unchanging(source.id)
    preserved = None
    if wanted.preserve_under_name:
        _require_name_free(state, branch.project_id, wanted.preserve_under_name)
        if len(state.live_branches(branch.project_id)) >= limits.branches:
            raise errors.limit_exceeded("branches", limits.branches)
        preserved = Branch(
            id=ids.branch_id(),
            project_id=branch.project_id,
            parent_id=branch.parent_id,
            name=wanted.preserve_under_name,
            init_source=branch.init_source,
            roles=[each.model_copy() for each in branch.roles],
            databases=[each.model_copy() for each in branch.databases],
        )
        state.branches[preserved.id] = preserved
    branch.current_state, branch.pending_state = BranchState.RESETTING, BranchState.READY
    branch.state_changed_at = branch.updated_at = now()
    details = {"preserved_id": preserved.id if preserved else None}
    steps: list[Step] = [(Action.RESTORE, details)]
    if state.endpoint_of(branch.id):
        steps.append((Action.START_COMPUTE, {}))
    return plan(state, branch, *steps, source_id=source.id)


def change_over(state: State, branch: Branch, source: Branch, *, preserved_id: str | None) -> None:
    """Let the branch be what its source was, and its old self the preserved one, if there is one."""
    if preserved_id:
        preserved = state.branches[preserved_id]
        become_ready(preserved)
        for child in state.children(branch):
            child.parent_id = preserved.id
    branch.parent_id = source.id
    branch.parent_timestamp = branch.last_reset_at = now()
    branch.roles = [each.model_copy() for each in source.roles]
    branch.databases = [each.model_copy() for each in source.databases]
    if branch.ttl_interval_seconds:
        branch.expires_at = now() + dt.timedelta(seconds=branch.ttl_interval_seconds)
    become_ready(branch)


def become_ready(branch: Branch) -> None:
    """Let the branch be used."""
    branch.current_state, branch.pending_state = BranchState.READY, None
    branch.state_changed_at = branch.updated_at = now()


def give_up_restore(state: State, branch: Branch, *, preserved_id: str | None) -> None:
    """Let the branch be what it was."""
    if preserved_id:
        del state.branches[preserved_id]
    become_ready(branch)


def delete(state: State, branch: Branch, *, hard: bool) -> list[Operation]:
    """Delete a branch, for good or so that it can be recovered."""
    if branch.protected:
        raise errors.refused("cannot delete protected branch")
    if branch.default:
        raise errors.refused("cannot delete the default branch")
    if children := state.children(branch):
        names = ", ".join(each.id for each in children)
        raise errors.refused(f"cannot delete branch that has children: {names}")
    state.require_idle(branch.id)
    branch.deleted_at = branch.updated_at = now()
    action = Action.DELETE_TIMELINE if hard else Action.SUSPEND_COMPUTE
    return plan(state, branch, (action, {"close": True}))


def recover(state: State, project_id: str, branch_id: str, limits: Limits) -> Branch:
    """Take back the deletion of a branch."""
    state.project(project_id)
    branch = state.branches.get(branch_id)
    if branch is None or branch.project_id != project_id:
        raise errors.not_found("branch")
    if branch.deleted_at is None:
        raise errors.refused("branch is not deleted")
    state.require_idle(branch.id)
    _require_name_free(state, project_id, branch.name)
    if len(state.live_branches(project_id)) >= limits.branches:
        raise errors.limit_exceeded("branches", limits.branches)
    parent = state.branches.get(branch.parent_id or "")
    if parent is None or parent.deleted_at or parent.expires_at:
        # Its data needs none: what may be no parent any more does not keep it from coming back.
        branch.parent_id = None
    branch.deleted_at = branch.expires_at = branch.ttl_interval_seconds = None
    branch.updated_at = now()
    return branch


def set_default(state: State, branch: Branch) -> None:
    """Make the branch the project's default one."""
    if branch.expires_at:
        raise errors.refused("a branch that expires cannot be the default branch")
    # What is being made may yet come to nothing.
    state.require_unchanging(branch.id)
    state.default_branch(branch.project_id).default = False
    branch.default = True
    branch.updated_at = now()


def require_present(timestamp: dt.datetime | None, lsn: str | None) -> None:
    """Refuse a point in time: nothing of the past is kept."""
    if timestamp and lsn:
        raise errors.bad_request("a timestamp and an LSN cannot be given both")
    if timestamp and timestamp > now():
        raise errors.bad_request("the timestamp is in the future")
    if timestamp or lsn:
        raise errors.history_not_kept()


def _require_name_free(state: State, project_id: str, name: str) -> None:
    if any(each.name == name for each in state.live_branches(project_id)):
        raise errors.conflict(f'branch already exists; branch_name:"{name}"', "BRANCH_ALREADY_EXISTS")


def _require_parent_fit(parent: Branch) -> None:
    if parent.expires_at:
        raise errors.refused("cannot create a child of a branch that expires")
    if parent.current_state is not BranchState.READY:
        raise errors.refused("branch not ready yet")


def _require_room(state: State, project_id: str, options: BranchOptions, limits: Limits) -> None:
    live = state.live_branches(project_id)
    if len(live) >= limits.branches:
        raise errors.limit_exceeded("branches", limits.branches)
    roots = sum(each.parent_id is None for each in live)
    if options.init_source == "schema-only" and roots >= limits.root_branches:
        raise errors.limit_exceeded("root branches", limits.root_branches)
    if options.protected and sum(each.protected for each in live) >= limits.protected_branches:
        raise errors.limit_exceeded("protected branches", limits.protected_branches)


def _set_expiry(state: State, branch: Branch, expires_at: dt.datetime | None) -> None:
    if expires_at is None:
        branch.expires_at = branch.ttl_interval_seconds = None
        return
    left = expires_at - now()
    if left <= dt.timedelta():
        raise errors.bad_request("expires_at must be in the future")
    if left > _LONGEST_TTL:
        raise errors.bad_request("expires_at must be within 30 days")
    reason = (
        "a protected branch"
        if branch.protected
        else "the default branch"
        if branch.default
        else "a branch that has children"
        if state.children(branch)
        else None
    )
    if reason:
        raise errors.refused(f"{reason} cannot expire")
    branch.expires_at = expires_at
    branch.ttl_interval_seconds = round(left.total_seconds())


def _renew_passwords(roles: list[Role]) -> None:
    for role in roles:
        if role.password is not None:
            role.password, role.updated_at = new_password(), now()


def new_password() -> str:
    """Return a new password for a role."""
    return f"npg_{secrets.token_urlsafe(18)}"
