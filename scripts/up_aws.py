"""`bough up --aws`: an AWS on this machine, and the only stage deployed to it."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING

from infra.local import names, ports, world
from infra.local.aws import server
from infra.local.errors import ServerStartError
from infra.local.revival import revived
from scripts import output
from scripts.aws_options import open_stage
from scripts.signals import EndingSignals
from scripts.stage_database import stage_database

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import LocalAccess
    from infra.aws.package import Package
    from infra.config import Project
    from infra.local.world import Databases

#: Seconds between two looks whether the AWS still runs.
_LOOK = 0.5


def serve(project: Project, *, port: int, fresh: bool) -> None:
    """Deploy as `bough deploy --local` does, and serve until Ctrl-C.

    What this starts ends with it; what ran before goes on.

    Args:
        project: Whose stage.
        port: Where the stage answers; an AWS that ran before keeps the one that it has.
        fresh: Delete all local branches first, and what was deployed: its secrets lead to them.

    Raises:
        InfraError: Something cannot be started, or the deploy failed.
    """
    from infra.aws.release import Wishes  # noqa: PLC0415  boto3 and Alembic take time that --help need not pay
    from scripts.deploy import perform, prepare  # noqa: PLC0415  as above

    root = project.root
    with EndingSignals() as signals, world.hold(root, None), ExitStack() as stack:
        with signals.held_back():
            if fresh:
                server.stop(root)
            if not (ran_before := server.find(root) is not None):
                ports.require_free(port, hint="stop what uses it, or choose another with --port")
            databases = stack.enter_context(
                world.databases(root, application_role=names.APPLICATION, fresh=fresh, announce=output.say)
            )
            if not ran_before:
                stack.callback(server.stop, root)
            access = server.ensure_running(root, announce=output.say, url_port=port)
        account, stage = open_stage(project, None, local=True)
        with stage_database(project, stage, None, local=True) as database:
            output.say("Packaging")
            made = prepare(project, account, stage, database, Wishes(), local=True)
            url = str(perform(made)["url"])
        _publish(root, databases, url, made.found.package)
        output.say(f"API  {url}")
        output.say(f"Docs {url}/docs")
        output.say(f"AWS  {access.endpoint} (AWS_ENDPOINT_URL; any key); commands reach it with --local")
        if ran_before:
            output.say("Ctrl-C stops this; the AWS ran before and goes on, `bough down` ends it")
        else:
            output.say("Ctrl-C stops everything; what was deployed is gone then, the branches stay")
        signals.run(_until_it_ends(root, databases, access))
        output.say("Stopping")


def _publish(root: Path, databases: Databases, url: str, package: Package) -> None:
    """Let `bough status` and others find it."""
    world.write_state(
        root,
        world.State(
            pid=os.getpid(),
            api_url=url,
            branch=databases.branch.name,
            database_url=databases.database_url,
            database_url_unpooled=databases.database_url_unpooled,
            artifact=str(package.zip),
            handler=package.handler,
        ),
    )


async def _until_it_ends(root: Path, databases: Databases, access: LocalAccess) -> None:
    """Keep the control plane running.

    Raises:
        ServerStartError: The AWS ended; what was deployed is gone.
    """
    watching = asyncio.create_task(_watch(root, access))
    reviving = asyncio.create_task(_revive(root, databases))
    try:
        await asyncio.gather(watching, reviving)
    finally:
        for task in (watching, reviving):
            task.cancel()
        await asyncio.gather(watching, reviving, return_exceptions=True)


async def _watch(root: Path, access: LocalAccess) -> None:
    # Another one, which a command has started since, has nothing of this one's.
    while await asyncio.to_thread(server.find, root) == access:  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(_LOOK)
    raise ServerStartError(
        "the AWS of this machine ended, and what was deployed to it is gone",
        hint=f"start again with bough up --aws; what it said is in {root}/.bough/aws/aws.log",
    )


async def _revive(root: Path, databases: Databases) -> None:
    async with aclosing(revived(root, databases.control_plane, output.say)) as revivals:
        async for running in revivals:
            output.say(f"The control plane runs again (pid {running.pid})")
