"""What can go wrong on one machine."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What libc, PostgreSQL and PgBouncer print for ENOSPC in the C locale, which all are started in.
_DISK_FULL = "No space left on device"


class ServerStartError(InfraError):
    """A server did not start; the message quotes what it said itself."""

    code = "SERVER_START_FAILED"


class PortInUseError(InfraError):
    """Something else listens on the port."""

    code = "PORT_IN_USE"


class DiskFullError(InfraError):
    """The disk is full; what was there before is untouched."""

    code = "DISK_FULL"


class PoolerMissingError(InfraError):
    """PgBouncer is not installed."""

    code = "POOLER_MISSING"


class ServerAccountError(InfraError):
    """Run as root, and the account that PostgreSQL must run under cannot be made."""

    code = "SERVER_ACCOUNT_MISSING"


class WorldRunningError(InfraError):
    """A local world of this project runs already."""

    code = "WORLD_RUNNING"


def start_error(server: str, output: str, log: Path) -> InfraError:
    """Return the error that a server's own output calls for."""
    if _DISK_FULL in output:
        return disk_full(log.parent)
    lines = [line for line in output.splitlines() if any(word in line for word in ("FATAL", "PANIC", "rror"))]
    reason = (lines or output.splitlines() or ["it said nothing"])[-1].strip()
    return ServerStartError(f"{server} did not start: {reason}", hint=f"the whole story is in {log}")


def disk_full(folder: Path) -> DiskFullError:
    """Return the error for a full disk under `folder`."""
    return DiskFullError(
        f"the disk that holds {folder} is full; nothing that was there before has changed",
        hint="free some space and run the command again",
    )


@contextmanager
def disk_full_translated(folder: Path) -> Iterator[None]:
    """Raise `DiskFullError` for an ENOSPC or EDQUOT that escapes the block."""
    try:
        yield
    except OSError as error:
        # `shutil.copytree` gathers what it met into one error without an errno.
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or _DISK_FULL in str(error):
            raise disk_full(folder) from error
        raise
