"""Projects, their operations, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from infra.local.neon_api import answers, backend, branches, endpoints, errors, ids, requests
from infra.local.neon_api.backend import answer
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, Branch, Database, EndpointSettings, Project, Role, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

_EMAIL: Final = "developer@example.com"


async def list_projects(request: Request) -> Response:
    """Answer with one page."""
    query = requests.query(request, requests.ProjectQuery)
    found = [
        each
        for each in backend.of(request).state.projects.values()
        if query.search in each.name or query.search in each.id
    ]
    page, pagination = _page(found, query.limit, query.cursor)
    documents = [answers.project_item(each) for each in page]
    return answer(200, {"projects": documents, "applications": {}, "integrations": {}, **pagination})


async def list_shared_projects(request: Request) -> Response:
    """Answer with none: nobody else is here."""
    requests.query(request, requests.ProjectQuery)
    return answer(200, {"projects": []})


async def create_project(request: Request) -> Response:
    """Make a project with its default branch, a role, a database and an endpoint."""
    wanted = (await requests.body(request, requests.ProjectCreate)).project
    here = backend.of(request)
    settings = endpoints.changed(EndpointSettings(), wanted.default_endpoint_settings, here.limits)
    with here.change() as state:
        project_id = ids.project_id()
        name = wanted.name or project_id
        project = Project(id=project_id, name=name, default_endpoint_settings=settings)
        database = wanted.branch.database_name
        role = Role(name=wanted.branch.role_name or f"{database}_owner", password=branches.new_password())
        branch = Branch(
            id=ids.branch_id(),
            project_id=project_id,
            name=wanted.branch.name,
            default=True,
            roles=[role],
            databases=[Database(id=1, name=database, owner_name=role.name)],
        )
        state.projects[project.id], state.branches[branch.id] = project, branch
        options = requests.EndpointOptions(type=requests.EndpointType.READ_WRITE)
        endpoint = endpoints.add(state, branch, options, here.limits)
        config = {"roles": [role.name], "databases": [database]}
        planned = plan(
            state,
            branch,
            (Action.CREATE_TIMELINE, {}),
            (Action.APPLY_CONFIG, config),
            (Action.START_COMPUTE, {}),
        )
    document = {
        "project": answers.project(project),
        "branch": answers.branch(branch),
        "endpoints": here.endpoint_documents(branch),
        "roles": [answers.role(branch, role, reveal=True)],
        "databases": [answers.database(branch, each) for each in branch.databases],
        **answers.connection_uris(branch, endpoint),
    }
    return answer(201, document, planned)


async def get_project(request: Request) -> Response:
    """Answer with one project."""
    project = backend.of(request).state.project(request.path_params["project_id"])
    return answer(200, {"project": answers.project(project)})


async def update_project(request: Request) -> Response:
    """Rename the project, or change what new endpoints get."""
    wanted = (await requests.body(request, requests.ProjectUpdate)).project
    here = backend.of(request)
    with here.change() as state:
        project = state.project(request.path_params["project_id"])
        project.name = wanted.name or project.name
        settings = project.default_endpoint_settings
        project.default_endpoint_settings = endpoints.changed(
            settings, wanted.default_endpoint_settings, here.limits
        )
        project.updated_at = now()
    return answer(200, {"project": answers.project(project)}, ())


async def delete_project(request: Request) -> Response:
    """Delete the project with all its branches, for good."""
    here = backend.of(request)
    with here.change() as state:
        project = state.project(request.path_params["project_id"])
        gone = [each for each in state.branches.values() if each.project_id == project.id]
        for branch in gone:
            state.require_idle(branch.id)
        for branch in gone:
            branch.deleted_at = branch.deleted_at or now()
            plan(state, branch, (Action.DELETE_TIMELINE, {}))
        del state.projects[project.id]
    return answer(200, {"project": answers.project(project)})


async def list_operations(request: Request) -> Response:
    """Answer with one page, the newest first."""
    query = requests.query(request, requests.PageQuery)
    state, project_id = backend.of(request).state, request.path_params["project_id"]
    state.project(project_id)
    found = [each for each in reversed(state.operations.values()) if each.project_id == project_id]
    page, pagination = _page(found, query.limit, query.cursor)
    return answer(200, {**pagination}, page)


async def get_operation(request: Request) -> Response:
    """Answer with one operation."""
    state, path = backend.of(request).state, request.path_params
    state.project(path["project_id"])
    operation = state.operations.get(path["operation_id"])
    if operation is None or operation.project_id != path["project_id"]:
        raise errors.not_found("operation")
    return answer(200, {"operation": answers.operation(operation)})


async def get_user(_request: Request) -> Response:
    """Answer with whoever sits at this machine."""
    limits = backend.of(_request).limits
    document = {
        "active_seconds_limit": 0,
        "auth_accounts": [],
        "email": _EMAIL,
        "id": answers.OWNER_ID,
        "image": "",
        "login": answers.OWNER_ID,
        "name": "Local",
        "last_name": "Developer",
        "projects_limit": 1,
        "branches_limit": limits.branches,
        "max_autoscaling_limit": 0,
        "plan": "free_v3",
    }
    return answer(200, document)


async def list_organizations(_request: Request) -> Response:
    """Answer with the one organization that all projects belong to."""
    beginning = "2000-01-01T00:00:00Z"
    organization = {
        "id": answers.ORGANIZATION_ID,
        "name": "This machine",
        "handle": answers.ORGANIZATION_ID,
        "plan": "free_v3",
        "managed_by": "console",
        "created_at": beginning,
        "updated_at": beginning,
    }
    return answer(200, {"organizations": [organization]})


async def list_regions(_request: Request) -> Response:
    """Answer with the one there is."""
    region = {
        "region_id": answers.REGION,
        "name": "This machine",
        "default": True,
        "geo_lat": "",
        "geo_long": "",
    }
    return answer(200, {"regions": [region]})


def _page(found: Sequence[Any], limit: int, cursor: str | None) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return a page and its pagination: a cursor even on the last one, as at Neon."""
    if cursor:
        positions = [str(each.id) for each in found]
        if cursor not in positions:
            raise errors.bad_request("invalid cursor")
        found = found[positions.index(cursor) + 1 :]
    page = found[:limit]
    last = str(page[-1].id) if page else cursor
    return page, {"pagination": {"cursor": last}} if last else {}


_ONE: Final = "/projects/{project_id}"
ROUTES: Final = [
    Route("/users/me", get_user, methods=["GET"]),
    Route("/users/me/organizations", list_organizations, methods=["GET"]),
    Route("/regions", list_regions, methods=["GET"]),
    Route("/projects", list_projects, methods=["GET"]),
    Route("/projects", create_project, methods=["POST"]),
    Route("/projects/shared", list_shared_projects, methods=["GET"]),
    Route(_ONE, get_project, methods=["GET"]),
    Route(_ONE, update_project, methods=["PATCH"]),
    Route(_ONE, delete_project, methods=["DELETE"]),
    Route(f"{_ONE}/operations", list_operations, methods=["GET"]),
    Route(_ONE + "/operations/{operation_id:uuid}", get_operation, methods=["GET"]),
]
