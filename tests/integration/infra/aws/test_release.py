"""Deploys on the AWS of this machine: what becomes live, and what stays live when something fails."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from botocore.exceptions import ClientError

from infra.aws.canary import Canary, CanaryError
from infra.aws.deploy_lock import DeployRunningError
from infra.aws.errors import AccessDeniedError
from infra.aws.function_errors import FunctionChangedError
from infra.aws.release import Wishes
from infra.aws.smoke import SmokeFailedError
from infra.aws.stage import LIVE
from infra.migrate import live
from infra.migrate.errors import DatabaseAheadError, RehearsalUnsafeError
from infra.plan import Progress, StepState, execute
from scripts.signals import EndingSignals
from tests.support.deployments import SmallStage, small_stage
from tests.support.histories import tables

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from infra.testing.databases import Database, World
    from tests.support.histories import History

UNREHEARSED = Wishes(rehearse=False)
#: A canary that ends after two looks.
SHORT = Wishes(Canary(0.25, timedelta(seconds=0.3), tick=0.1), rehearse=False)


@pytest.fixture
def stage(
    account: Account, history: History, empty_database: Database, world: World, tmp_path: Path
) -> SmallStage:
    """A stage whose database has nothing of the history's one revision."""
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    return small_stage(account, history, empty_database, world, tmp_path)


@pytest.fixture
def released(stage: SmallStage) -> SmallStage:
    """The same, with version 1 live."""
    stage.run(stage.package("first"))
    stage.news.clear()
    stage.said.clear()
    return stage


def states(news: list[Progress], state: StepState) -> list[str]:
    return [each.step.key for each in news if each.state is state]


def ask(url: str) -> str:
    with urllib.request.urlopen(f"{url}/readyz") as answer:
        return json.loads(answer.read())["code"]


class TestDeploy:
    """`Deploy`."""

    def test_makes_a_first_version_live(self, stage: SmallStage, empty_database: Database) -> None:
        """Database first; then it answers at a URL, and the database knows which code is live."""
        made = stage.deploy(stage.package("first"))
        keys = [step.key for step in made.steps()]
        assert keys == [
            *("lock", "secrets", "migrate", "upload", "code", "publish"),
            *("smoke", "shift", "record", "prune", "unlock"),
        ]
        execute(made.steps(), stage.news.append)
        assert tables(empty_database.direct) == {"a"}
        assert stage.shares == {"1": 1.0}
        assert made.outcome.url is not None
        assert ask(made.outcome.url.url) == "first"
        recorded = live.read(empty_database.direct, None)
        assert recorded is not None
        assert (recorded.head, recorded.artifact) == (
            "one",
            str(stage.deployment.project.root / ".bough" / "deployed" / f"{made.found.package.sha256}.zip"),
        )
        assert stage.deployment.secrets.get("api", "DATABASE_URL") == empty_database.pooled.libpq()

    @pytest.mark.prove
    def test_finds_nothing_to_do_the_second_time(self, released: SmallStage) -> None:
        """The same code, settings and revisions: five questions, and not even the lock is taken."""
        asked: list[str] = []
        account = released.deployment.account
        for client in (account.functions, account.parameters, account.stacks, account.objects):
            client.meta.events.register("before-call", lambda model, **_: asked.append(model.name))
        assert released.deploy(released.package("first")).steps() == ()
        assert sorted(asked) == [
            *("GetAlias", "GetFunctionConfiguration", "GetFunctionConfiguration"),
            *("GetFunctionUrlConfig", "GetParametersByPath"),
        ]

    @pytest.mark.prove
    def test_replaces_the_live_version(
        self, released: SmallStage, history: History, empty_database: Database
    ) -> None:
        """New code comes with the expand revision that it needs; the contract revision waits."""
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')")
        history.write("three", "two", "op.execute('DROP TABLE a')", phase="contract")
        made = released.run(released.package("second"), UNREHEARSED)
        assert tables(empty_database.direct) == {"a", "b"}
        assert made.outcome.migrated is not None
        assert [revision.id for revision in made.outcome.migrated.held_back] == ["three"]
        assert released.shares == {"2": 1.0}
        assert made.found.url == made.outcome.url
        assert ask(made.found.url.url if made.found.url else "") == "second"

    def test_leaves_the_old_version_live_when_the_new_one_fails(
        self, released: SmallStage, history: History, empty_database: Database
    ) -> None:
        """The revisions stay: the old code fits them. Nothing else is left, and the next deploy goes on."""
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')")
        with pytest.raises(SmokeFailedError, match=r"version 2 of \S+ does not answer .*: /readyz 500 in"):
            released.run(released.package("broken", fails=("/readyz",)), UNREHEARSED)
        assert (released.shares, tables(empty_database.direct)) == ({"1": 1.0}, {"a", "b"})
        assert states(released.news, StepState.UNDONE) == ["lock"]
        recorded = live.read(empty_database.direct, None)
        assert recorded is not None
        assert recorded.head == "one"
        released.run(released.package("mended"), UNREHEARSED)
        assert released.shares == {"3": 1.0}

    @pytest.mark.prove
    def test_changes_nothing_when_the_rehearsal_is_unsafe(
        self, released: SmallStage, history: History, empty_database: Database
    ) -> None:
        """It comes before everything else."""
        history.write("two", "one", "op.execute('SELECT 1 / 0')")
        with pytest.raises(RehearsalUnsafeError, match="unsafe"):
            released.run(released.package("second"))
        assert (released.shares, tables(empty_database.direct)) == ({"1": 1.0}, {"a"})
        assert states(released.news, StepState.DONE) == ["lock"]
        assert [each.number for each in released.deployment.functions.versions(released.name)] == ["1"]

    @pytest.mark.prove
    def test_goes_back_when_the_database_cannot_be_told(
        self, released: SmallStage, empty_database: Database
    ) -> None:
        """Else a contract revision could be applied that the live code does not fit."""
        made = released.deploy(released.package("second"))
        with psycopg.connect(empty_database.superuser.libpq(), autocommit=True) as connection:
            connection.execute("ALTER TABLE bough_release ADD CHECK (id < 2) NOT VALID")
        with pytest.raises(Exception, match="check constraint"):
            execute(made.steps(), released.news.append)
        assert released.shares == {"1": 1.0}
        assert states(released.news, StepState.UNDONE) == ["shift", "lock"]

    def test_goes_back_when_the_url_cannot_be_opened(self, released: SmallStage) -> None:
        """By then the alias leads to the new version already."""

        def refuse(**_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetPolicy")

        made = released.deploy(released.package("second"))
        events = released.deployment.account.functions.meta.events
        events.register("before-call.lambda.GetPolicy", refuse)
        try:
            with pytest.raises(AccessDeniedError):
                execute(made.steps(), released.news.append)
        finally:
            events.unregister("before-call.lambda.GetPolicy", refuse)
        assert released.shares == {"1": 1.0}

    def test_goes_on_where_a_stack_was_changed_alone(self, released: SmallStage) -> None:
        """The deploy that did so has failed: the live version still has the settings of before."""
        package = released.package("first")
        assert released.deploy(package).steps() == ()
        client = released.deployment.account.functions
        network = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
        client.update_function_configuration(FunctionName=released.name, VpcConfig=network)  # type: ignore[arg-type]
        assert [step.key for step in released.deploy(package).steps()][1:3] == ["publish", "smoke"]

    @pytest.mark.prove
    def test_leaves_alone_what_somebody_else_has_moved(self, released: SmallStage) -> None:
        """Such as a rollback since the deploy has looked."""
        functions, name = released.deployment.functions, released.name
        made = released.deploy(released.package("second"))
        alias = functions.alias(name, LIVE)
        assert alias is not None
        functions.point(name, LIVE, "1", revision_id=alias.revision_id)
        with pytest.raises(FunctionChangedError, match="since this deploy looked"):
            execute(made.steps(), released.news.append)
        assert (released.shares, states(released.news, StepState.DONE)) == ({"1": 1.0}, [])

    def test_lets_one_of_two_deploys_win(self, released: SmallStage) -> None:
        """The other says who deploys, and has changed nothing."""
        plans = [released.deploy(released.package(code)).steps() for code in ("left", "right")]

        def run(steps: object) -> str:
            try:
                execute(steps, lambda _: None)  # type: ignore[arg-type]
            except DeployRunningError as error:
                return str(error)
            return "done"

        with ThreadPoolExecutor() as threads:
            ends = sorted(threads.map(run, plans))
        assert ends[0].startswith("another deploy runs: arn:aws:")
        assert (ends[1], released.shares) == ("done", {"2": 1.0})

    @pytest.mark.prove
    def test_refuses_code_that_is_older_than_the_database(
        self, released: SmallStage, history: History
    ) -> None:
        """That is what rollbacks are for."""
        (history.project.root / "migrations" / "versions" / "one.py").unlink()
        with pytest.raises(DatabaseAheadError) as caught:
            released.deploy(released.package("older"))
        assert "bough rollback" in (caught.value.hint or "")

    @pytest.mark.prove
    def test_ends_a_canary_that_was_left(self, released: SmallStage) -> None:
        """A deploy that was killed had led a share of the requests to its version."""
        functions, name = released.deployment.functions, released.name
        released.run(released.package("second"))
        alias = functions.alias(name, LIVE)
        assert alias is not None
        functions.point(name, LIVE, "2", weights={"1": 0.1}, revision_id=alias.revision_id)
        released.run(released.package("second"))
        assert released.shares == {"2": 1.0}


class TestCanary:
    """`Deploy`, with a canary."""

    @pytest.mark.prove
    def test_leads_all_requests_to_a_version_that_does_well(self, released: SmallStage) -> None:
        """After it has had a share; without visitors the deploy asks it itself."""
        made = released.run(released.package("second"), SHORT)
        assert released.shares == {"2": 1.0}
        assert "too few to judge by" in (made.outcome.canary or "")
        assert any(line.startswith("The canary goes back at 3 server errors") for line in released.said)

    def test_returns_from_a_version_that_does_badly(self, released: SmallStage) -> None:
        """Its server errors are found by the metrics of its own; the smoke check alone had passed."""
        careful = Wishes(Canary(0.25, timedelta(minutes=5), tick=0.05))
        made = released.deploy(released.package("second"), careful)
        seen: list[dict[str, float] | None] = []

        def tell(progress: Progress) -> None:
            released.news.append(progress)
            if progress.step.key == "canary" and progress.state is StepState.STARTED:
                write_errors(released, "2", 5)
            if progress.step.key == "canary" and progress.state is StepState.FAILED:
                seen.append(released.shares)

        with pytest.raises(CanaryError, match="the new version is worse: 5 of 5 requests are server errors"):
            execute(made.steps(), tell)
        assert seen == [{"1": 1.0}]

    @pytest.mark.prove
    def test_returns_at_ctrl_c(self, released: SmallStage) -> None:
        """At once, and not when its time is over."""
        made = released.deploy(released.package("second"), Wishes(Canary(0.25, timedelta(minutes=1))))

        def press() -> None:
            while released.shares == {"1": 1.0}:
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=press, daemon=True)
        with EndingSignals(), pytest.raises(KeyboardInterrupt):
            thread.start()
            execute(made.steps(), released.news.append)
        thread.join()
        assert released.shares == {"1": 1.0}
        assert states(released.news, StepState.FAILED) == ["canary"]


def write_errors(stage: SmallStage, version: str, count: int) -> None:
    """Write what the handler's log lines become, which this small code does not write."""
    dimensions = [
        {"Name": "FunctionName", "Value": stage.name},
        {"Name": "ExecutedVersion", "Value": version},
    ]
    stage.deployment.account.metrics.put_metric_data(
        Namespace="bough",
        MetricData=[
            {"MetricName": name, "Dimensions": dimensions, "Value": 1, "Unit": "Count"}  # type: ignore[typeddict-item]
            for name in ("Requests", "ServerErrors")
            for _ in range(count)
        ],
    )
