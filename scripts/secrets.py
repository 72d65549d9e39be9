"""`bough secrets`: what functions must know and nobody else."""

from __future__ import annotations

import getpass
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.config import load_project
from infra.context import ProviderName
from scripts import output
from scripts.aws_options import DryRun, Local, StageOption, open_stage
from scripts.confirmation import Yes, confirm
from scripts.output import Output, OutputFormat
from scripts.progress import show_plan, shown
from scripts.provider import branch_or_default, open_branches
from scripts.target import OnUrl, resolve_target

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.aws.secrets import Secrets
    from infra.aws.stage import Stage
    from infra.config import Project

app = typer.Typer(help="Write the secrets of a stage's functions, see which there are, and replace them.")

#: Those that the kit's own template names.
_KNOWN: Final = {"DATABASE_URL", "DATABASE_URL_UNPOOLED", "AUTH_SECRET"}
_COLUMNS: Final = {"name": "NAME", "function": "READ BY", "version": "VERSION", "modified_at": "WRITTEN"}


class Function(StrEnum):
    """Whose role may read a secret."""

    API = "api"
    MIGRATE = "migrate"
    PREVIEW = "preview"


class Rotated(StrEnum):
    """What can be replaced without a value of the user's."""

    DATABASE = "database"
    AUTH = "auth"


@app.command("set")
def set_(
    name: Annotated[
        str, typer.Argument(help="The variable that it is for the function, such as STRIPE_KEY.")
    ],
    *,
    stage: StageOption = None,
    function: Annotated[Function, typer.Option(help="The function that reads it.")] = Function.API,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Write a connection string without logging in with it.")
    ] = False,
    local: Local = False,
) -> None:
    """Write a secret, whose value comes from stdin or is asked for; nothing reads it back."""
    from infra.aws.secret_values import check_reader, check_value  # noqa: PLC0415  boto3 and psycopg take their time

    check_reader(name, function.value)
    value = _read_value(name)
    check_value(name, value, connect=not no_check)
    secrets, _, _ = _open(stage, local=local)
    version = secrets.put(function.value, name, value)
    output.say(f"✓ {name} of the function {function.value} has version {version}")
    if version > 1:
        output.say("Environments that run read it within 10 minutes")
    elif name not in _KNOWN:
        output.say(f"serverless.yml must name it: give the function the variable {name}_PARAMETER")


@app.command("list")
def list_(
    *, stage: StageOption = None, local: Local = False, output_format: Output = OutputFormat.TABLE
) -> None:
    """Show which secrets a stage has and who reads them; never a value."""
    secrets, _, _ = _open(stage, local=local)
    rows = [
        {
            "name": each.name,
            "function": each.owner,
            "version": each.version,
            "modified_at": each.modified,
            "parameter": each.parameter,
        }
        for each in secrets.list()
    ]
    output.show_rows(rows, output_format, columns=_COLUMNS)


@app.command()
def rotate(
    what: Annotated[Rotated, typer.Argument(help="The API's database password, or the key of its tokens.")],
    *,
    stage: StageOption = None,
    finish: Annotated[bool, typer.Option("--finish", help="End the database logins of before.")] = False,
    now: Annotated[
        bool,
        typer.Option("--now", help="End what was before though it is in use: connections, or access tokens."),
    ] = False,
    dry_run: DryRun = False,
    url: OnUrl = None,
    local: Local = False,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Replace a secret by one that nobody has seen, without a request that fails."""
    _refuse_misfits(what, finish=finish, now=now, dry_run=dry_run, url=url)
    secrets, project, found = _open(stage, local=local)
    if what is Rotated.AUTH:
        _rotate_auth(secrets, now=now, yes=yes)
        return
    owner, application = _owner(project, found, url, local=local)
    if finish:
        _finish(secrets, owner, application, now=now, yes=yes)
        return
    from infra.aws.rotation import plan_database  # noqa: PLC0415  as above
    from infra.plan import execute  # noqa: PLC0415  as above

    steps = plan_database(secrets, owner, application, announce=output.say)
    if dry_run:
        show_plan(steps, output_format)
    with shown() as notify:
        execute(steps, notify)
    output.say("Environments that run log in anew within 15 minutes; the old login is good until")
    output.say("  bough secrets rotate database --finish")


def _rotate_auth(secrets: Secrets, *, now: bool, yes: bool) -> None:
    from infra.aws.rotation import rotate_auth  # noqa: PLC0415  as above

    if now:
        confirm("Every access token is refused from now on, until its client has refreshed it.", yes=yes)
    begins = rotate_auth(secrets, at_once=now)
    if begins <= time.time():
        output.say("✓ the new key signs, and is the only one")
        return
    moment = datetime.fromtimestamp(begins, UTC)
    output.say(f"✓ the new key signs from {moment:%Y-%m-%dT%H:%M:%SZ} on, when every environment has read it")
    output.say("The old one ends by itself, when the last token that it signed has expired")


def _finish(secrets: Secrets, owner: DirectUrl, application: str, *, now: bool, yes: bool) -> None:
    from infra.aws.rotation import finish_database  # noqa: PLC0415  as above

    if now:
        confirm("The old login ends though it may have connections.", yes=yes)
    ended = finish_database(secrets, owner, application, announce=output.say, now=now)
    for role in ended:
        output.say(f"✓ {role} can log in no more")
    if not ended:
        output.say("There was no old login: nothing was changed")


def _refuse_misfits(what: Rotated, *, finish: bool, now: bool, dry_run: bool, url: str | None) -> None:
    if what is Rotated.AUTH and (finish or dry_run or url is not None):
        raise typer.BadParameter("--finish, --dry-run and --url are for the database", param_hint="auth")
    if what is Rotated.DATABASE and now and not finish:
        raise typer.BadParameter("it goes with --finish: no login ends before", param_hint="--now")
    if finish and dry_run:
        raise typer.BadParameter("--finish has no steps to show", param_hint="--dry-run")


def _open(name: str | None, *, local: bool) -> tuple[Secrets, Project, Stage]:
    from infra.aws.secrets import Secrets  # noqa: PLC0415  boto3 takes time that --help need not pay

    project = load_project(Path.cwd())
    account, stage = open_stage(project, name, local=local)
    return Secrets(account, stage), project, stage


def _owner(project: Project, stage: Stage, given: str | None, *, local: bool) -> tuple[DirectUrl, str]:
    """Return the stage's database as its owner, and the name of the application role."""
    from infra.branches.provider import DatabaseRole  # noqa: PLC0415  as above

    with open_branches(project, provider=ProviderName.LOCAL.value if local else None) as branches:
        application = branches.context.application_role.value or ""
        if given is not None:
            return resolve_target(project, given=given).url, application
        found = branch_or_default(branches.provider, None if local else stage.settings.branch)
        branches.announce(found)
        return branches.provider.direct_url(found.id, DatabaseRole.OWNER), application


def _read_value(name: str) -> str:
    """Return what stdin holds, or what is typed unseen on a terminal; one newline at its end is no part."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        return getpass.getpass(f"Value of {name} (it is not shown): ")
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
