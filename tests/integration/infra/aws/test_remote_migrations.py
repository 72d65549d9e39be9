"""Calling the migration function: progress, reports and failures, on the AWS of this machine.

The function here says and answers what it is told; the real one has tests of its own, and
`tests/e2e/aws/test_remote_apply.py` puts both together.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.aws.errors import AwsUnreachableError
from infra.aws.function_errors import FunctionNotFoundError
from infra.aws.functions import Functions
from infra.aws.secrets import Secrets
from infra.aws.stage import Stage
from infra.config_tables import StageSettings
from infra.migrate.errors import MigrationError
from tests.support.deployments import SmallStage, small_stage
from tests.support.scripted_migrations import scripted_migrations

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from infra.aws.function import Invocation
    from infra.aws.remote_migrations import RemoteMigrations
    from infra.testing.databases import Database, World
    from tests.support.histories import History

_numbers = itertools.count()


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What was announced."""
    return []


@pytest.fixture(scope="module")
def migrations(
    account: Account, tmp_path_factory: pytest.TempPathFactory, said: list[str]
) -> RemoteMigrations:
    """Those of a stage."""
    stage = Stage("shop", f"m{next(_numbers)}", StageSettings())
    return scripted_migrations(account, stage, tmp_path_factory.mktemp("code"), said.append)


class TestApply:
    """`RemoteMigrations.apply`."""

    def test_returns_the_report_and_tells_of_the_progress(
        self, migrations: RemoteMigrations, said: list[str]
    ) -> None:
        """Only this run's lines are told, each once, and in their order."""
        said.clear()
        report = migrations.apply("two")
        assert [(run.id, run.attempts) for run in report.runs] == [("two", 2)]
        assert report.current == ("two",)
        assert said == ["Migrating", "Ran two (expand)"]

    def test_error_of_a_run_keeps_its_code(self, migrations: RemoteMigrations) -> None:
        """Programs find what a run out here would have said."""
        with pytest.raises(MigrationError, match="two failed") as raised:
            migrations.apply("fails")
        assert (raised.value.code, raised.value.exit_code, raised.value.hint) == (
            "REVISION_FAILED",
            1,
            "mend it",
        )

    def test_function_that_dies_is_said_in_lambdas_words(self, migrations: RemoteMigrations) -> None:
        """Nobody claims to know what was applied; the next step is the log."""
        with pytest.raises(MigrationError, match=r"ended without a report: .*exit") as raised:
            migrations.apply("dies")
        assert raised.value.hint is not None
        assert raised.value.hint.startswith("see its log: bough logs --migrate")


class _Lost(Functions):
    """Functions whose answers are lost on the way."""

    def invoke(self, name: str, qualifier: str, event: bytes) -> Invocation:
        raise AwsUnreachableError(f"could not call {name}:{qualifier}: Read timeout", hint="try again")


class TestConnection:
    """What is between here and the function."""

    def test_answer_that_is_lost_says_that_the_run_may_go_on(self, migrations: RemoteMigrations) -> None:
        """And how to watch it, whichever stage it is of."""
        lost = replace(migrations, functions=_Lost(migrations.account))
        with pytest.raises(AwsUnreachableError, match="the run may go on in AWS") as raised:
            lost.apply("two")
        assert f"bough logs {migrations.stage.name} --migrate --follow --filter" in str(raised.value.hint)

    def test_stage_that_was_never_deployed_gets_no_secret(
        self, migrations: RemoteMigrations, empty_database: Database
    ) -> None:
        """What would be refused is refused before anything is written."""
        nowhere = Stage("shop", "nowhere", StageSettings())
        with pytest.raises(FunctionNotFoundError):
            replace(migrations, stage=nowhere, direct_url=lambda: empty_database.direct).apply("two")
        assert Secrets(migrations.account, nowhere).list() == []


@pytest.fixture
def released(
    account: Account, history: History, empty_database: Database, world: World, tmp_path: Path
) -> SmallStage:
    """A stage with version 1 live."""
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')")
    stage = small_stage(account, history, empty_database, world, tmp_path)
    stage.run(stage.package("first"))
    return stage


@pytest.mark.prove
class TestDeploy:
    """A deploy whose database only the migration function reaches."""

    def test_applies_from_inside_before_the_code_and_records_after_it(
        self, released: SmallStage, tmp_path: Path
    ) -> None:
        """What the function reports is what came of it; no database is asked from here."""
        stage = released.deployment.stage
        remote = scripted_migrations(
            released.deployment.account, stage, tmp_path, released.said.append, "two"
        )
        inside = replace(released, deployment=replace(released.deployment, database=None, remote=remote))
        made = inside.run(inside.package("second"))
        keys = [step.key for step in made.steps()]
        assert keys.index("migrate") < keys.index("code") < keys.index("shift") < keys.index("record")
        assert made.outcome.migrated is not None
        assert made.outcome.migrated.current == ("two",)
        assert released.shares == {"2": 1.0}
        assert inside.deploy(inside.package("second")).steps() == ()

    def test_leaves_the_old_version_live_when_it_fails_inside(
        self, released: SmallStage, tmp_path: Path
    ) -> None:
        """The error is the function's own, and nothing was published."""
        stage = released.deployment.stage
        remote = scripted_migrations(
            released.deployment.account, stage, tmp_path, released.said.append, "fails"
        )
        inside = replace(released, deployment=replace(released.deployment, database=None, remote=remote))
        with pytest.raises(MigrationError, match="two failed"):
            inside.run(inside.package("second"))
        assert released.shares == {"1": 1.0}
        assert [each.number for each in released.deployment.functions.versions(released.name)] == ["1"]
