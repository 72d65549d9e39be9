"""`bough migrate apply --remote`: the migration function of a stage does it, inside AWS."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from infra.branches.identity import BranchIdentity
from infra.context import ProviderName
from infra.local import own_folder
from scripts import output
from scripts.aws_options import open_stage
from scripts.confirmation import confirm
from scripts.migrate_contract import say_restore_point
from scripts.provider import branch_or_default, open_branches

if TYPE_CHECKING:
    from infra.aws.account import Account
    from infra.aws.remote_migrations import RemoteMigrations
    from infra.aws.stage import Stage
    from infra.config import Project
    from infra.migrate.runner import Report
    from scripts.provider import Branches


def apply(
    project: Project,
    stage_name: str | None,
    revision: str,
    *,
    local: bool,
    contract: bool,
    require_rehearsal: bool,
    allow_unsafe: bool,
    yes: bool,
) -> Report:
    """Apply revisions from inside AWS, and return what the function reports."""
    from infra.migrate.contract import keep  # noqa: PLC0415  Alembic takes a quarter of a second

    account, stage = open_stage(project, stage_name, local=local)
    with ExitStack() as stack:
        branches, who = _branch(stack, project, stage, local=local)
        migrations = _open(project, account, stage, who, local=local)
        point = None
        if contract:
            last = (migrations.package.revisions.head or revision) if revision == "head" else revision
            provider = branches.provider if branches is not None else None
            point = keep(who, last, provider, lambda what: confirm(what, yes=yes), output.say)
        report = migrations.apply(
            revision, contract=contract, require_rehearsal=require_rehearsal, allow_unsafe=allow_unsafe
        )
    if point is not None and who is not None:
        say_restore_point(point, who)
    return report


def open_migrations(project: Project, account: Account, stage: Stage, *, local: bool) -> RemoteMigrations:
    """Return a stage's migration function, and build the package for it.

    Raises:
        InfraError: It cannot be built, or the provider does not know the stage's branch.
    """
    with ExitStack() as stack:
        _, who = _branch(stack, project, stage, local=local)
        return _open(project, account, stage, who, local=local)


def _branch(
    stack: ExitStack, project: Project, stage: Stage, *, local: bool
) -> tuple[Branches | None, BranchIdentity | None]:
    """Return which branch a stage's database must be, and who hosts it; `None` where no provider does."""
    branches = stack.enter_context(
        open_branches(project, provider=ProviderName.LOCAL.value if local else None)
    )
    if branches.name is ProviderName.LOCAL and not local:
        return None, None
    branch = branch_or_default(branches.provider, None if local else stage.settings.branch)
    branches.announce(branch)
    return branches, BranchIdentity.of(branches.name, branch)


def _open(
    project: Project, account: Account, stage: Stage, who: BranchIdentity | None, *, local: bool
) -> RemoteMigrations:
    from infra.aws.functions import Functions  # noqa: PLC0415  boto3 takes time that --help need not pay
    from infra.aws.package import Kind, build_package  # noqa: PLC0415  as above
    from infra.aws.remote_migrations import RemoteMigrations  # noqa: PLC0415  as above
    from infra.aws.stack import Stack  # noqa: PLC0415  as above
    from infra.aws.target import Target  # noqa: PLC0415  as above

    target = Target.this_machine() if local else Target.of(project)
    dist = own_folder.folder(project.root) / "dist" if local else project.root / "dist"
    package = build_package(project, dist, target=target, kind=Kind.MIGRATE)
    bucket = Stack(project, account, stage).outputs
    return RemoteMigrations(
        account, stage, Functions(account), package, lambda: bucket().bucket, who, output.say
    )
