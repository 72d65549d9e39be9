"""Roles of a branch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from infra.local.neon_api import answers, backend, branches, catalog, errors, requests
from infra.local.neon_api.backend import answer, nothing
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, Role, now

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from infra.local.neon_api.state import Branch

#: Nobody but the control plane may be these.
_RESERVED: Final = ("postgres", "neon_superuser", "public", "none")


async def list_roles(request: Request) -> Response:
    """Answer with all roles that were made through the API."""
    branch = backend.of(request).branch(request)
    return answer(200, {"roles": [answers.role(branch, each) for each in branch.roles]})


async def create_role(request: Request) -> Response:
    """Make a role with a new password."""
    wanted = (await requests.body(request, requests.RoleCreate)).role
    here = backend.of(request)
    compute = await here.computes.ready(here.branch(request))
    if wanted.name.startswith("pg_") or wanted.name in _RESERVED:
        raise errors.bad_request(f"role name is reserved; role_name: {wanted.name}")
    if await asyncio.to_thread(catalog.role_exists, compute.superuser_url(), wanted.name):
        raise errors.conflict("role already exists")
    with here.change() as state:
        branch = here.branch(request)
        if any(each.name == wanted.name for each in branch.roles):
            raise errors.conflict("role already exists")
        if len(branch.roles) >= here.limits.roles:
            raise errors.limit_exceeded("roles", here.limits.roles)
        state.require_idle(branch.id)
        role = Role(name=wanted.name, password=None if wanted.no_login else branches.new_password())
        branch.roles.append(role)
        planned = plan(state, branch, (Action.APPLY_CONFIG, {"roles": [role.name]}))
    return answer(201, {"role": answers.role(branch, role, reveal=True)}, planned)


async def get_role(request: Request) -> Response:
    """Answer with one role, without its password."""
    branch = backend.of(request).branch(request)
    return answer(200, {"role": answers.role(branch, _named(request, branch))})


async def delete_role(request: Request) -> Response:
    """Drop a role that owns nothing."""
    here, name = backend.of(request), request.path_params["role_name"]
    branch = here.branch(request)
    if all(each.name != name for each in branch.roles):
        return nothing()
    compute = await here.computes.ready(branch)
    if await asyncio.to_thread(catalog.owns_anything, compute.superuser_url(), name):
        raise errors.refused(f"cannot delete role that owns objects; role_name: {name}")
    with here.change() as state:
        branch = here.branch(request)
        role = _named(request, branch)
        state.require_idle(branch.id)
        branch.roles.remove(role)
        planned = plan(state, branch, (Action.APPLY_CONFIG, {"dropped_roles": [name]}))
    return answer(200, {"role": answers.role(branch, role)}, planned)


async def reveal_password(request: Request) -> Response:
    """Answer with the password."""
    role = _named(request, backend.of(request).branch(request))
    if role.password is None:
        raise errors.not_found("role password")
    return answer(200, {"password": role.password})


async def reset_password(request: Request) -> Response:
    """Give the role a new password; connections through the pooler are cut."""
    here = backend.of(request)
    with here.change() as state:
        branch = here.branch(request)
        role = _named(request, branch)
        state.require_idle(branch.id)
        role.password, role.updated_at = branches.new_password(), now()
        details = {"roles": [role.name], "renewed": True}
        planned = plan(state, branch, (Action.APPLY_CONFIG, details))
    return answer(200, {"role": answers.role(branch, role, reveal=True)}, planned)


def _named(request: Request, branch: Branch) -> Role:
    name = request.path_params["role_name"]
    role = next((each for each in branch.roles if each.name == name), None)
    if role is None:
        raise errors.not_found("role")
    return role


_ALL: Final = "/projects/{project_id}/branches/{branch_id}/roles"
_ONE: Final = _ALL + "/{role_name}"
ROUTES: Final = [
    Route(_ALL, list_roles, methods=["GET"]),
    Route(_ALL, create_role, methods=["POST"]),
    Route(_ONE, get_role, methods=["GET"]),
    Route(_ONE, delete_role, methods=["DELETE"]),
    Route(f"{_ONE}/reveal_password", reveal_password, methods=["GET"]),
    Route(f"{_ONE}/reset_password", reset_password, methods=["POST"]),
]
