"""Databases of a branch, their schemas, and how to connect to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from infra.local.neon_api import answers, backend, errors, requests
from infra.local.neon_api.backend import answer, nothing
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, Database

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from infra.local.neon_api.state import Branch

_RESERVED: Final = ("postgres", "template0", "template1", "pgbouncer")


async def list_databases(request: Request) -> Response:
    """Answer with all databases that were made through the API."""
    branch = backend.of(request).branch(request)
    return answer(200, {"databases": [answers.database(branch, each) for each in branch.databases]})


async def create_database(request: Request) -> Response:
    """Make a database that a role of the branch owns."""
    wanted = (await requests.body(request, requests.DatabaseCreate)).database
    here = backend.of(request)
    if wanted.name in _RESERVED:
        raise errors.bad_request(f"database name is reserved; database_name: {wanted.name}")
    with here.change() as state:
        branch = here.branch(request)
        if any(each.name == wanted.name for each in branch.databases):
            raise errors.conflict("database already exists")
        if all(each.name != wanted.owner_name for each in branch.roles):
            raise errors.not_found("role")
        if len(branch.databases) >= here.limits.databases:
            raise errors.limit_exceeded("databases", here.limits.databases)
        state.require_idle(branch.id)
        last = max((each.id for each in branch.databases), default=0)
        database = Database(id=last + 1, name=wanted.name, owner_name=wanted.owner_name)
        branch.databases.append(database)
        planned = plan(state, branch, (Action.APPLY_CONFIG, {"databases": [database.name]}))
    return answer(201, {"database": answers.database(branch, database)}, planned)


async def get_database(request: Request) -> Response:
    """Answer with one database."""
    branch = backend.of(request).branch(request)
    return answer(
        200, {"database": answers.database(branch, named(branch, request.path_params["database_name"]))}
    )


async def delete_database(request: Request) -> Response:
    """Drop a database with its data."""
    here, name = backend.of(request), request.path_params["database_name"]
    if all(each.name != name for each in here.branch(request).databases):
        return nothing()
    with here.change() as state:
        branch = here.branch(request)
        state.require_idle(branch.id)
        database = named(branch, name)
        branch.databases.remove(database)
        planned = plan(state, branch, (Action.APPLY_CONFIG, {"dropped_databases": [name]}))
    return answer(200, {"database": answers.database(branch, database)}, planned)


async def connection_uri(request: Request) -> Response:
    """Answer with a URL; without a branch the default one's, as at Neon."""
    query = requests.query(request, requests.ConnectionUriQuery)
    state, project_id = backend.of(request).state, request.path_params["project_id"]
    if query.branch_id:
        branch = state.branch(project_id, query.branch_id)
    elif query.endpoint_id:
        branch = state.branches[state.endpoint(project_id, query.endpoint_id).branch_id]
    else:
        branch = state.default_branch(project_id)
    endpoint = state.endpoint_of(branch.id)
    if endpoint is None or query.endpoint_id not in (None, endpoint.id):
        raise errors.not_found("endpoint")
    database = named(branch, query.database_name)
    role = next((each for each in branch.roles if each.name == query.role_name), None)
    if role is None:
        raise errors.not_found("role")
    return answer(200, {"uri": answers.connection_uri(endpoint, database.name, role, pooled=query.pooled)})


def named(branch: Branch, name: str) -> Database:
    """Return the branch's database of this name, or refuse with 404."""
    database = next((each for each in branch.databases if each.name == name), None)
    if database is None:
        raise errors.not_found("database")
    return database


_ALL: Final = "/projects/{project_id}/branches/{branch_id}/databases"
_ONE: Final = _ALL + "/{database_name}"
ROUTES: Final = [
    Route(_ALL, list_databases, methods=["GET"]),
    Route(_ALL, create_database, methods=["POST"]),
    Route(_ONE, get_database, methods=["GET"]),
    Route(_ONE, delete_database, methods=["DELETE"]),
    Route("/projects/{project_id}/connection_uri", connection_uri, methods=["GET"]),
]
