"""Which database `bough migrate` and `bough seed` work on, and which branch it must prove to be."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.database.connection_url import ConnectionUrlError, DirectUrl
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.context import ProviderName
from infra.local import world
from infra.migrate.errors import DirectUrlInvalidError, DirectUrlMissingError
from scripts.completion import complete_branch
from scripts.provider import open_branches

if TYPE_CHECKING:
    from infra.config import Project
    from infra.context import Context

_VARIABLE: Final = "DATABASE_URL_UNPOOLED"

#: What branches' ids look like: Neon's, and the project references of Supabase's.
_IDS: Final = {
    ProviderName.NEON: re.compile(r"br-[a-z]+-[a-z]+-[a-z0-9]{8,}"),
    ProviderName.SUPABASE: re.compile(r"[a-z]{20}"),
}

OnBranch = Annotated[
    str | None,
    typer.Option(
        "--branch",
        help="Id or name of the branch to work on; without it DATABASE_URL_UNPOOLED, the pinned branch, or"
        " the running local world.",
        autocompletion=complete_branch,
        show_default=False,
    ),
]

OnUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="A database that no provider hosts: `env:NAME` for the variable that holds its direct connection"
        " string, `-` for stdin, or one without its password, which is then PGPASSWORD's.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Target:
    """A database, and the branch that it must be; `None` when any will do that says which it is."""

    url: DirectUrl
    expected: BranchIdentity | None


def resolve_target(project: Project, branch: str | None = None, given: str | None = None) -> Target:
    """Return the database that is meant.

    Where to connect is said by `branch` or by what was `given` as `--url`, else by DATABASE_URL_UNPOOLED,
    else by the pinned branch, else by the running local world. Whoever pinned a branch also meant it for
    such a URL; what is pinned by id, such as a link, the database itself can prove, and no provider is asked.

    Raises:
        typer.BadParameter: Both say where.
        DirectUrlInvalidError: The variable cannot be read, or is a pooled URL.
        DirectUrlMissingError: Nothing says where.
        BranchError: The provider does not know the branch, or cannot be asked.
    """
    if branch is not None and given is not None:
        raise typer.BadParameter("--branch says where to connect, too", param_hint="--url")
    url = _url_of_option(given) if given is not None else url_of_environment() if branch is None else None
    with open_branches(project, branch=branch) as branches:
        if url is not None and (pinned := _pinned_by_id(branches.context)) is not None:
            return Target(url, pinned)
        if branches.context.branch.value is not None:
            found = branches.get(branch)
            url = url or branches.provider.direct_url(found.id, DatabaseRole.OWNER)
            return Target(url, BranchIdentity.of(branches.name, found))
    if url is not None:
        return Target(url, None)
    state = world.read_state(project.root)
    if state is None:
        raise DirectUrlMissingError(
            f"no branch is named or pinned, {_VARIABLE} is not set, and no local world is running",
            hint="name one with --branch, or start a local one with: bough up",
        )
    return Target(state.database_url_unpooled, None)


def _pinned_by_id(context: Context) -> BranchIdentity | None:
    """Return the pinned branch if its id says which one it is; local ones cost nothing to be asked for.

    A name in the form of an id is taken for one: then nothing has this id, and nothing runs.
    """
    project, branch = context.project_id.value, context.branch.value
    form = _IDS.get(ProviderName(context.provider.value or ""))
    if project is None or branch is None or form is None or not form.fullmatch(branch):
        return None
    return BranchIdentity(context.provider.value or "", project, branch)


def url_of_environment() -> DirectUrl | None:
    """Return the URL in DATABASE_URL_UNPOOLED, `None` where that is not set.

    Raises:
        DirectUrlInvalidError: It cannot be read, or is a pooled URL.
    """
    text = os.environ.get(_VARIABLE)
    return _parsed(text, _VARIABLE) if text else None


def _url_of_option(given: str) -> DirectUrl:
    """Return the URL that `--url` means.

    Raises:
        DirectUrlInvalidError: It cannot be read, is a pooled URL, or shows a password.
        DirectUrlMissingError: The variable is not set, or nothing is on stdin.
    """
    if given == "-":
        return _parsed(_required(sys.stdin.readline().strip(), "stdin has no connection string"), "stdin")
    if given.startswith("env:"):
        name = given.removeprefix("env:")
        return _parsed(_required(os.environ.get(name, ""), f"{name} is not set"), name)
    from infra.branches.provisioning import password_of  # noqa: PLC0415  psycopg takes time that --help need not pay

    url = _parsed(given, "--url")
    if password_of(url) is not None:
        raise DirectUrlInvalidError(
            "--url shows a password, and command lines can be read by everybody",
            hint="put the connection string into a variable, and give its name: --url env:NAME",
        )
    return url.replace(password=os.environ["PGPASSWORD"]) if os.environ.get("PGPASSWORD") else url


def _required(text: str, missing: str) -> str:
    if not text:
        raise DirectUrlMissingError(missing, hint="--url says that the connection string is there")
    return text


def _parsed(text: str, where: str) -> DirectUrl:
    try:
        return DirectUrl.parse(text)
    except ConnectionUrlError as error:
        # `from None`: the traceback of what was parsed is nobody's business.
        raise DirectUrlInvalidError(f"{where}: {error}", hint=error.hint) from None
