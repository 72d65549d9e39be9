"""An AWS of the test's own: the real process, on its own folder."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.local.aws import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.aws.account import LocalAccess


@contextmanager
def local_aws(root: Path) -> Iterator[LocalAccess]:
    """Run the AWS of this machine for the project `root` while the block runs."""
    try:
        yield server.ensure_running(root, announce=lambda _: None)
    finally:
        server.stop(root)
