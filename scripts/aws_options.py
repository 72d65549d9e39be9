"""What commands on AWS have in common: the options that say where, and the stage that they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scripts import output

if TYPE_CHECKING:
    from infra.aws.account import Account, LocalAccess
    from infra.aws.stage import Stage
    from infra.config import Project

#: Where something else is the argument.
StageOption = Annotated[
    str | None,
    typer.Option("--stage", help="The stage; without it the project's only one.", show_default=False),
]
#: Where it is the argument itself.
StageName = Annotated[
    str | None,
    typer.Argument(metavar="[STAGE]", help="Without it the project's only one.", show_default=False),
]
Local = Annotated[bool, typer.Option("--local", help="On the AWS of this machine (`bough up --aws`).")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the steps; change nothing. Exit code 3: there are some.")
]


def open_stage(project: Project, name: str | None, *, local: bool) -> tuple[Account, Stage]:
    """Return a stage and the account that it is in, which AWS has confirmed, and say so.

    Args:
        project: Whose it is.
        name: The stage's; `None` for the only one.
        local: On the AWS of this machine, which is started when it does not run.

    Raises:
        StageNotFoundError, ConfigError: There is no such stage; nobody was asked.
        AwsError: As `infra.aws.account.connect`.
    """
    # boto3 takes time that --help need not pay.
    from infra.aws.account import connect  # noqa: PLC0415
    from infra.aws.stage import find_stage  # noqa: PLC0415

    stage = find_stage(project, name)
    account = connect(project.aws, _local_access(project) if local else None)
    where = "the AWS of this machine" if local else f"account {account.id}"
    output.say(f"→ stage {stage.name} of service {stage.service} in {where} ({account.region})")
    return account, stage


def _local_access(project: Project) -> LocalAccess:
    from infra.local.aws import server  # noqa: PLC0415  as above

    return server.ensure_running(project.root, announce=output.say)
