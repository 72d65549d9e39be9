"""`bough up`, `down` and `status`: the local world."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from infra.config import load_project
from infra.errors import InfraError
from infra.local import world
from infra.local.own_folder import read_secrets
from scripts import output
from scripts.output import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from infra.aws.artifact import Artifact
    from infra.config import Project
    from infra.local.function_host import FunctionHost


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the API listens.")] = 8000,
    environments: Annotated[int, typer.Option(min=1, help="Most requests that run at once.")] = 10,
    *,
    reload: Annotated[bool, typer.Option("--reload", help="Package again when a file changes.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the local database first.")] = False,
) -> None:
    """Run the app as Lambda would, on PostgreSQL behind PgBouncer, until Ctrl-C.

    Takes the same way as a deploy: migrate on the direct URL, package, serve the artifact under
    AWS's runtime client. Data stays in `.bough/` for the next time.
    """
    # Imported here: Alembic and uvicorn take half a second that `bough status` need not pay.
    from infra.aws.artifact import build_folder  # noqa: PLC0415  see above
    from infra.local.function_host import FunctionHost  # noqa: PLC0415  see above
    from infra.migrate import runner  # noqa: PLC0415  see above

    project = load_project(Path.cwd())
    with _Signals() as signals, world.hold(project.root, port):
        output.say("Starting PostgreSQL and PgBouncer")
        with world.databases(project.root, fresh=fresh, warn=output.say) as databases:
            if (project.root / project.migrations).is_dir():
                output.say(f"Migrating {databases.database_url_unpooled}")
                for run in runner.apply(project, databases.database_url_unpooled).runs:
                    output.say(f"  {run.id} {run.message} ({run.seconds:.2f} s)")
            output.say("Packaging")
            artifact = build_folder(project, project.root / ".bough" / "artifact")
            host = FunctionHost(
                artifact.folder,
                artifact.handler,
                databases.environment(read_secrets(project.root).auth_secret),
                port=port,
                max_environments=environments,
                log=sys.stderr,
            )
            asyncio.run(_serve(project, databases, artifact, host, signals, reload=reload))
            output.say("Stopping")


def down(
    *, delete: Annotated[bool, typer.Option("--delete", help="Delete the local database as well.")] = False
) -> None:
    """Stop the local world, from any terminal; also what a killed one left running."""
    root = load_project(Path.cwd()).root
    ended = world.down(root)
    if delete:
        world.delete(root)
    output.say(f"Stopped {', '.join(ended)}" if ended else "Nothing was running")


def status(
    output_format: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="`json` shows the passwords that `table` hides.")
    ] = OutputFormat.TABLE,
) -> None:
    """Show the local world's URLs and processes; exits 1 when it is stopped."""
    root = load_project(Path.cwd()).root
    state = world.read_state(root)
    if state is None:
        left = world.left_running(root)
        output.show({"state": "stopped", **({"left_running": left} if left else {})}, output_format)
        if left:
            output.say("hint: a killed `bough up` left these; end them with `bough down`, or use them again")
        raise typer.Exit(1)
    record = {"state": "running", **state.to_json()}
    if output_format is OutputFormat.TABLE:
        record["database_url"] = str(state.database_url)
        record["database_url_unpooled"] = str(state.database_url_unpooled)
        pids = record.pop("pids")
        record["pids"] = ", ".join(f"{name} {pid or '-'}" for name, pid in pids.items())
    output.show(record, output_format)


async def _serve(
    project: Project,
    databases: world.Databases,
    artifact: Artifact,
    host: FunctionHost,
    signals: _Signals,
    *,
    reload: bool,
) -> None:
    """Serve until a signal, and publish the world's state meanwhile."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals.then(lambda: loop.call_soon_threadsafe(stopped.set))
    watching = None
    await host.start()
    try:
        world.write_state(
            project.root,
            world.State(
                pid=os.getpid(),
                api_url=host.url,
                database_url=databases.database_url,
                database_url_unpooled=databases.database_url_unpooled,
                artifact=str(artifact.folder),
                handler=artifact.handler,
                postgres_pid=databases.postgres.pid,
                pooler_pid=databases.pooler.pid if databases.pooler else None,
            ),
        )
        output.say(f"API  {host.url}")
        output.say(f"Docs {host.url}/docs")
        output.say("Ctrl-C stops everything; `bough status -o json` shows the database's URLs")
        if reload:
            watching = asyncio.create_task(_rebuild(project, artifact.folder, host))
        await stopped.wait()
    finally:
        if watching:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await host.stop()


async def _rebuild(project: Project, folder: Path, host: FunctionHost) -> None:
    """Package and serve every change; one that cannot be packaged leaves the last good one in service."""
    from infra.aws.artifact import build_folder  # noqa: PLC0415  see `up`
    from infra.local import watch  # noqa: PLC0415  see `up`

    async with aclosing(watch.changes(project)) as changes:
        async for _ in changes:
            try:
                await asyncio.to_thread(build_folder, project, folder)
            except InfraError as error:
                output.show_error(error)
            else:
                await host.reload(folder)
                output.say("Packaged again")


class _Signals:
    """Ctrl-C, `bough down` and a closed terminal end the command in order, and only once.

    Before `then` was called the first signal raises `KeyboardInterrupt`; after, it calls what it
    was given. Later ones are ignored: they would cut the ending short and leave processes behind.
    """

    _ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._act: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        self._before = {each: signal.signal(each, self._received) for each in self._ENDING}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def then(self, act: Callable[[], object]) -> None:
        """Call `act` from now on instead of raising."""
        self._act = act

    def _received(self, _signal: int, _frame: FrameType | None) -> None:
        for each in self._ENDING:
            signal.signal(each, signal.SIG_IGN)
        if self._act is None:
            raise KeyboardInterrupt
        self._act()
