"""Migrations rehearsed on a branch of a database with many rows, and then applied to that database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.branches.adoption import adopt
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.config_tables import MigrateSettings
from infra.context import ProviderName
from infra.deadline import Deadline
from infra.local.names import APPLICATION
from infra.migrate import runner
from infra.migrate.findings import worst
from infra.migrate.rehearsal.fork import BranchForking
from infra.migrate.rehearsal.rehearse import rehearse
from infra.migrate.rehearsal.results import Outcome
from infra.migrate.rehearsal.target import Target
from tests.support.branch_hosts import neon_host
from tests.support.corpus import shop
from tests.support.corpus.running import BASE, Run, fill, run, write
from tests.support.corpus.whole import CORPUS
from tests.support.histories import History, empty_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.corpus.migration import Migration

pytestmark = pytest.mark.prove

NAMES = (
    "add a nullable column",
    "add a column with a random default",
    "int to bigint",
    "forbid null in four steps",
    "add a foreign key",
    "add a foreign key in two steps",
    "create an index concurrently",
    "attach a partition",
    "add a column and fill it in one transaction",
)
MIGRATIONS = [pytest.param(each, id=each.name) for each in CORPUS if each.name in NAMES]


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[History, Target]]:
    """The default branch of a project, with a million customers and orders."""
    settings = MigrateSettings(blocked_care=600.0, blocked_unsafe=900.0)
    with (
        neon_host(tmp_path_factory.mktemp("neon")) as host,
        host.provider() as provider,
        empty_history(tmp_path_factory.mktemp("branches")) as empty,
    ):
        history = replace(empty, project=replace(empty.project, migrate=settings))
        adopt(
            provider,
            ProviderName.NEON,
            "main",
            application=APPLICATION,
            deadline=Deadline(30),
            announce=lambda _: None,
        )
        main = provider.get("main")
        url = provider.direct_url(main.id, DatabaseRole.OWNER)
        history.write(BASE, None, shop.SCHEMA)
        runner.apply(history.project, url)
        fill(url, 1_000_000)
        who = BranchIdentity.of(ProviderName.NEON, main)
        yield history, Target(url, who, BranchForking(provider, ProviderName.NEON))


class TestRehearse:
    """`rehearse`, and `runner.apply` after it."""

    @pytest.mark.parametrize("migration", MIGRATIONS)
    def test_predicts_what_apply_does(self, branch: tuple[History, Target], migration: Migration) -> None:
        """On the branch the same statements take the same locks and rewrite the same as on the parent."""
        history, target = branch
        write(history, migration)
        found = rehearse(history.project, target, announce=lambda _: None, contract=True, code=False)
        assert found is not None
        findings = [finding for each in found.revisions for finding in each.findings]
        assert worst(findings) is migration.verdict
        assert {finding.rule for finding in findings} == migration.measured | migration.linted
        failed = {each.name for each in found.checks if each.outcome is Outcome.FAILED}
        assert failed <= {"models and schema agree"}  # there are no models
        predicted = Run(tuple(each.measure for each in found.revisions), None)
        real = run(history, target.url)
        runner.rollback(history.project, target.url, to=BASE)
        assert real.certain() == predicted.certain()
        assert real.locks == migration.locks
