"""`bough releases` and `bough rollback`, on versions of the AWS of this machine and a real database."""

from __future__ import annotations

import itertools
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest

from infra.aws.functions import Functions
from infra.aws.release_note import ReleaseNote
from infra.aws.stage import LIVE
from infra.migrate import live, runner
from infra.plan import Progress, StepState
from tests.support.published import lead, publish, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from infra.testing.databases import Database
    from tests.support.histories import History

_numbers = itertools.count()


class Shop(NamedTuple):
    """A stage with three versions, the last one live, and how to call the command for it."""

    account: Account
    function: str
    history: History
    database: Database
    environment: dict[str, str]

    def shares(self) -> dict[str, float]:
        """Return what requests reach."""
        alias = Functions(self.account).alias(self.function, LIVE)
        return dict(alias.shares) if alias else {}


@pytest.fixture
def shop(account: Account, history: History, empty_database: Database, tmp_path: Path) -> Shop:
    """Version 1 was built at revision one, 2 at two, 3 at the contract; this one is not applied yet."""
    stage = f"r{next(_numbers)}"
    pyproject = history.project.root / "pyproject.toml"
    pyproject.write_text(
        f'{pyproject.read_text()}\n[tool.bough.aws]\nservice = "shop"\n[tool.bough.stages.{stage}]\n'
    )
    history.write_three_tables()
    runner.apply(history.project, empty_database.direct, revision="two")
    function = f"shop-{stage}-api"
    for number, head, needed in (("1", "one", "one"), ("2", "two", "two"), ("3", "three", "two")):
        publish(account, function, zipped(tmp_path, f"code{number}"), ReleaseNote(f"c{number}", head, needed))
    for number in ("1", "2", "3"):
        lead(account, function, number)
    environment = {**account.environment(), "STAGE_DATABASE": empty_database.direct.libpq()}
    return Shop(account, function, history, empty_database, environment)


@pytest.fixture
def bough(shop: Shop, in_history):
    """Run a command on the stage's database; return exit code, stdout and stderr."""

    def run(noun: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
        given = shop.environment | environment
        return in_history(noun, *arguments, "--url", "env:STAGE_DATABASE", **given)

    return run


class TestReleases:
    """`bough releases`."""

    def test_shows_what_each_version_is(self, bough, shop: Shop) -> None:
        """Which share of the requests reaches it, and, once a contract is applied, what no longer fits."""
        lead(shop.account, shop.function, "2", v3=0.1)
        code, out, err = bough("releases", "-o", "json")
        keys = ("version", "share", "code", "head", "fits")
        assert (code, [tuple(row[key] for key in keys) for row in json.loads(out)]) == (
            0,
            [
                ("3", "10%", "c3", "three", "yes"),
                ("2", "90%", "c2", "two", "yes"),
                ("1", None, "c1", "one", "yes"),
            ],
        )
        assert "→ stage r" in err
        runner.apply(shop.history.project, shop.database.direct, unused=True)
        assert [(row["fits"], row["why"]) for row in json.loads(bough("releases", "-o", "json")[1])] == [
            ("yes", None),
            *[("no", "contract revision three was applied, which it does not know")] * 2,
        ]


class TestRollback:
    """`bough rollback`."""

    def test_returns_to_the_version_before(self, bough, shop: Shop) -> None:
        """The database is told; before, a dry run has shown the steps and changed nothing."""
        code, out, _ = bough("rollback", "--dry-run", "-o", "json")
        assert (code, [row["step"] for row in json.loads(out)]) == (3, ["smoke", "shift", "record"])
        assert shop.shares() == {"3": 1}
        code, out, err = bough("rollback", "--no-smoke", "-o", "json")
        assert (code, json.loads(out)["version"], json.loads(out)["before"]) == (0, "2", "3")
        assert "Point live to version 2: it was version 3" in err
        assert shop.shares() == {"2": 1}
        release = live.read(shop.database.direct, None)
        assert release is not None
        assert (release.head, release.revisions) == ("two", {"one", "two"})

    def test_says_at_ctrl_c_that_the_database_was_not_told(
        self, bough, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The alias stays where it was led."""

        def interrupt(progress: Progress) -> None:
            if (progress.step.key, progress.state) == ("shift", StepState.DONE):
                raise KeyboardInterrupt

        monkeypatch.setattr("scripts.releases.shown", lambda: nullcontext(interrupt))
        code, _, err = bough("rollback", "--no-smoke")
        assert (code, shop.shares()) == (130, {"2": 1})
        assert "Version 2 is live, and the database was not told" in err
        assert "bough migrate live --record --head two" in err

    @pytest.mark.prove
    def test_refuses_what_the_schema_no_longer_fits(self, bough, shop: Shop) -> None:
        """Whatever is allowed; what is live already is refused before any database is asked."""
        assert bough("rollback", "3")[0] == 1
        runner.apply(shop.history.project, shop.database.direct, unused=True)
        code, _, err = bough("rollback", "2", "--no-smoke", "--allow-unknown-fit")
        assert (code, "contract revision three was applied" in err) == (3, True)
        assert shop.shares() == {"3": 1}

    @pytest.mark.prove
    def test_needs_a_flag_where_the_database_cannot_be_asked(self, bough, shop: Shop) -> None:
        """With it the alias is moved, which ends a canary, and what is left to do is said."""
        lead(shop.account, shop.function, "2", v3=0.1)
        dead = {"STAGE_DATABASE": "postgresql://nobody@127.0.0.1:1/nothing"}
        code, _, err = bough("rollback", "--no-smoke", **dead)
        assert (code, "--allow-unknown-fit" in err, shop.shares()) == (3, True, {"2": 0.9, "3": 0.1})
        code, _, err = bough("rollback", "--no-smoke", "--allow-unknown-fit", **dead)
        assert (code, "bough migrate live --record" in err, shop.shares()) == (0, True, {"2": 1})

    @pytest.mark.prove
    def test_stays_where_it_cannot_be_recorded(self, bough, shop: Shop) -> None:
        """The version that failed is not made live again; how to record it is said."""
        with psycopg.connect(shop.database.superuser.libpq(), autocommit=True) as connection:
            connection.execute("CREATE TABLE bough_release (id int)")
        code, _, err = bough("rollback", "1", "--no-smoke")
        assert (code, "bough migrate live --record --head one" in err, shop.shares()) == (1, True, {"1": 1})
