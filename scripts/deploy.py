"""`bough deploy`: a stage gets this checkout's code and the revisions that it needs."""

from __future__ import annotations

import os
import re
import socket
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from infra.config import load_project
from infra.errors import InfraError
from infra.local import own_folder
from infra.plan import execute
from scripts import migrate_remote, output, progress
from scripts.aws_options import DryRun, Local, StageName, open_stage
from scripts.confirmation import Yes, confirm
from scripts.moments import length
from scripts.output import Output, OutputFormat
from scripts.signals import EndingSignals
from scripts.stage_database import stage_database
from scripts.target import OnUrl  # noqa: TC001  Typer reads it

if TYPE_CHECKING:
    from infra.aws.account import Account
    from infra.aws.canary import Canary
    from infra.aws.release import Deploy, Wishes
    from infra.aws.release_database import StageDatabase
    from infra.aws.remote_migrations import RemoteMigrations
    from infra.aws.stage import Stage
    from infra.config import Project
    from infra.plan import Progress

#: A canary's, where nobody says how long.
_LENGTH: Final = timedelta(minutes=5)
_SHORTEST: Final = timedelta(seconds=10)
_LONGEST: Final = timedelta(hours=6)

#: After which others may take a deploy for dead: stack, revisions and code hardly ever take so long.
_PATIENCE: Final = timedelta(hours=2)


def deploy(
    stage: StageName = None,
    *,
    local: Local = False,
    url: OnUrl = None,
    dry_run: DryRun = False,
    canary: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="At first only this share of the requests reaches the new version, such as 10%; it goes back"
            " by itself when the new version does worse.",
            show_default=False,
        ),
    ] = None,
    for_: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="LENGTH", help="How long, such as 5m (the default).", show_default=False
        ),
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse/--no-rehearse", help="Run pending revisions on a fork first.")
    ] = True,
    remote: Annotated[
        bool,
        typer.Option(
            "--remote",
            help="Apply revisions from inside AWS, for a database out of reach; nothing is rehearsed.",
        ),
    ] = False,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Rehearse and apply expand revisions, publish a version, try it, and lead the requests to it.

    Whatever fails, the version that was live stays live, or is so again. Contract revisions wait: they are
    applied afterwards, with `bough migrate apply --contract`. Running it again goes on where one failed.
    """
    # Imported here, as in every command: boto3 and Alembic take time that --help need not pay.
    from infra.aws.release import Wishes  # noqa: PLC0415  see above

    wishes = Wishes(_canary(canary, for_), rehearse=rehearse)
    project = load_project(Path.cwd())
    account, found = open_stage(project, stage, local=local)
    if remote and url is not None:
        raise typer.BadParameter("--url says how to reach it from here", param_hint="--remote")
    with EndingSignals(), ExitStack() as stack:
        if remote:
            migrations = migrate_remote.open_migrations(project, account, found, local=local)
            database, (inside, _) = None, stack.enter_context(migrations)
        else:
            database, inside = stack.enter_context(stage_database(project, found, url, local=local)), None
        made = prepare(project, account, found, database, wishes, remote=inside, local=local)
        steps = made.steps()
        if dry_run:
            progress.show_plan(steps, output_format)
        if (remote or not rehearse) and any(step.key == "migrate" for step in steps):
            confirm("Revisions run on the database without having been rehearsed.", yes=yes)
        record = perform(made)
        if output_format is OutputFormat.TABLE:
            from scripts.deploy_report import for_people  # noqa: PLC0415  see above

            record = for_people(record)
        output.show(record, output_format)


def prepare(
    project: Project,
    account: Account,
    stage: Stage,
    database: StageDatabase | None,
    wishes: Wishes,
    *,
    remote: RemoteMigrations | None = None,
    local: bool,
) -> Deploy:
    """Look at everything that a deploy depends on; builds the packages, and changes nothing in AWS.

    Args:
        project: Whose code.
        account: Where.
        stage: As what.
        database: That the stage works on; `None` for a project without migrations.
        wishes: How it shall go.
        remote: What alone reaches the database; then `database` is `None`.
        local: For the functions of this machine, whose packages lie apart from those for Lambda.

    Raises:
        DeployRunningError: Another deploy of the stage runs.
        InfraError: Something cannot be built or read.
    """
    from infra.aws.deploy_lock import DeployLock  # noqa: PLC0415  see `deploy`
    from infra.aws.release import Deploy  # noqa: PLC0415  see `deploy`
    from infra.aws.release_outlook import Deployment, look  # noqa: PLC0415  see `deploy`
    from infra.aws.target import Target  # noqa: PLC0415  see `deploy`

    patience = _PATIENCE + (wishes.canary.length if wishes.canary else timedelta())
    lock = DeployLock(account, stage, _here(), patience, output.say)
    lock.check()
    target = Target.this_machine() if local else Target.of(project)
    dist = own_folder.folder(project.root) / "dist" if local else project.root / "dist"
    deployment = Deployment(project, account, stage, database, target, dist, remote)
    outlook = look(deployment)
    if outlook.package.warning and not local:
        output.say(outlook.package.warning)
    return Deploy(deployment, outlook, wishes, lock, output.say)


def perform(made: Deploy) -> dict[str, Any]:
    """Carry out a deploy with its progress on stderr; return what is so then, as it is shown.

    Raises:
        InfraError, KeyboardInterrupt: It failed or was ended; what is so now has been said on stderr.
    """
    from scripts import deploy_report  # noqa: PLC0415  see `deploy`

    steps = made.steps()
    if not steps:
        output.say("Nothing to do: this code is live, and the database has its revisions")
    news: list[Progress] = []
    try:
        with progress.shown() as notify:

            def tell(each: Progress) -> None:
                news.append(each)
                notify(each)

            execute(steps, tell)
    except (InfraError, KeyboardInterrupt) as error:
        deploy_report.say_failure(made, news, error)
        raise
    record = deploy_report.record(made, changed=bool(steps))
    deploy_report.publish(record)
    return record


def _canary(share: str | None, for_: str | None) -> Canary | None:
    """Read how a canary goes.

    Raises:
        typer.BadParameter: It cannot be meant.
    """
    from infra.aws.canary import Canary  # noqa: PLC0415  see `deploy`

    if share is None:
        if for_ is not None:
            raise typer.BadParameter("only with --canary", param_hint="--for")
        return None
    match = re.fullmatch(r"([1-9][0-9]?)%", share.strip())
    if match is None:
        message = f"{share!r} must be a share of the requests from 1% to 99%"
        raise typer.BadParameter(message, param_hint="--canary")
    time = _LENGTH if for_ is None else length(for_)
    if not _SHORTEST <= time <= _LONGEST:
        message = f"{for_!r} must be from 10s to 6h"
        raise typer.BadParameter(message, param_hint="--for")
    return Canary(int(match[1]) / 100, time)


def _here() -> str:
    """Return where this deploy can be watched: the run of CI, or the machine's name."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        variables = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, repository, run = (os.environ.get(name, "") for name in variables)
        return f"{server}/{repository}/actions/runs/{run}"
    return os.environ.get("CI_JOB_URL") or f"{socket.gethostname()} (pid {os.getpid()})"
