"""What the routes act on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from starlette.responses import JSONResponse, Response

from infra.local.neon_api import answers, errors
from infra.local.neon_api.state import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.requests import Request

    from infra.local.neon_api.computes import Computes
    from infra.local.neon_api.limits import Limits
    from infra.local.neon_api.operations import Operations
    from infra.local.neon_api.state import Branch, Endpoint, Operation, State, Store


@dataclass(frozen=True, slots=True)
class Backend:
    """The state, the servers, and what is being done to them."""

    store: Store
    computes: Computes
    operations: Operations
    limits: Limits

    @property
    def state(self) -> State:
        """What is known; read it anew after every `await`."""
        return self.store.state

    @contextmanager
    def change(self) -> Iterator[State]:
        """Change the state in the block, or refuse; then run what is to be done."""
        with self.store.change() as state:
            yield state
        self.operations.run_planned()

    def branch(self, request: Request) -> Branch:
        """Return the branch of the request's path, or refuse with 404."""
        return self.state.branch(request.path_params["project_id"], request.path_params["branch_id"])

    def require_room_for_compute(self, branch: Branch) -> None:
        """Refuse one compute too many; the default branch always has room, as at Neon."""
        starting = {each.branch_id for each in self.state.unfinished() if each.action == Action.START_COMPUTE}
        active = sum(
            not self.state.branches[each.branch_id].default
            and each.branch_id != branch.id
            and (each.branch_id in starting or self.computes.is_running(each.branch_id))
            for each in self.state.endpoints.values()
        )
        if not branch.default and active >= self.limits.active_endpoints:
            raise errors.limit_exceeded("active endpoints", self.limits.active_endpoints)

    def endpoint_document(self, endpoint: Endpoint) -> answers.Document:
        """Return an endpoint as it is now."""
        running = self.computes.is_running(endpoint.branch_id)
        return answers.endpoint(endpoint, self.state, is_running=running)

    def endpoint_documents(self, branch: Branch) -> list[answers.Document]:
        """Return the endpoints of a branch: one or none."""
        endpoint = self.state.endpoint_of(branch.id)
        return [self.endpoint_document(endpoint)] if endpoint else []


def of(request: Request) -> Backend:
    """Return what the request's route acts on."""
    return cast("Backend", request.app.state.backend)


def answer(status: int, document: dict[str, Any], operations: Iterable[Operation] | None = None) -> Response:
    """Return a JSON answer, with its operations where the route has them."""
    done = {} if operations is None else {"operations": answers.operations(operations)}
    return JSONResponse({**document, **done}, status)


def refusal(request: Request, error: errors.ApiError) -> Response:
    """Return the answer that refuses, in Neon's form."""
    request_id = request.state.request_id
    body = {"request_id": request_id, "code": error.code, "message": str(error)}
    return JSONResponse(body, error.status, headers={"X-Request-ID": request_id, **error.headers})


def nothing() -> Response:
    """Return the answer to a deletion of what is not there."""
    return Response(status_code=204)
