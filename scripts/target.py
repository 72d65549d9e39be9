"""Which database `bough migrate` and `bough seed` work on, and which branch it must prove to be."""

from __future__ import annotations

import os
import re
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


@dataclass(frozen=True, slots=True)
class Target:
    """A database, and the branch that it must be; `None` when any will do that says which it is."""

    url: DirectUrl
    expected: BranchIdentity | None


def resolve_target(project: Project, branch: str | None = None) -> Target:
    """Return the database that is meant.

    Where to connect is said by `branch`, else by DATABASE_URL_UNPOOLED, else by the pinned branch, else
    by the running local world. Whoever pinned a branch also meant it for a URL of the environment; what
    is pinned by id, such as a link, the database itself can prove, and no provider is asked.

    Raises:
        DirectUrlInvalidError: The variable cannot be read, or is a pooled URL.
        DirectUrlMissingError: Nothing says where.
        BranchError: The provider does not know the branch, or cannot be asked.
    """
    url = url_of_environment() if branch is None else None
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
    if not text:
        return None
    try:
        return DirectUrl.parse(text)
    except ConnectionUrlError as error:
        # `from None`: the traceback of what was parsed is nobody's business.
        raise DirectUrlInvalidError(f"{_VARIABLE}: {error}", hint=error.hint) from None
