"""Endpoints: the computes of branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from infra.local.neon_api import backend, endpoints, requests
from infra.local.neon_api.backend import answer, nothing
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, now

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from infra.local.neon_api.plans import Step


async def list_endpoints(request: Request) -> Response:
    """Answer with all endpoints of the project."""
    here = backend.of(request)
    live = here.state.live_branches(request.path_params["project_id"])
    return answer(200, {"endpoints": [each for branch in live for each in here.endpoint_documents(branch)]})


async def list_branch_endpoints(request: Request) -> Response:
    """Answer with the endpoints of a branch."""
    here = backend.of(request)
    return answer(200, {"endpoints": here.endpoint_documents(here.branch(request))})


async def create_endpoint(request: Request) -> Response:
    """Give a branch its endpoint, and start it."""
    wanted = (await requests.body(request, requests.EndpointCreate)).endpoint
    here = backend.of(request)
    with here.change() as state:
        branch = state.branch(request.path_params["project_id"], wanted.branch_id)
        endpoint = endpoints.add(state, branch, wanted, here.limits)
        state.require_idle(branch.id)
        here.require_room_for_compute(branch)
        planned = plan(state, branch, (Action.CREATE_COMPUTE, {}), (Action.START_COMPUTE, {}))
    return answer(201, {"endpoint": here.endpoint_document(endpoint)}, planned)


async def get_endpoint(request: Request) -> Response:
    """Answer with one endpoint."""
    here, path = backend.of(request), request.path_params
    endpoint = here.state.endpoint(path["project_id"], path["endpoint_id"])
    return answer(200, {"endpoint": here.endpoint_document(endpoint)})


async def update_endpoint(request: Request) -> Response:
    """Change the size, the suspend timeout or the name; nothing is restarted."""
    wanted = (await requests.body(request, requests.EndpointUpdate)).endpoint
    here, path = backend.of(request), request.path_params
    with here.change() as state:
        endpoint = state.endpoint(path["project_id"], path["endpoint_id"])
        settings = endpoints.changed(endpoint, wanted, here.limits)
        for name, value in settings.model_dump().items():
            setattr(endpoint, name, value)
        endpoint.name = wanted.name or endpoint.name
        endpoint.updated_at = now()
    return answer(200, {"endpoint": here.endpoint_document(endpoint)}, ())


async def delete_endpoint(request: Request) -> Response:
    """Take a branch's endpoint away; its data stays."""
    here, path = backend.of(request), request.path_params
    here.state.project(path["project_id"])
    if path["endpoint_id"] not in here.state.endpoints:
        return nothing()
    with here.change() as state:
        endpoint = state.endpoint(path["project_id"], path["endpoint_id"])
        branch = state.branches[endpoint.branch_id]
        state.require_idle(branch.id)
        document = here.endpoint_document(endpoint)
        planned = plan(state, branch, (Action.SUSPEND_COMPUTE, {"close": True}))
        del state.endpoints[endpoint.id]
    return answer(200, {"endpoint": document}, planned)


async def start_endpoint(request: Request) -> Response:
    """Start the servers."""
    return await _change(request, (Action.START_COMPUTE, {}))


async def suspend_endpoint(request: Request) -> Response:
    """Cut connections and end the servers; the next connection starts them."""
    return await _change(request, (Action.SUSPEND_COMPUTE, {}))


async def restart_endpoint(request: Request) -> Response:
    """Do both."""
    return await _change(request, (Action.SUSPEND_COMPUTE, {}), (Action.START_COMPUTE, {}))


async def _change(request: Request, *steps: Step) -> Response:
    here, path = backend.of(request), request.path_params
    with here.change() as state:
        endpoint = state.endpoint(path["project_id"], path["endpoint_id"])
        branch = state.branches[endpoint.branch_id]
        state.require_idle(branch.id)
        if steps[0][0] is Action.START_COMPUTE:
            here.require_room_for_compute(branch)
        planned = plan(state, branch, *steps)
    return answer(200, {"endpoint": here.endpoint_document(endpoint)}, planned)


_ALL: Final = "/projects/{project_id}/endpoints"
_ONE: Final = _ALL + "/{endpoint_id}"
ROUTES: Final = [
    Route(_ALL, list_endpoints, methods=["GET"]),
    Route(_ALL, create_endpoint, methods=["POST"]),
    Route("/projects/{project_id}/branches/{branch_id}/endpoints", list_branch_endpoints, methods=["GET"]),
    Route(_ONE, get_endpoint, methods=["GET"]),
    Route(_ONE, update_endpoint, methods=["PATCH"]),
    Route(_ONE, delete_endpoint, methods=["DELETE"]),
    Route(f"{_ONE}/start", start_endpoint, methods=["POST"]),
    Route(f"{_ONE}/suspend", suspend_endpoint, methods=["POST"]),
    Route(f"{_ONE}/restart", restart_endpoint, methods=["POST"]),
]
