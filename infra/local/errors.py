"""What can go wrong on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.disk import DISK_IS_FULL, NO_SPACE, disk_full
from infra.errors import InfraError

if TYPE_CHECKING:
    from pathlib import Path


class ServerStartError(InfraError):
    """A server did not start; the message quotes what it said itself."""

    code = "SERVER_START_FAILED"


class PortInUseError(InfraError):
    """Something else listens on the port."""

    code = "PORT_IN_USE"


class PoolerMissingError(InfraError):
    """PgBouncer is not installed."""

    code = "POOLER_MISSING"


class ServerAccountError(InfraError):
    """Run as root, and the account that PostgreSQL must run under cannot be made."""

    code = "SERVER_ACCOUNT_MISSING"


class CopyError(InfraError):
    """A branch's data could not be copied; nothing of the copy is used."""

    code = "COPY_FAILED"


class StateError(InfraError):
    """What the control plane knew cannot be read."""

    code = "STATE_UNREADABLE"


class ProgramError(InfraError):
    """One of PostgreSQL's client programs failed; the message quotes it."""

    code = "PROGRAM_FAILED"


class WorldRunningError(InfraError):
    """A local world of this project runs already."""

    code = "WORLD_RUNNING"


def start_error(server: str, output: str, log: Path) -> InfraError:
    """Return the error that a server's own output calls for."""
    if NO_SPACE in output or DISK_IS_FULL in output:
        return disk_full(log.parent)
    lines = [line for line in output.splitlines() if any(word in line for word in ("FATAL", "PANIC", "rror"))]
    reason = (lines or output.splitlines() or ["it said nothing"])[-1].strip()
    return ServerStartError(f"{server} did not start: {reason}", hint=f"the whole story is in {log}")
