"""Branches."""

from __future__ import annotations

import base64
import json
import operator
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from infra.local.neon_api import answers, backend, branches, errors, requests
from infra.local.neon_api.backend import answer, nothing
from infra.local.neon_api.plans import plan
from infra.local.neon_api.state import Action, now

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from infra.local.neon_api.state import Branch


async def list_branches(request: Request) -> Response:
    """Answer with one page."""
    query = requests.query(request, requests.BranchQuery)
    here, project_id = backend.of(request), request.path_params["project_id"]
    found = here.state.live_branches(project_id)
    if query.include_deleted:
        found += here.state.recoverable_branches(project_id)
    found = [each for each in found if query.search in each.name or query.search in each.id]
    found.sort(key=lambda each: _position(each, query.sort_by), reverse=query.sort_order == "desc")
    if query.cursor:
        last, is_after = _decoded(query.cursor), operator.lt if query.sort_order == "desc" else operator.gt
        found = [each for each in found if is_after(_position(each, query.sort_by), last)]
    page = found[: query.limit]
    pagination: dict[str, str] = {"sort_by": query.sort_by, "sort_order": query.sort_order}
    if len(found) > len(page):
        pagination["next"] = _encoded(_position(page[-1], query.sort_by))
    return answer(
        200,
        {
            "branches": [answers.branch(each) for each in page],
            "annotations": {each.id: answers.annotation(each) for each in page if each.annotation},
            "pagination": pagination,
        },
    )


async def count_branches(request: Request) -> Response:
    """Answer with their number."""
    search = request.query_params.get("search", "")
    live = backend.of(request).state.live_branches(request.path_params["project_id"])
    return answer(200, {"count": sum(search in each.name for each in live)})


async def create_branch(request: Request) -> Response:
    """Make a branch; the copying is an operation."""
    wanted = await requests.body(request, requests.BranchCreate)
    here = backend.of(request)
    with here.change() as state:
        branch, planned = branches.create(state, request.path_params["project_id"], wanted, here.limits)
        if wanted.endpoints:
            here.require_room_for_compute(branch)
    if not any(each.action is Action.APPLY_CONFIG for each in planned):
        # The connection strings in the answer work from now on; passwords that are renewed come first.
        await here.computes.listen(branch.id)
    document = {
        "branch": answers.branch(branch),
        "endpoints": here.endpoint_documents(branch),
        "roles": [answers.role(branch, each) for each in branch.roles],
        "databases": [answers.database(branch, each) for each in branch.databases],
        **answers.connection_uris(branch, here.state.endpoint_of(branch.id)),
    }
    return answer(201, document, planned)


async def get_branch(request: Request) -> Response:
    """Answer with one branch."""
    branch = backend.of(request).branch(request)
    return answer(200, {"branch": answers.branch(branch), "annotation": answers.annotation(branch)})


async def update_branch(request: Request) -> Response:
    """Rename, protect, or set the expiry."""
    wanted = await requests.body(request, requests.BranchUpdate)
    here = backend.of(request)
    with here.change() as state:
        branch = here.branch(request)
        branches.update(state, branch, wanted.branch, here.limits)
    return answer(200, {"branch": answers.branch(branch)}, ())


async def delete_branch(request: Request) -> Response:
    """Delete a branch; what is deleted already is left alone, unless it is to go for good."""
    hard = requests.query(request, requests.DeleteQuery).hard_delete
    here, project_id = backend.of(request), request.path_params["project_id"]
    here.state.project(project_id)
    branch = here.state.branches.get(request.path_params["branch_id"])
    if branch is None or branch.project_id != project_id:
        return nothing()
    if branch.deleted_at:
        if hard and not any(each.changes(branch.id) for each in here.state.unfinished()):
            with here.change() as state:
                plan(state, branch, (Action.DELETE_TIMELINE, {}))
        return nothing()
    with here.change() as state:
        branch = here.branch(request)
        planned = branches.delete(state, branch, hard=hard)
    return answer(200, {"branch": answers.branch(branch)}, planned)


async def recover_branch(request: Request) -> Response:
    """Take back a deletion; the endpoint is idle then."""
    here, path = backend.of(request), request.path_params
    with here.change() as state:
        branch = branches.recover(state, path["project_id"], path["branch_id"], here.limits)
    await here.computes.listen(branch.id)
    return answer(200, {"branch": answers.branch(branch), "endpoints": here.endpoint_documents(branch)})


async def restore_branch(request: Request) -> Response:
    """Replace the data; until the copy is there the old serves on."""
    wanted = await requests.body(request, requests.BranchRestore)
    here = backend.of(request)
    with here.change() as state:
        branch = here.branch(request)
        planned = branches.restore(state, branch, wanted, here.limits)
    # As it is going to be.
    document = answers.branch(
        branch.model_copy(update={"parent_id": wanted.source_branch_id, "last_reset_at": now()})
    )
    return answer(200, {"branch": document}, planned)


async def set_default_branch(request: Request) -> Response:
    """Make the branch the default one."""
    here = backend.of(request)
    with here.change() as state:
        branch = here.branch(request)
        branches.set_default(state, branch)
    return answer(200, {"branch": answers.branch(branch)}, ())


def _position(branch: Branch, sort_by: str) -> list[str]:
    value: Any = getattr(branch, sort_by)
    return [value if isinstance(value, str) else value.isoformat(timespec="microseconds"), branch.id]


def _encoded(position: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _decoded(cursor: str) -> list[str]:
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor))
    except ValueError as error:
        raise errors.bad_request("invalid cursor") from error
    if not (isinstance(position, list) and [type(each) for each in position] == [str, str]):
        raise errors.bad_request("invalid cursor")
    return position


_ALL: Final = "/projects/{project_id}/branches"
_ONE: Final = _ALL + "/{branch_id}"
ROUTES: Final = [
    Route(_ALL, list_branches, methods=["GET"]),
    Route(_ALL, create_branch, methods=["POST"]),
    Route(f"{_ALL}/count", count_branches, methods=["GET"]),
    Route(_ONE, get_branch, methods=["GET"]),
    Route(_ONE, update_branch, methods=["PATCH"]),
    Route(_ONE, delete_branch, methods=["DELETE"]),
    Route(f"{_ONE}/recover", recover_branch, methods=["POST"]),
    Route(f"{_ONE}/restore", restore_branch, methods=["POST"]),
    Route(f"{_ONE}/set_as_default", set_default_branch, methods=["POST"]),
]
