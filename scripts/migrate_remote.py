"""`bough migrate apply --remote`: the migration function of a stage does it, inside AWS."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.context import ProviderName
from infra.local import own_folder
from scripts import output
from scripts.aws_options import open_stage
from scripts.confirmation import confirm
from scripts.migrate_contract import say_restore_point
from scripts.provider import branch_or_default, open_branches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.aws.account import Account
    from infra.aws.remote_migrations import RemoteMigrations
    from infra.aws.stage import Stage
    from infra.branches.provider import BranchProvider
    from infra.config import Project
    from infra.migrate.runner import Report


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
    with open_migrations(project, account, stage, local=local) as (migrations, provider):
        point = None
        if contract:
            last = (migrations.package.revisions.head or revision) if revision == "head" else revision
            ask = partial(confirm, yes=yes)
            point = keep(migrations.expected, last, provider, ask, output.say)
        report = migrations.apply(
            revision, contract=contract, require_rehearsal=require_rehearsal, allow_unsafe=allow_unsafe
        )
    if point is not None and migrations.expected is not None:
        say_restore_point(point, migrations.expected)
    return report


@contextmanager
def open_migrations(
    project: Project, account: Account, stage: Stage, *, local: bool
) -> Iterator[tuple[RemoteMigrations, BranchProvider | None]]:
    """Open a stage's migration function, with a package built for it; beside it who hosts its branch, if any.

    Raises:
        InfraError: It cannot be built, or the provider does not know the stage's branch.
    """
    from infra.aws.functions import Functions  # noqa: PLC0415  boto3 takes time that --help need not pay
    from infra.aws.package import Kind, build_package  # noqa: PLC0415  as above
    from infra.aws.remote_migrations import RemoteMigrations  # noqa: PLC0415  as above
    from infra.aws.stack import Stack  # noqa: PLC0415  as above
    from infra.aws.target import Target  # noqa: PLC0415  as above

    target = Target.this_machine() if local else Target.of(project)
    dist = own_folder.folder(project.root) / "dist" if local else project.root / "dist"
    with open_branches(project, provider=ProviderName.LOCAL.value if local else None) as branches:
        provider, expected, direct_url = None, None, None
        if local or branches.name is not ProviderName.LOCAL:
            provider = branches.provider
            branch = branch_or_default(provider, None if local else stage.settings.branch)
            branches.announce(branch)
            expected = BranchIdentity.of(branches.name, branch)
            direct_url = partial(provider.direct_url, branch.id, DatabaseRole.OWNER)
        package = build_package(project, dist, target=target, kind=Kind.MIGRATE)
        outputs = Stack(project, account, stage).outputs
        yield (
            RemoteMigrations(
                account=account,
                stage=stage,
                functions=Functions(account),
                package=package,
                bucket=lambda: outputs().bucket,
                expected=expected,
                direct_url=direct_url,
                announce=output.say,
            ),
            provider,
        )
