"""`bough up`, `down` and `status`: the local world."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.config import load_project
from infra.errors import InfraError
from infra.local import watch, world
from infra.local.own_folder import read_secrets
from infra.local.revival import revived
from scripts import output
from scripts.output import OutputFormat, format_option
from scripts.signals import EndingSignals

if TYPE_CHECKING:
    from infra.aws.artifact import Artifact
    from infra.config import Project
    from infra.local.function_host import FunctionHost
    from infra.local.rebuilds import Rebuilds
    from infra.local.watch import Snapshot


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the API listens.")] = 8000,
    environments: Annotated[int, typer.Option(min=1, help="Most requests that run at once.")] = 10,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Give the function this variable of the shell; may be repeated."),
    ] = None,
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
    from infra.local.rebuilds import Rebuilds  # noqa: PLC0415  see above
    from infra.migrate import runner  # noqa: PLC0415  see above

    variables = _variables_of_shell(env or [])
    project = load_project(Path.cwd())
    with EndingSignals() as signals, world.hold(project.root, port), ExitStack() as servers:
        output.say("Starting PostgreSQL and PgBouncer")
        with signals.held_back():
            databases = servers.enter_context(world.databases(project.root, fresh=fresh, warn=output.say))
        if (project.root / project.migrations).is_dir():
            output.say(f"Migrating {databases.database_url_unpooled}")
            for run in runner.apply(project, databases.database_url_unpooled).runs:
                output.say(f"  {run.id} {run.message} ({run.seconds:.2f} s)")
        output.say("Packaging")
        packaged_at = watch.snapshot(project)
        artifact = build_folder(project, project.root / ".bough" / "artifact")
        host = FunctionHost(
            artifact.folder,
            artifact.handler,
            databases.environment(read_secrets(project.root).auth_secret) | variables,
            port=port,
            max_environments=environments,
            log=sys.stderr,
        )
        served = _Served(project, databases, host, artifact, Rebuilds(project))
        signals.run(served.run(packaged_at if reload else None))
        output.say("Stopping")


def _variables_of_shell(names: list[str]) -> dict[str, str]:
    """Return variables by name alone, so that no secret stands in a command line."""
    if missing := [name for name in names if name not in os.environ]:
        raise typer.BadParameter(f"not set in this shell: {', '.join(missing)}", param_hint="--env")
    return {name: os.environ[name] for name in names}


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
        OutputFormat, format_option("All formats but `table` show the passwords; also by BOUGH_OUTPUT.")
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


@dataclass(slots=True)
class _Served:
    """A world whose databases run, and the artifact that is served."""

    project: Project
    databases: world.Databases
    host: FunctionHost
    artifact: Artifact
    rebuilds: Rebuilds

    async def run(self, packaged_at: Snapshot | None) -> None:
        """Serve until cancelled; with `packaged_at` package again what changes after it.

        Raises:
            InfraError: A server ended and cannot be started again.
        """
        tasks = []
        try:
            await self.host.start()
            self._publish()
            output.say(f"API  {self.host.url}")
            output.say(f"Docs {self.host.url}/docs")
            output.say("Ctrl-C stops everything; `bough status -o json` shows the database's URLs")
            tasks.append(asyncio.create_task(self._revive()))
            if packaged_at is not None:
                tasks.append(asyncio.create_task(self._reload(packaged_at)))
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.host.stop()

    def _publish(self) -> None:
        world.write_state(
            self.project.root,
            world.State(
                pid=os.getpid(),
                api_url=self.host.url,
                database_url=self.databases.database_url,
                database_url_unpooled=self.databases.database_url_unpooled,
                artifact=str(self.artifact.folder),
                handler=self.artifact.handler,
                postgres_pid=self.databases.postgres.pid,
                pooler_pid=self.databases.pooler.pid if self.databases.pooler else None,
            ),
        )

    async def _revive(self) -> None:
        async with aclosing(revived(self.databases, output.say)) as revivals:
            async for _ in revivals:
                self._publish()

    async def _reload(self, packaged_at: Snapshot) -> None:
        """Package and serve every change; one that cannot be packaged leaves the last good one in service."""
        async with aclosing(watch.changes(self.project, packaged_at)) as changes:
            async for _ in changes:
                in_use = {self.artifact.folder, *(each.artifact for each in self.host.environments())}
                try:
                    self.artifact = await asyncio.to_thread(self.rebuilds.build, in_use)
                except InfraError as error:
                    output.show_error(error)
                    continue
                await self.host.reload(self.artifact.folder)
                self._publish()
                output.say("Packaged again")
