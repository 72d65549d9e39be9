"""A PostgreSQL of this machine for the length of one command: what is made on it, nobody keeps."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.local import lock_file, servers
from infra.local.own_folder import folder as own_folder
from infra.local.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def throwaway_cluster(root: Path) -> Iterator[PostgresCluster]:
    """Start an empty server; it and its data are gone at the end.

    What a killed command left is deleted by the next one.

    Args:
        root: The project's folder, whose `.bough/` holds it.

    Raises:
        ServerStartError, DiskFullError: PostgreSQL did not start.
    """
    place = own_folder(root) / "throwaway"
    folder = place / secrets.token_hex(4)
    folder.mkdir(mode=0o700, parents=True)
    with lock_file.held(folder / "lock"):
        try:
            for other in place.iterdir():
                # One without a lock file is just being made.
                if (other / "lock").exists() and lock_file.holder(other / "lock") is None:
                    servers.remove_below(other)
            yield PostgresCluster.start(folder / "postgres", durable=False)
        finally:
            servers.remove_below(folder)
