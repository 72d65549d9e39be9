"""`bough preview`: for each pull request a database branch and a function of its own."""

from __future__ import annotations

import importlib
import importlib.util
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from infra.branches.errors import NotSupportedError
from infra.branches.sweep import DEFAULT_GRACE, Rules
from infra.config import load_project
from infra.context import ProviderName
from infra.errors import InfraError
from infra.local import own_folder
from infra.plan import execute
from scripts import moments, output
from scripts.aws_options import Local, StageOption, open_stage
from scripts.branch_upkeep import OpenPullRequests, open_pull_requests
from scripts.confirmation import Yes, confirm_by_name
from scripts.output import Output, OutputFormat
from scripts.progress import shown
from scripts.provider import branch_or_default, open_branches
from scripts.signals import EndingSignals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.connection_url import DirectUrl
    from infra.aws.account import Account
    from infra.aws.preview import PreviewSite, PreviewUp
    from infra.aws.previews import Preview
    from infra.aws.stage import Stage
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from scripts.provider import Branches

app = typer.Typer(
    help="Give pull requests a database branch and a function of their own.", no_args_is_help=True
)

_LIFETIME: Final = "7d"
#: The kit's sample data; a project without the sample domain has none.
_SEED: Final = "scripts.seeding.workspace"
_COLUMNS: Final = {
    "number": "NUMBER",
    "url": "URL",
    "branch": "BRANCH",
    "expires_at": "EXPIRES",
    "missing": "MISSING",
}

Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="Of the pull request.")]


@app.command()
def up(
    number: Number,
    *,
    stage: StageOption = None,
    with_data: Annotated[
        bool,
        typer.Option(
            "--with-data",
            help="Its database has the rows of the stage's, too; its URL then takes signed requests alone.",
        ),
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="With --with-data: everybody may call it even so.")
    ] = False,
    expires: Annotated[
        str,
        typer.Option(metavar="LENGTH", help="After which its branch is deleted by itself; or `never`."),
    ] = _LIFETIME,
    local: Local = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Make a preview, or bring it up to date: code, revisions, settings.

    Without --with-data its database has the schema of the stage's, and the rows that `bough seed` writes.
    Run again without anything new it changes nothing; what was left half made is completed.
    """
    from infra.aws.preview import PreviewUp, PreviewWishes  # noqa: PLC0415  boto3 takes time that --help need not pay

    lifetime = None if expires == "never" else moments.length(expires)
    project = load_project(Path.cwd())
    account, where = open_stage(project, stage, local=local)
    seed = _seed if importlib.util.find_spec(_SEED.rpartition(".")[0]) else None
    wishes = PreviewWishes(number, with_data, public, lifetime, seed)
    with EndingSignals(), _branches(project, where, local=local) as branches:
        site = _site(project, account, where, branches, local=local)
        branches.announce(site.parent)
        made = PreviewUp(site, wishes, output.say)
        try:
            with shown() as notify:
                execute(made.steps(), notify)
        except (InfraError, KeyboardInterrupt):
            output.say(f"What is there stays, for the next try; to remove it: bough preview down {number}")
            raise
    record = _record(made)
    if not made.changes:
        output.say("Nothing was changed: the preview is up to date")
    _publish(record)
    output.show(record, output_format)


@app.command()
def down(
    number: Number,
    *,
    stage: StageOption = None,
    yes: Yes = False,
    local: Local = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Remove a preview: its function, log group, parameters, and the branch with its data."""
    from infra.aws import previews  # noqa: PLC0415  as above

    project = load_project(Path.cwd())
    account, where = open_stage(project, stage, local=local)
    with _branches(project, where, local=local) as branches:
        found = {each.number: each for each in previews.find(account, where, branches.provider)}.get(number)
        steps = previews.down(account, where, branches.provider, found) if found else ()
        if not steps:
            output.say(f"There is nothing of preview {number}")
        else:
            name = where.preview(number)
            confirm_by_name(f"{name} is removed, its database branch with all its data, too.", name, yes=yes)
            with shown() as notify:
                execute(steps, notify)
    removed = [step.key for step in steps]
    output.show({"number": number, "stage": where.name, "removed": removed}, output_format)


@app.command("list")
def list_(
    *, stage: StageOption = None, local: Local = False, output_format: Output = OutputFormat.TABLE
) -> None:
    """List the previews of a stage, also those of which only a part is left."""
    from infra.aws import previews  # noqa: PLC0415  as above

    project = load_project(Path.cwd())
    account, where = open_stage(project, stage, local=local)
    with _branches(project, where, local=local) as branches:
        rows = [_row(each) for each in previews.find(account, where, branches.provider)]
    output.show_rows(rows, output_format, columns=_COLUMNS)


@app.command()
def sweep(
    *,
    stage: StageOption = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove them; without it only what would be removed is shown.")
    ] = False,
    grace: Annotated[
        timedelta | None,
        typer.Option(parser=moments.length, metavar="LENGTH", help="Younger ones stay; 1h without it."),
    ] = None,
    open_numbers: OpenPullRequests = None,
    local: Local = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Find previews whose pull request is no longer open, or parts of them, and with --delete remove them.

    Where it is not known for certain which pull requests are open, nothing is removed and the exit code is 1.
    """
    from infra.aws import previews  # noqa: PLC0415  as above

    project = load_project(Path.cwd())
    account, where = open_stage(project, stage, local=local)
    rules = Rules(grace=grace or DEFAULT_GRACE)
    failed = 0
    with (
        open_pull_requests(open_numbers) as pull_requests,
        _branches(project, where, local=local) as branches,
    ):
        # The previews first: a pull request that is opened in between is then known.
        found = previews.find(account, where, branches.provider)
        decisions = previews.decide(found, pull_requests, datetime.now(UTC), rules)
        rows = []
        for each in decisions:
            action, reason = ("delete" if each.delete else "keep"), each.reason
            if each.delete and delete:
                try:
                    # Once more: it may have been opened again while others were removed.
                    if why := pull_requests.why_keep(each.preview.number):
                        action, reason = "keep", why
                    else:
                        with shown() as notify:
                            execute(previews.down(account, where, branches.provider, each.preview), notify)
                        action = "deleted"
                except InfraError as error:
                    action, reason = "failed", str(error)
                    failed += 1
            rows.append({"number": each.preview.number, "action": action, "reason": reason})
    if not delete:
        going = sum(each.delete for each in decisions)
        output.say(f"Nothing was removed; --delete would remove {going} of {len(decisions)} previews")
    output.show_rows(
        rows, output_format, columns={"number": "NUMBER", "action": "ACTION", "reason": "REASON"}
    )
    if failed:
        output.say(f"{failed} previews could not be removed")
        raise typer.Exit(1)


@contextmanager
def _branches(project: Project, stage: Stage, *, local: bool) -> Iterator[Branches]:
    with open_branches(project, provider=ProviderName.LOCAL.value if local else None) as branches:
        if branches.name is ProviderName.LOCAL and not local:
            raise NotSupportedError(
                f"the branches of stage {stage.name} are on this machine, where AWS cannot reach them",
                hint="add --local; else: bough link --provider neon",
            )
        yield branches


def _site(
    project: Project, account: Account, stage: Stage, branches: Branches, *, local: bool
) -> PreviewSite:
    from infra.aws.preview import PreviewSite  # noqa: PLC0415  as above
    from infra.aws.target import Target  # noqa: PLC0415  as above

    return PreviewSite(
        project=project,
        account=account,
        stage=stage,
        provider=branches.provider,
        host=branches.name,
        parent=branch_or_default(branches.provider, None if local else stage.settings.branch),
        target=Target.this_machine() if local else Target.of(project),
        dist=own_folder.folder(project.root) / "dist" if local else project.root / "dist",
    )


def _seed(url: DirectUrl, expected: BranchIdentity) -> str | None:
    """Write the small workspace, once; return what was written."""
    workspace = importlib.import_module(_SEED)
    try:
        written = workspace.write(url, expected)
    except InfraError as error:
        # An earlier run came this far.
        if error.code == "SEED_CONFLICT":
            return None
        raise
    # A workflow's log may be everybody's.
    if not os.environ.get("CI"):
        output.say(f"Log in as {written['log_in_as']} with the password {written['password']}")
    return f"{sum(count for count in written.values() if isinstance(count, int))} rows"


def _record(made: PreviewUp) -> dict[str, Any]:
    """Return what is so then; the keys are a contract."""
    branch = made.branch
    return {
        "number": made.number,
        "url": made.url and made.url.url,
        "auth": made.auth,
        "function": made.name,
        "branch": branch and branch.name,
        "branch_id": branch and branch.id,
        "expires_at": branch and branch.expires_at,
        "changed": made.changes,
    }


def _row(preview: Preview) -> dict[str, Any]:
    return {
        "number": preview.number,
        "url": preview.url and preview.url.url,
        "auth": preview.url and preview.url.auth,
        "function": preview.function and preview.function.name,
        "branch": preview.branch and preview.branch.name,
        "branch_id": preview.branch and preview.branch.id,
        "expires_at": preview.branch and preview.branch.expires_at,
        "missing": preview.missing,
    }


def _publish(record: dict[str, Any]) -> None:
    """Leave a preview in GitHub Actions: outputs `url` and `branch`, and a summary."""
    from scripts import github_actions  # noqa: PLC0415  SQLAlchemy takes its time

    if not github_actions.runs_here():
        return
    shown_of = ("url", "auth", "branch", "expires_at")
    rows = [(key, str(record[key])) for key in shown_of if record[key] is not None]
    github_actions.summarise(f"Preview {record['number']}", rows)
    github_actions.put_out({key: record[key] for key in ("url", "branch")})
