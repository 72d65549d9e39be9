"""What one command makes on this machine, and nobody keeps: a folder in `.bough/`, with servers below it."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local import lock_file, servers
from infra.local.own_folder import folder as own_folder
from infra.local.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class Throwaway:
    """A folder for the length of a command.

    Args:
        folder: Its own, mode 0700.
        kept: Whether it stays, with what runs below it, until the next command of its kind.
    """

    folder: Path
    kept: bool = False


@contextmanager
def throwaway_folder(root: Path, kind: str) -> Iterator[Throwaway]:
    """Make a folder; it is gone at the end, and so are the servers below it.

    What killed commands left, and what earlier ones have kept, is deleted by the next one.

    Args:
        root: The project's folder, whose `.bough/` holds it.
        kind: Of the command.
    """
    place = own_folder(root) / kind
    place.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as stack:
        # One that is just being made has no lock yet.
        with lock_file.waited_for(place.with_suffix(".lock")):
            for left in place.iterdir():
                if lock_file.holder(left / "lock") is None:
                    servers.remove_below(left)
            throwaway = Throwaway(place / secrets.token_hex(4))
            throwaway.folder.mkdir(mode=0o700)
            stack.enter_context(lock_file.held(throwaway.folder / "lock"))
        try:
            yield throwaway
        finally:
            if not throwaway.kept:
                servers.remove_below(throwaway.folder)


@contextmanager
def throwaway_cluster(root: Path) -> Iterator[PostgresCluster]:
    """Start an empty server; it and its data are gone at the end.

    Raises:
        ServerStartError, DiskFullError: PostgreSQL did not start.
    """
    with throwaway_folder(root, "throwaway") as throwaway:
        yield PostgresCluster.start(throwaway.folder / "postgres", durable=False)
