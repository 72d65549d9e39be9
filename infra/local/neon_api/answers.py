"""What requests are answered with: Neon's documents, made from the state."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from infra.local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.local.neon_api.state import Branch, Database, Endpoint, Operation, Project, Role, State

REGION: Final = "local"
ORGANIZATION_ID: Final = "org-local"
OWNER_ID: Final = "local"
POSTGRES_VERSION: Final = 18
_PROVISIONER: Final = "k8s-neonvm"
#: Soft-deleted branches are kept as long as at Neon.
RECOVERY_WINDOW: Final = dt.timedelta(days=7)

Document = dict[str, Any]

_INTERNAL_OF_BRANCH: Final = {"annotation", "roles", "databases", "deleted_at"}
_INTERNAL_OF_ENDPOINT: Final = {"direct_port", "pooled_port"}
_INTERNAL_OF_OPERATION: Final = {"batch", "source_id", "details"}
#: Neon bills by these; here nothing is counted.
_UNCOUNTED: Final = {
    "cpu_used_sec": 0,
    "compute_time_seconds": 0,
    "active_time_seconds": 0,
    "written_data_bytes": 0,
    "data_transfer_bytes": 0,
}


def project_item(project: Project) -> Document:
    """Return a project as lists show it."""
    return {
        **project.model_dump(mode="json"),
        "platform_id": REGION,
        "region_id": REGION,
        "provisioner": _PROVISIONER,
        "pg_version": POSTGRES_VERSION,
        "proxy_host": LOOPBACK,
        "branch_logical_size_limit": 0,
        "branch_logical_size_limit_bytes": 0,
        "store_passwords": True,
        "creation_source": "console",
        "active_time": 0,
        "cpu_used_sec": 0,
        "owner_id": OWNER_ID,
        "org_id": ORGANIZATION_ID,
        "history_retention_seconds": 0,
    }


def project(project: Project) -> Document:
    """Return a project in full."""
    item = project_item(project)
    del item["active_time"]
    return {
        **item,
        **_UNCOUNTED,
        "data_storage_bytes_hour": 0,
        "consumption_period_start": item["created_at"],
        "consumption_period_end": item["created_at"],
    }


def branch(branch: Branch) -> Document:
    """Return a branch."""
    document = {
        **branch.model_dump(mode="json", exclude=_INTERNAL_OF_BRANCH, exclude_none=True),
        **_UNCOUNTED,
        "primary": branch.default,
    }
    if branch.deleted_at:
        document["recovery"] = {
            "deleted_at": _moment(branch.deleted_at),
            "recoverable_until": _moment(branch.deleted_at + RECOVERY_WINDOW),
            "deletion_method": "user",
        }
    return document


def annotation(branch: Branch) -> Document:
    """Return what the branch was annotated with when it was made."""
    return {
        "object": {"type": "console/branch", "id": branch.id},
        "value": branch.annotation or {},
        "created_at": _moment(branch.created_at),
        "updated_at": _moment(branch.created_at),
    }


def endpoint(endpoint: Endpoint, state: State, *, is_running: bool) -> Document:
    """Return an endpoint, in the state that its servers are in."""
    document = {
        **endpoint.model_dump(mode="json", exclude=_INTERNAL_OF_ENDPOINT, exclude_none=True),
        "host": f"{LOOPBACK}:{endpoint.direct_port}",
        "proxy_host": LOOPBACK,
        "region_id": REGION,
        "type": "read_write",
        "current_state": "active" if is_running else "idle",
        "settings": {},
        "pooler_enabled": False,
        "pooler_mode": "transaction",
        "disabled": False,
        "passwordless_access": False,
        "creation_source": "console",
        "provisioner": _PROVISIONER,
    }
    pending = {each.action for each in state.unfinished() if endpoint.id == each.endpoint_id}
    if endpoint.started_at is None and not is_running:
        document["current_state"] = "init"
    if pending:
        document["pending_state"] = "idle" if pending == {"suspend_compute"} else "active"
    return document


def operation(operation: Operation) -> Document:
    """Return an operation."""
    took = operation.updated_at - operation.created_at
    return {
        **operation.model_dump(mode="json", exclude=_INTERNAL_OF_OPERATION, exclude_none=True),
        "total_duration_ms": int(took / dt.timedelta(milliseconds=1)),
    }


def role(branch: Branch, role: Role, *, reveal: bool = False) -> Document:
    """Return a role, with its password only where Neon says it: when it has just been made."""
    document = {
        "branch_id": branch.id,
        "name": role.name,
        "protected": False,
        "authentication_method": "no_login" if role.password is None else "password",
        "created_at": _moment(role.created_at),
        "updated_at": _moment(role.updated_at),
    }
    return document | ({"password": role.password} if reveal and role.password is not None else {})


def database(branch: Branch, database: Database) -> Document:
    """Return a database."""
    return {**database.model_dump(mode="json"), "branch_id": branch.id}


def operations(batch: Iterable[Operation]) -> list[Document]:
    """Return operations in their order."""
    return [operation(each) for each in batch]


def connection_uri(endpoint: Endpoint, database: str, role: Role, *, pooled: bool = False) -> str:
    """Return a URL **with the password**; there is no TLS on this machine."""
    port = endpoint.pooled_port if pooled else endpoint.direct_port
    user = f"{quote(role.name, safe='')}:{quote(role.password or '', safe='')}"
    return f"postgresql://{user}@{LOOPBACK}:{port}/{quote(database, safe='')}?sslmode=disable"


def connection_uris(branch: Branch, endpoint: Endpoint | None) -> Document:
    """Return what a new branch can be connected with; nothing where that would be ambiguous."""
    if endpoint is None or len(branch.roles) != 1 or len(branch.databases) != 1:
        return {}
    role, database = branch.roles[0], branch.databases[0].name
    details = {
        "connection_uri": connection_uri(endpoint, database, role),
        "connection_parameters": {
            "database": database,
            "password": role.password or "",
            "role": role.name,
            "host": f"{LOOPBACK}:{endpoint.direct_port}",
            "pooler_host": f"{LOOPBACK}:{endpoint.pooled_port}",
        },
    }
    return {"connection_uris": [details]}


def _moment(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
