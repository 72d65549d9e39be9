"""The local world of one project: what `bough up` serves, who holds it, and how others find it.

Everything lies in the project's `.bough/`. The lock on `up.lock` says whether a world runs. Its
database is a branch of the project's control plane, which other commands use as well.
"""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from api.database.connection_url import DirectUrl, PooledUrl
from infra.branches.provider import DatabaseRole
from infra.local import control_plane, lock_file, names, ports, processes
from infra.local.aws import server as aws
from infra.local.errors import WorldRunningError
from infra.local.own_folder import folder, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.branches.provider import Branch
    from infra.local.control_plane import ControlPlane

#: Seconds that a world gets to end: PostgreSQL writes a checkpoint, invocations are cut short.
_END_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class State:
    """A running world, as `bough status` and other commands see it.

    Args:
        pid: Of `bough up`.
        api_url: Where the application answers.
        branch: Name of the branch that it works on.
        database_url: What the application logs in with.
        database_url_unpooled: What migrations log in with.
        artifact: The folder that is served, or the zip that was deployed.
        handler: What the runtime client calls in it.
    """

    pid: int
    api_url: str
    branch: str
    database_url: PooledUrl
    database_url_unpooled: DirectUrl
    artifact: str
    handler: str

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON takes it, **with the passwords**."""
        return {
            "pid": self.pid,
            "api_url": self.api_url,
            "branch": self.branch,
            "database_url": self.database_url.libpq(),
            "database_url_unpooled": self.database_url_unpooled.libpq(),
            "artifact": self.artifact,
            "handler": self.handler,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read what `to_json` returned."""
        return cls(
            pid=document["pid"],
            api_url=document["api_url"],
            branch=document["branch"],
            database_url=PooledUrl.parse(document["database_url"]),
            database_url_unpooled=DirectUrl.parse(document["database_url_unpooled"]),
            artifact=document["artifact"],
            handler=document["handler"],
        )


@dataclass(frozen=True, slots=True)
class Databases:
    """The part of a world that serves the database: one branch, behind ports that never change.

    Args:
        control_plane: Whose branch it is.
        branch: What it is.
        database_url: What the application logs in with.
        database_url_unpooled: What migrations log in with.
        ran_before: Whether the control plane did, and so goes on when the world ends.
    """

    control_plane: ControlPlane
    branch: Branch
    database_url: PooledUrl
    database_url_unpooled: DirectUrl
    ran_before: bool

    def environment(self, auth_secret: str) -> dict[str, str]:
        """Return the environment variables that the function gets, **with the password**."""
        return {
            "DATABASE_URL": self.database_url.libpq(),
            "BOUGH_ENVIRONMENT": "development",
            "AUTH_SECRET": auth_secret,
        }


def read_state(root: Path) -> State | None:
    """Return the project's running world, or `None`; what a killed one left behind does not count."""
    path = root / ".bough" / "state.json"
    if not path.exists() or lock_file.holder(_lock(root)) is None:
        return None
    return State.from_json(json.loads(path.read_text()))


@contextmanager
def hold(root: Path, port: int | None) -> Iterator[None]:
    """Be the one world of the project for the length of the block, on a port that is free.

    Args:
        root: The project's folder.
        port: `None` where the caller sees to that.

    Raises:
        WorldRunningError: Another one runs.
        PortInUseError: The port is taken; nothing was started.
    """
    own = folder(root)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file.held(_lock(root)))
        except BlockingIOError as error:
            state = read_state(root)
            raise WorldRunningError(
                f"the local world of {root} runs already (pid {lock_file.holder(_lock(root))}"
                f"{f', {state.api_url}' if state else ', still starting'})",
                hint="stop it with `bough down`",
            ) from error
        if port is not None:
            ports.require_free(port, hint="stop what uses it, or choose another with --port")
        try:
            yield
        finally:
            (own / "state.json").unlink(missing_ok=True)


@contextmanager
def databases(
    root: Path,
    *,
    branch: str | None = None,
    application_role: str = names.APPLICATION,
    fresh: bool,
    announce: Callable[[str], None],
) -> Iterator[Databases]:
    """Have a branch's database with its two roles ready for the length of the block.

    A control plane that this starts ends with the block; one that ran before goes on.

    Args:
        root: The project's folder; the caller holds it (`hold`).
        branch: Id or name; without one the default branch.
        application_role: What the application logs in as.
        fresh: Delete all local branches first.
        announce: Is told, in one sentence each, what takes time and what is not covered.

    Raises:
        BranchNotFoundError: There is no such branch.
        InfraError: As `control_plane.ensure_running`.
    """
    ran_before = control_plane.find(root) is not None
    with ExitStack() as stack:
        if not ran_before:
            stack.callback(control_plane.stop, root)
        if fresh:
            control_plane.stop(root)
            control_plane.delete(root)
        running = control_plane.ensure_running(root, announce=announce)
        with control_plane.provider(running, announce, application_role=application_role) as provider:
            wanted = branch or next(each.id for each in provider.list() if each.is_default)
            found = provider.provision(wanted)
            ready = Databases(
                running,
                found,
                provider.pooled_url(found.id, DatabaseRole.APP),
                provider.direct_url(found.id, DatabaseRole.OWNER),
                ran_before,
            )
        yield ready


def write_state(root: Path, state: State) -> None:
    """Publish the world: from here on `read_state` finds it."""
    write_private(folder(root) / "state.json", json.dumps(state.to_json()))


def down(root: Path) -> list[str]:
    """End the project's world, its AWS and its control plane, or what killed ones left; return which."""
    ended = []
    holder = lock_file.holder(_lock(root))
    if holder is not None:
        processes.end(holder, signal.SIGTERM, patience=_END_PATIENCE)
        ended.append("bough up")
    ended += aws.stop(root)
    ended += control_plane.stop(root)
    (root / ".bough" / "state.json").unlink(missing_ok=True)
    return ended


def _lock(root: Path) -> Path:
    return root / ".bough" / "up.lock"
