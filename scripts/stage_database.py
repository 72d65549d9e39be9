"""The database of a stage: the branch that it works on, or one that no provider hosts."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from infra.branches.errors import NotSupportedError
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.context import ProviderName
from scripts import output
from scripts.provider import branch_or_default, open_branches
from scripts.target import resolve_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.aws.release_database import StageDatabase
    from infra.aws.stage import Stage
    from infra.config import Project


@contextmanager
def stage_database(
    project: Project, stage: Stage, url: str | None, *, local: bool
) -> Iterator[StageDatabase | None]:
    """Open the database of a stage; `None` for a project without migrations.

    Neither a pinned branch nor DATABASE_URL_UNPOOLED has a say: they are of whoever works here.

    Raises:
        BranchError: The provider does not know the branch, or cannot be asked.
        NotSupportedError: The database is on this machine, and the stage is not.
    """
    from infra.aws.release_database import StageDatabase  # noqa: PLC0415  Alembic takes a quarter of a second
    from infra.migrate.rehearsal.copy import CopyForking  # noqa: PLC0415  as above
    from infra.migrate.rehearsal.fork import BranchForking  # noqa: PLC0415  as above
    from infra.migrate.rehearsal.target import Target  # noqa: PLC0415  as above

    if not (project.root / project.migrations).is_dir():
        yield None
        return
    with open_branches(project, provider=ProviderName.LOCAL.value if local else None) as branches:
        if url is not None:
            found = resolve_target(project, given=url)
            fork = CopyForking(project.root, branches.context.application_role.value or "", 0)
            yield StageDatabase(project, Target(found.url, found.expected, fork), _unknown, output.say)
            return
        if branches.name is ProviderName.LOCAL and not local:
            raise NotSupportedError(
                f"the branches of stage {stage.name} are on this machine, where AWS cannot reach them",
                hint="deploy with --local; else: bough link --provider neon, or --url env:NAME",
            )
        provider = branches.provider
        branch = branch_or_default(provider, None if local else stage.settings.branch)
        branches.announce(branch)
        target = Target(
            provider.direct_url(branch.id, DatabaseRole.OWNER),
            BranchIdentity.of(branches.name, branch),
            BranchForking(provider, branches.name),
        )
        application = partial(provider.pooled_url, branch.id, DatabaseRole.APP)
        yield StageDatabase(project, target, application, output.say)


def _unknown() -> NoReturn:
    raise NotSupportedError(
        "no provider can be asked for what the application logs in with",
        hint="write its connection string with: bough secrets set DATABASE_URL",
    )
