"""The migration function's handler, called as Lambda calls it, on a real PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from infra.branches.identity import BranchIdentity
from infra.migrate import function
from infra.migrate.remote_run import RemoteRun, report_of
from tests.support.histories import query, tables
from tests.support.parameters_extension import parameters_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.testing.databases import Database
    from tests.support.histories import History
    from tests.support.parameters_extension import ParametersExtension

PARAMETER = "/bough/shop/production/migrate/DATABASE_URL_UNPOOLED"


@dataclass(frozen=True)
class Context:
    """An invocation that Lambda ends after `milliseconds`."""

    milliseconds: int = 900_000

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda's."""
        return self.milliseconds


@pytest.fixture
def extension(
    history: History, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ParametersExtension]:
    """Inside the function: its code is the history's project, its parameter holds the direct URL."""
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(history.project.root))
    monkeypatch.setenv("DATABASE_URL_UNPOOLED_PARAMETER", PARAMETER)
    with parameters_extension() as extension:
        extension.values[PARAMETER] = empty_database.direct.libpq()
        yield extension


def call(run: RemoteRun, context: Context | None = None) -> dict[str, object]:
    """Call the function as Lambda does: JSON in, JSON out."""
    answer = function.handler(json.loads(run.event()), context or Context())
    read: dict[str, object] = json.loads(json.dumps(answer))
    return read


def failure(run: RemoteRun, context: Context | None = None) -> dict[str, object]:
    """Return what a run that must fail says."""
    with pytest.raises(function.RemoteRunError) as raised:
        call(run, context)
    assert raised.value.__context__ is None
    said: dict[str, object] = json.loads(str(raised.value))
    return said


@pytest.mark.usefixtures("extension")
class TestHandler:
    """`handler`."""

    def test_applies_and_tells_how_far_it_is(
        self, history: History, empty_database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The report is that of a run out here, and each revision has its line of progress."""
        history.write_three_tables()
        run = RemoteRun("a1")
        report = report_of(call(run))
        assert [(each.id, each.phase) for each in report.runs] == [
            ("one", "expand"),
            ("two", "expand"),
            ("three", "contract"),
        ]
        assert report.current == ("three",)
        assert tables(empty_database.direct) == {"a", "b", "c"}
        said = [run.message(line) for line in capsys.readouterr().out.splitlines()]
        assert said[0] == f"Migrating {empty_database.direct}"
        assert said[-3:] == ["Ran one (expand)", "Ran two (expand)", "Ran three (contract)"]

    def test_answers_what_is_held_back(self, history: History) -> None:
        """A contract that waits for the live code comes back with its reason."""
        history.write_three_tables()
        assert report_of(call(RemoteRun("a1", revision="two"))).current == ("two",)
        report = report_of(call(RemoteRun("a2")))
        assert [(each.id, each.phase) for each in report.held_back] == [("three", "contract")]
        assert report.why is not None

    def test_reads_the_secret_anew(self, history: History, extension: ParametersExtension) -> None:
        """A password that changed between two runs of one environment is no obstacle."""
        history.write_three_tables()
        call(RemoteRun("a1"))
        call(RemoteRun("a2"))
        assert extension.names == [PARAMETER, PARAMETER]

    def test_refuses_another_branch(self, history: History, empty_database: Database) -> None:
        """A database that is not the branch meant is not touched."""
        history.write_three_tables()
        other = BranchIdentity("neon", "shop", "br-other-leaf-12345678")
        said = failure(RemoteRun("a1", expected=other))
        assert said["code"] == "TARGET_MISMATCH"
        assert tables(empty_database.direct) == set()

    def test_ends_before_lambda_ends_it(self, history: History, empty_database: Database) -> None:
        """A statement that would outlast the function is cancelled, and those before it stay applied."""
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')")
        history.write("two", "one", "op.execute('SELECT pg_sleep(60)')")
        said = failure(RemoteRun("a1"), Context(16_000))
        assert said["code"] == "MIGRATION_OUT_OF_TIME"
        assert tables(empty_database.direct) == {"a"}
        assert query(empty_database.direct, "SELECT version_num FROM alembic_version") == [("one",)]
        busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
        assert query(empty_database.direct, busy) == [(0,)]

    def test_error_of_a_revision_is_answered(self, history: History) -> None:
        """Code, exit code and next step are those of a run out here."""
        history.write("one", None, "op.execute('SELECT 1/0')")
        said = failure(RemoteRun("a1"))
        assert (said["code"], said["exit_code"]) == ("REVISION_FAILED", 1)
        assert "one" in str(said["message"])

    def test_missing_secret_is_named(self, extension: ParametersExtension) -> None:
        """Who reads the error knows which command writes it."""
        extension.values.clear()
        said = failure(RemoteRun("a1"))
        assert said["code"] == "DIRECT_URL_MISSING"
        assert said["hint"] == "write it: bough secrets set DATABASE_URL_UNPOOLED --function migrate"

    def test_wrong_secret_is_not_quoted(self, extension: ParametersExtension) -> None:
        """What the parameter holds appears nowhere."""
        extension.values[PARAMETER] = "postgresql://shop:hunter2@/:not-a-url"
        said = failure(RemoteRun("a1"))
        assert said["code"] == "DIRECT_URL_INVALID"
        assert "hunter2" not in json.dumps(said)

    @pytest.mark.parametrize(
        "change",
        [{"contract": "yes"}, {"surprise": 1}, {"revision": None}, {"expected": {"provider": "neon"}}],
        ids=str,
    )
    def test_refuses_what_is_no_run(self, change: dict[str, object]) -> None:
        """A misspelt or missing key never means the default."""
        event = json.loads(replace(RemoteRun("a1")).event()) | change
        with pytest.raises(function.RemoteRunError, match="REMOTE_RUN_INVALID"):
            function.handler(event, Context())
