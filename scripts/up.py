"""`bough up` and `down`: the local world."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import threading
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.branches.identity import BranchIdentity
from infra.config import load_project
from infra.context import ProviderName, resolve
from infra.errors import InfraError
from infra.local import control_plane, names, watch, world
from infra.local.own_folder import read_secrets
from infra.local.revival import revived
from scripts import output
from scripts.shell_variables import EnvironmentNames, variables_of_shell
from scripts.signals import EndingSignals

if TYPE_CHECKING:
    from infra.aws.artifact import Artifact
    from infra.config import Project
    from infra.local.function_host import FunctionHost
    from infra.local.rebuilds import Rebuilds
    from infra.local.watch import Snapshot


def up(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the API listens.")] = 8000,
    environments: Annotated[int, typer.Option(min=1, help="Most requests that run at once.")] = 10,
    branch: Annotated[
        str | None,
        typer.Option(help="The local branch to work on, else the pinned or default one."),
    ] = None,
    env: EnvironmentNames = None,
    *,
    aws: Annotated[
        bool, typer.Option("--aws", help="Deploy to an AWS on this machine, as `bough deploy --local` does.")
    ] = False,
    reload: Annotated[bool, typer.Option("--reload", help="Package again when a file changes.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all local branches first.")] = False,
) -> None:
    """Run the app as Lambda would, on PostgreSQL behind PgBouncer, until Ctrl-C.

    Takes the same way as a deploy: migrate on the direct URL, package, serve the artifact under
    AWS's runtime client. Data stays in `.bough/` for the next time. With --aws the rest of AWS is
    there too, in memory: versions, the alias `live`, its URL on a port of its own, secrets, logs.
    """
    project = load_project(Path.cwd())
    if aws:
        _only_with_aws(context)
        from scripts import up_aws  # noqa: PLC0415  boto3 takes time that --help need not pay

        up_aws.serve(project, port=port, fresh=fresh)
        return
    variables = variables_of_shell(env)
    where = resolve(project, flags={"branch": branch}, environment=os.environ)
    with EndingSignals() as signals, world.hold(project.root, port), ExitStack() as servers:
        threading.Thread(target=_import_the_rest, daemon=True).start()
        with signals.held_back():
            databases = servers.enter_context(
                world.databases(
                    project.root,
                    branch=where.branch.value if where.provider.value == ProviderName.LOCAL else branch,
                    application_role=where.application_role.value or names.APPLICATION,
                    fresh=fresh,
                    announce=output.say,
                )
            )
        # Imported here: Alembic and uvicorn take a second that `bough status` need not pay.
        from infra.aws.artifact import build_folder  # noqa: PLC0415  see above
        from infra.local.function_host import FunctionHost  # noqa: PLC0415  see above
        from infra.local.rebuilds import Rebuilds  # noqa: PLC0415  see above
        from infra.migrate import runner  # noqa: PLC0415  see above

        if (project.root / project.migrations).is_dir():
            output.say(f"Migrating {databases.database_url_unpooled}")
            expected = BranchIdentity.of(ProviderName.LOCAL, databases.branch)
            report = runner.apply(project, databases.database_url_unpooled, expected=expected, unused=True)
            for run in report.runs:
                output.say(f"  {run.id} {run.message} ({run.phase}, {run.seconds:.2f} s)")
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
        if databases.ran_before:
            output.say("The control plane ran before and goes on; `bough down` ends it")


def _only_with_aws(context: typer.Context) -> None:
    """Refuse options that a deployed stage does not have."""
    for name in ("environments", "branch", "env", "reload"):
        source = context.get_parameter_source(name)
        if source is not None and source.name not in {"DEFAULT", "DEFAULT_MAP"}:
            raise typer.BadParameter("not with --aws: the stage's settings say so", param_hint=f"--{name}")


def _import_the_rest() -> None:
    """Import what takes longest while the servers start; what fails here fails again where it is needed."""
    with suppress(Exception):
        importlib.import_module("infra.migrate.runner")
        importlib.import_module("infra.local.function_host")


def down(
    *, delete: Annotated[bool, typer.Option("--delete", help="Delete all local branches as well.")] = False
) -> None:
    """Stop the local world, from any terminal; also what a killed one left running."""
    root = load_project(Path.cwd()).root
    ended = world.down(root)
    if delete:
        control_plane.delete(root)
    output.say(f"Stopped {', '.join(ended)}" if ended else "Nothing was running")


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
            InfraError: The control plane ended and cannot be started again.
        """
        tasks = []
        try:
            await self.host.start()
            self._publish()
            await self._record()
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
                branch=self.databases.branch.name,
                database_url=self.databases.database_url,
                database_url_unpooled=self.databases.database_url_unpooled,
                artifact=str(self.artifact.folder),
                handler=self.artifact.handler,
            ),
        )

    async def _record(self) -> None:
        """Let the database know which code is live; one that cannot be told now serves all the same."""
        from infra.migrate import live  # noqa: PLC0415  Alembic takes a quarter of a second

        artifact = self.artifact
        if artifact.revisions.head is None:
            return
        expected = BranchIdentity.of(ProviderName.LOCAL, self.databases.branch)
        url = self.databases.database_url_unpooled
        try:
            await asyncio.to_thread(live.record, url, expected, artifact.revisions, artifact.folder)
        except InfraError as error:
            output.show_error(error)

    async def _revive(self) -> None:
        async with aclosing(revived(self.project.root, self.databases.control_plane, output.say)) as revivals:
            async for running in revivals:
                output.say(f"The control plane runs again (pid {running.pid})")

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
                await self._record()
                output.say("Packaged again")
