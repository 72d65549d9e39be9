"""`bough up --aws`: an AWS on this machine, and the only stage deployed to it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING

from infra.local import names, world
from infra.local.aws import server
from infra.local.errors import ServerStartError
from infra.local.revival import revived
from scripts import output
from scripts.aws_options import open_stage
from scripts.signals import EndingSignals
from scripts.stage_database import stage_database

if TYPE_CHECKING:
    from pathlib import Path

    from infra.config import Project
    from infra.local.world import Databases

#: Seconds between two looks whether the AWS still runs.
_LOOK = 0.5


def serve(project: Project, *, fresh: bool) -> None:
    """Deploy as `bough deploy --local` does, and serve until Ctrl-C.

    What this starts ends with it; what ran before goes on.

    Args:
        project: Whose stage.
        fresh: Delete all local branches first.

    Raises:
        InfraError: Something cannot be started, or the deploy failed.
    """
    from infra.aws.release import Wishes  # noqa: PLC0415  boto3 and Alembic take time that --help need not pay
    from scripts.deploy import perform, prepare  # noqa: PLC0415  as above

    root = project.root
    with EndingSignals() as signals, world.hold(root, None), ExitStack() as stack:
        with signals.held_back():
            databases = stack.enter_context(
                world.databases(root, application_role=names.APPLICATION, fresh=fresh, announce=output.say)
            )
            if server.find(root) is None:
                stack.callback(server.stop, root)
            access = server.ensure_running(root, announce=output.say)
        account, stage = open_stage(project, None, local=True)
        with stage_database(project, stage, None, local=True) as database:
            done = perform(prepare(project, account, stage, database, Wishes(), local=True))
        output.say(f"API  {done['url']}")
        output.say(f"Docs {done['url']}/docs")
        output.say(f"AWS  {access.endpoint} (AWS_ENDPOINT_URL; any key); commands reach it with --local")
        output.say("Ctrl-C stops everything; what was deployed is gone then, the branches stay")
        signals.run(_until_it_ends(root, databases))
        output.say("Stopping")


async def _until_it_ends(root: Path, databases: Databases) -> None:
    """Keep the control plane running.

    Raises:
        ServerStartError: The AWS ended; what was deployed is gone.
    """
    watching = asyncio.create_task(_watch(root))
    reviving = asyncio.create_task(_revive(root, databases))
    try:
        await asyncio.gather(watching, reviving)
    finally:
        for task in (watching, reviving):
            task.cancel()
        await asyncio.gather(watching, reviving, return_exceptions=True)


async def _watch(root: Path) -> None:
    while await asyncio.to_thread(server.find, root) is not None:  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(_LOOK)
    raise ServerStartError(
        "the AWS of this machine ended, and what was deployed to it is gone",
        hint=f"start again with bough up --aws; what it said is in {root}/.bough/aws/aws.log",
    )


async def _revive(root: Path, databases: Databases) -> None:
    async with aclosing(revived(root, databases.control_plane, output.say)) as revivals:
        async for running in revivals:
            output.say(f"The control plane runs again (pid {running.pid})")
