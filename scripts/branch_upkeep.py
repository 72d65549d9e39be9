"""`bough branch sweep` and `adopt`: what keeps a project's branches in order."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.branches.pull_requests import GivenPullRequests, of_github
from infra.branches.sweep import DEFAULT_GRACE, DEFAULT_PATTERN, NamePattern, Rules, execute, plan
from infra.deadline import Deadline
from infra.migrate.errors import DirectUrlMissingError
from scripts import moments, output
from scripts.branch_options import NamedBranch, on_branches
from scripts.output import Output, OutputFormat
from scripts.provider import Branches  # noqa: TC001  Typer reads annotations when a command runs
from scripts.target import url_of_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.branches.adoption import Adoption
    from infra.branches.pull_requests import PullRequests
    from infra.branches.sweep import Decision

#: Seconds for a branch to wake and its role to be made.
_ADOPTION: Final = 120.0
_COLUMNS: Final = {"name": "NAME", "id": "ID", "action": "ACTION", "reason": "REASON"}

OpenPullRequests = Annotated[
    str | None,
    typer.Option(
        "--open-pull-requests",
        metavar="NUMBERS",
        help="`12,15`, `none`, or `-` for stdin; without it GitHub is asked (GITHUB_TOKEN,"
        " GITHUB_REPOSITORY, GITHUB_API_URL).",
        show_default=False,
    ),
]


@on_branches
def sweep(
    branches: Branches,
    *,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete them; without it only what would be deleted is shown.")
    ] = False,
    pattern: Annotated[
        str, typer.Option(help="What branches of pull requests are called; `*` after the number is anything.")
    ] = DEFAULT_PATTERN,
    grace: Annotated[
        timedelta | None,
        typer.Option(
            parser=moments.length,
            metavar="LENGTH",
            help="Younger ones stay; 1h without it.",
        ),
    ] = None,
    older_than: Annotated[
        timedelta | None,
        typer.Option(parser=moments.length, metavar="LENGTH", help="Only ones older than this go."),
    ] = None,
    open_numbers: OpenPullRequests = None,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Find the branches of pull requests that are no longer open, and with --delete delete them.

    Never the default branch, a protected one, the parent of one that stays, or one that expires by
    itself. Where it is not known for certain which pull requests are open, nothing is deleted and the
    exit code is 1.
    """
    rules = Rules(NamePattern(pattern), grace or DEFAULT_GRACE, older_than or timedelta())
    with open_pull_requests(open_numbers) as pull_requests:
        # The branches first: a pull request that is opened in between is then known.
        found, now = branches.provider.list(), datetime.now(UTC)
        decisions = plan(found, pull_requests.open_numbers(), now, rules)
        going = [each for each in decisions if each.delete]
        if not delete:
            output.say(f"Nothing was deleted; --delete would delete {len(going)} of {len(found)} branches")
            _show({"delete": going, "keep": _stay(decisions)}, output_format)
            return
        output.say(f"→ {len(going)} branches of project {branches.provider.project_id} on {branches.title}")
        outcome = execute(branches.provider, decisions, pull_requests, now, rules, announce=output.say)
    kept = [*_stay(decisions), *outcome.kept]
    _show({"deleted": outcome.deleted, "keep": kept, "failed": outcome.failed}, output_format)
    if outcome.failed:
        output.say(f"{len(outcome.failed)} branches could not be deleted")
        raise typer.Exit(1)


@on_branches
def adopt(
    branches: Branches,
    branch: NamedBranch,
    *,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="The database of DATABASE_URL_UNPOOLED, which no provider hosts, under this name."
        ),
    ] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Let a database say from now on which branch it is: migrations refuse one that does not.

    Its provider says which host and role lead to the branch, and DATABASE_URL_UNPOOLED, where it is
    set, must lead there too. The application role is provided as well, except with --plain.
    """
    from infra.branches.adoption import adopt as adopt_branch  # noqa: PLC0415  SQLAlchemy takes half a second
    from infra.branches.adoption import adopt_plain  # noqa: PLC0415  as above

    url = url_of_environment()
    if not plain:
        found = branches.get(branch)
        branches.announce(found)
        adoption = adopt_branch(
            branches.provider,
            branches.name,
            found.id,
            application=branches.context.application_role.value or "",
            deadline=Deadline(_ADOPTION),
            announce=output.say,
            url=url,
        )
    elif url is None:
        raise DirectUrlMissingError(
            "DATABASE_URL_UNPOOLED is not set", hint="it says which database is meant"
        )
    else:
        output.say(f"→ {url} as {branch}")
        adoption = adopt_plain(url, project=branches.project.name, name=branch)
    _show_adoption(adoption, output_format)


@contextmanager
def open_pull_requests(given: str | None) -> Iterator[PullRequests]:
    """Know which pull requests are open for the length of the block: what was given, or GitHub's.

    Raises:
        PullRequestsUnknownError: It cannot be told.
    """
    if given is None:
        with of_github(os.environ, announce=output.say) as asked:
            yield asked
    else:
        yield GivenPullRequests.parse(sys.stdin.read() if given == "-" else given)


def _stay(decisions: Sequence[Decision]) -> list[Decision]:
    return [each for each in decisions if not each.delete]


def _show(decisions: Mapping[str, Sequence[Decision]], output_format: OutputFormat) -> None:
    rows = [
        {"name": each.branch.name, "id": each.branch.id, "action": action, "reason": each.reason}
        for action, group in decisions.items()
        for each in group
    ]
    output.show_rows(rows, output_format, columns=_COLUMNS)


def _show_adoption(adoption: Adoption, output_format: OutputFormat) -> None:
    identity, before = adoption.identity, adoption.before
    output.say(
        f"It is {identity}" + (" already" if before == identity else f"; it was {before}" if before else "")
    )
    record = {
        "provider": identity.provider,
        "project_id": identity.project_id,
        "branch_id": identity.branch_id,
        "changed": before != identity,
    }
    output.show(record, output_format)
