"""A full disk, told in the same words whatever was being written."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What libc, PostgreSQL, PgBouncer and uv print for ENOSPC in the C locale, which all are started in.
NO_SPACE: Final = "No space left on device"

#: What `DiskFullError` says itself, also in the output of a process of ours.
DISK_IS_FULL: Final = "is full; nothing that was there before has changed"


class DiskFullError(InfraError):
    """The disk is full; what was there before is untouched."""

    code = "DISK_FULL"


def disk_full(folder: Path) -> DiskFullError:
    """Return the error for a full disk under `folder`."""
    return DiskFullError(
        f"the disk that holds {folder} {DISK_IS_FULL}",
        hint="free some space and run the command again",
    )


@contextmanager
def disk_full_translated(folder: Path) -> Iterator[None]:
    """Raise `DiskFullError` for an ENOSPC or EDQUOT that escapes the block."""
    try:
        yield
    except OSError as error:
        # `shutil.copytree` gathers what it met into one error without an errno.
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or NO_SPACE in str(error):
            raise disk_full(folder) from error
        raise
