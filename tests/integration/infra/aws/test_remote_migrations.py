"""Calling the migration function: progress, reports and failures, on the AWS of this machine.

The function here says and answers what it is told; the real one has tests of its own, and
`tests/e2e/aws/test_remote_apply.py` puts both together.
"""

from __future__ import annotations

import itertools
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

from infra.aws.functions import Functions
from infra.aws.remote_migrations import RemoteMigrations
from infra.aws.stage import Stage
from infra.aws.uploads import SentCode
from infra.config_tables import StageSettings
from infra.migrate.errors import MigrationError
from infra.migrate.remote_run import RemoteRun
from tests.support.published import logging_role, make

if TYPE_CHECKING:
    from infra.aws.account import Account

_CODE: Final = """
import json, os, time

def say(event, message):
    print("bough-migrate " + json.dumps({"run": event["id"], "message": message}), flush=True)

def handler(event, context):
    say(event, "Migrating")
    print("NOTICE of a revision")
    say(event | {"id": "another"}, "of another run")
    if event["revision"] == "dies":
        os._exit(1)
    if event["revision"] == "fails":
        error = {"code": "REVISION_FAILED", "exit_code": 1, "message": "two failed", "hint": "mend it"}
        raise RuntimeError(json.dumps(error))
    time.sleep(1.5)
    say(event, "Ran two (expand)")
    run = {"id": "two", "message": "Two.", "phase": "expand", "seconds": 0.5, "attempts": 2}
    return {"runs": [run], "current": ["two"], "held_back": [], "why": None, "dropped_indexes": []}
"""

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
    code = tmp_path_factory.mktemp("code") / "code.zip"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", _CODE)
    make(account, stage.migrate, SentCode(code), logging_role(account))
    return RemoteMigrations(account, stage, Functions(account), said.append)


class TestApply:
    """`RemoteMigrations.apply`."""

    def test_returns_the_report_and_tells_of_the_progress(
        self, migrations: RemoteMigrations, said: list[str]
    ) -> None:
        """Only this run's lines are told, each once, and in their order."""
        said.clear()
        report = migrations.apply(RemoteRun("a1"))
        assert [(run.id, run.attempts) for run in report.runs] == [("two", 2)]
        assert report.current == ("two",)
        assert said == ["Migrating", "Ran two (expand)"]

    def test_error_of_a_run_keeps_its_code(self, migrations: RemoteMigrations) -> None:
        """Programs find what a run out here would have said."""
        with pytest.raises(MigrationError, match="two failed") as raised:
            migrations.apply(RemoteRun("a2", "fails"))
        assert (raised.value.code, raised.value.exit_code, raised.value.hint) == (
            "REVISION_FAILED",
            1,
            "mend it",
        )

    def test_function_that_dies_is_said_in_lambdas_words(self, migrations: RemoteMigrations) -> None:
        """Nobody claims to know what was applied; the next step is the log."""
        with pytest.raises(MigrationError, match=r"ended without a report: .*exit") as raised:
            migrations.apply(RemoteRun("a3", "dies"))
        assert raised.value.hint is not None
        assert raised.value.hint.startswith("see its log: bough logs --migrate")
