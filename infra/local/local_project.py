"""The project of a control plane, made through its API as any other would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.deadline import Deadline
from infra.local import names

if TYPE_CHECKING:
    from infra.http import HttpClient

#: Seconds until its first branch is there, on a busy machine.
_PATIENCE: Final = 60.0


def ids(client: HttpClient) -> list[str]:
    """Return the ids of the projects, the oldest first: the first start made it."""
    projects = client.request("GET", "projects", query={"limit": 100}).json()["projects"]
    return [each["id"] for each in sorted(projects, key=lambda each: str(each["created_at"]))]


def make(client: HttpClient, name: str) -> str:
    """Begin a project with one branch, one database and its owner; return its id."""
    branch = {"name": names.MAIN, "database_name": names.DATABASE, "role_name": names.OWNER}
    made = client.request("POST", "projects", body={"project": {"name": name, "branch": branch}}).json()
    project_id: str = made["project"]["id"]
    return project_id


def await_main(client: HttpClient, project_id: str) -> None:
    """Wait until the first branch is there, and let its endpoint never be suspended.

    What most work is done on is not to be woken every now and then.
    """
    from infra.branches.neon_api import NeonApi  # noqa: PLC0415  its models take time that --help need not pay

    api = NeonApi(client, project_id, Deadline(_PATIENCE))
    main = api.settled(api.branches()[0].id)
    for endpoint in api.endpoints(main.id):
        never = {"endpoint": {"suspend_timeout_seconds": -1}}
        path = ("projects", project_id, "endpoints", endpoint.id)
        client.request("PATCH", *path, body=never, repeatable=True)
