"""The project of a control plane, made through its API as any other would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.branches.errors import BranchError
from infra.deadline import Deadline
from infra.local import names

if TYPE_CHECKING:
    from infra.branches.neon.api import NeonApi
    from infra.http import HttpClient

#: Seconds until its first branch is there, on a busy machine.
_PATIENCE: Final = 60.0


def ids(client: HttpClient) -> list[str]:
    """Return the ids of the projects, the oldest first: the first start made it."""
    projects = client.request("GET", "projects", query={"limit": 100}).json()["projects"]
    return [each["id"] for each in sorted(projects, key=lambda each: str(each["created_at"]))]


def make(client: HttpClient, name: str) -> str:
    """Make a project with one branch, one database and its owner; return its id.

    Raises:
        BranchError: The branch could not be made, and there is no project; the message says why.
    """
    from infra.branches.neon.answers import OperationsAnswer  # noqa: PLC0415  see `_api`

    branch = {"name": names.MAIN, "database_name": names.DATABASE, "role_name": names.OWNER}
    made = client.request("POST", "projects", body={"project": {"name": name, "branch": branch}}).json()
    project_id: str = made["project"]["id"]
    try:
        _api(client, project_id).finish(OperationsAnswer.model_validate(made).operations)
    except BranchError:
        client.request("DELETE", "projects", project_id, repeatable=True)
        raise
    return project_id


def await_main(client: HttpClient, project_id: str) -> None:
    """Wait until the first branch is there, and let its endpoint never be suspended.

    What most work is done on is not to be woken every now and then.
    """
    api = _api(client, project_id)
    main = api.settled(api.branches()[0].id)
    for endpoint in api.endpoints(main.id):
        never = {"endpoint": {"suspend_timeout_seconds": -1}}
        path = ("projects", project_id, "endpoints", endpoint.id)
        client.request("PATCH", *path, body=never, repeatable=True)


def _api(client: HttpClient, project_id: str) -> NeonApi:
    # Imported here: its models take time that `--help` need not pay.
    from infra.branches.neon.api import NeonApi  # noqa: PLC0415  see above

    return NeonApi(client, project_id, Deadline(_PATIENCE))
