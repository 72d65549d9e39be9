"""The provider that a command works on: where adapters are chosen and given what they need."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from infra.branches import lookup
from infra.branches.errors import (
    BranchNameMissingError,
    ProjectNotFoundError,
    ProviderAuthError,
)
from infra.context import PROJECT_VARIABLES, TOKEN_VARIABLES, ProviderName, resolve
from infra.local import control_plane
from scripts import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.branches.provider import Branch, BranchProvider
    from infra.config import Project
    from infra.context import Context
    from scripts.output import OutputFormat

#: As people write them.
TITLES: Final = {
    ProviderName.LOCAL: "this machine",
    ProviderName.NEON: "Neon",
    ProviderName.SUPABASE: "Supabase",
}


@dataclass(frozen=True)
class Branches:
    """The branches that a command works on: a project's, at a provider.

    Args:
        project: On this machine.
        context: Which provider, project and branch are meant.
        token: The provider's; `None` for that of the environment.
        stack: Ends the connection to the provider.
    """

    project: Project
    context: Context
    token: str | None
    stack: ExitStack

    @cached_property
    def provider(self) -> BranchProvider:
        """The provider; a control plane is started for local branches."""
        return self.stack.enter_context(open_provider(self.project, self.context, token=self.token))

    @property
    def title(self) -> str:
        """Where the branches are, as people write it."""
        return TITLES[self.name]

    @property
    def name(self) -> ProviderName:
        """Who hosts them."""
        return ProviderName(self.context.provider.value or "")

    def get(self, named: str | None) -> Branch:
        """Return the branch of this id or name, or else the one that is pinned.

        Raises:
            BranchNameMissingError: None was named, and none is pinned.
            BranchNotFoundError: There is none of this name.
        """
        branch = self.context.branch.value if named is None else lookup.required(named)
        if branch is None:
            raise BranchNameMissingError(
                "no branch was named, and none is pinned",
                hint="name one, or pin one with: bough link --branch NAME",
            )
        return self.provider.get(branch)

    def record(self, branch: Branch) -> dict[str, Any]:
        """Return a branch as every command shows it; the keys are a contract."""
        return {
            "id": branch.id,
            "name": branch.name,
            "provider": self.name.value,
            "project_id": branch.project_id,
            "parent_id": branch.parent_id,
            "state": branch.state.value,
            "default": branch.is_default,
            "protected": branch.is_protected,
            "created_at": branch.created_at,
            "expires_at": branch.expires_at,
        }

    def show(self, branch: Branch, output_format: OutputFormat) -> None:
        """Write a branch to stdout; as variables it is what pins it in a shell."""
        variables = {"BOUGH_PROVIDER": self.name.value, "BOUGH_BRANCH": branch.id}
        if variable := PROJECT_VARIABLES.get(self.name):
            variables[variable] = branch.project_id
        output.show(self.record(branch), output_format, variables=variables)

    def announce(self, branch: Branch) -> None:
        """Say which branch is about to change."""
        output.say(f"→ branch {branch.name} ({branch.id}) of project {branch.project_id} on {self.title}")


@contextmanager
def open_branches(
    project: Project,
    *,
    provider: str | None = None,
    project_id: str | None = None,
    branch: str | None = None,
    token: str | None = None,
) -> Iterator[Branches]:
    """Open the branches that flags, environment and files mean; nothing is asked of the provider yet.

    Raises:
        ConfigError: As `infra.context.resolve`.
    """
    flags = {"provider": provider, "project": project_id, "branch": branch}
    with ExitStack() as stack:
        yield Branches(project, resolve(project, flags=flags, environment=os.environ), token, stack)


def branch_or_default(provider: BranchProvider, named: str | None) -> Branch:
    """Return the branch of this id or name, or else the default one.

    Raises:
        BranchNotFoundError: There is none of this name.
    """
    if named is not None:
        return provider.get(named)
    return next(branch for branch in provider.list() if branch.is_default)


def read_token() -> str:
    """Return the token from stdin, its first line.

    Raises:
        ProviderAuthError: There is none.
    """
    if token := sys.stdin.readline().strip():
        return token
    raise ProviderAuthError("there was no token on stdin", hint="pipe it in: bough … --token-stdin < file")


def open_provider(
    project: Project,
    context: Context,
    *,
    token: str | None = None,
    announce: Callable[[str], None] = output.say,
) -> AbstractContextManager[BranchProvider]:
    """Return the adapter for the context's provider.

    Args:
        project: Whose `.bough/` holds the local branches.
        context: Which provider and project, and what its databases and roles are called.
        token: The provider's; without one that of the environment.
        announce: Is told of every wait, in one sentence.

    Raises:
        ProviderAuthError: There is no token.
        ProjectNotFoundError: No project was named.
    """
    name = ProviderName(context.provider.value or "")
    if name is ProviderName.LOCAL:
        return _local(project, context, announce)
    token = token or os.environ.get(TOKEN_VARIABLES[name], "").strip()
    if not token:
        raise ProviderAuthError(
            f"there is no token for {TITLES[name]}",
            hint=f"set {TOKEN_VARIABLES[name]}, or pipe it in with --token-stdin",
        )
    if context.project_id.value is None:
        raise ProjectNotFoundError(
            f"no project of {TITLES[name]} was named",
            hint=f"set {PROJECT_VARIABLES[name]}, or pin one with: bough link --provider {name} --project ID",
        )
    if name is ProviderName.NEON:
        return _neon(context, context.project_id.value, token, context.api_host.value or "", announce)
    return _supabase(context, context.project_id.value, token, announce)


def _local(
    project: Project, context: Context, announce: Callable[[str], None]
) -> AbstractContextManager[BranchProvider]:
    running = control_plane.ensure_running(project.root, announce=announce)
    if context.project_id.value not in {None, running.project_id}:
        raise ProjectNotFoundError(
            f"the local project is {running.project_id}, not {context.project_id.value}"
            f" ({context.project_id.origin})",
            hint="`bough down --delete` ended the old one; `bough unlink` forgets a link to it",
        )
    return _neon(context, running.project_id, running.api_key, running.base_url, announce)


def _neon(
    context: Context, project_id: str, token: str, base_url: str, announce: Callable[[str], None]
) -> AbstractContextManager[BranchProvider]:
    from infra.branches.neon.provider import NeonProvider  # noqa: PLC0415  its models take time that --help need not pay

    return NeonProvider(
        project_id,
        token,
        base_url=base_url,
        database=context.database.value,
        owner_role=context.owner_role.value,
        application_role=context.application_role.value or "",
        announce=announce,
    )


def _supabase(
    context: Context, project_id: str, token: str, announce: Callable[[str], None]
) -> AbstractContextManager[BranchProvider]:
    from infra.branches.supabase.provider import SupabaseProvider  # noqa: PLC0415  as above

    return SupabaseProvider(
        project_id,
        token,
        base_url=context.api_host.value or "",
        application_role=context.application_role.value or "",
        owner_password=os.environ.get("SUPABASE_DB_PASSWORD"),
        announce=announce,
    )
