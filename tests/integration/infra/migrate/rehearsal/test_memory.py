"""What `apply` refuses when a rehearsal is required, and what it goes by."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from infra.migrate import runner
from infra.migrate.errors import (
    RehearsalMissingError,
    RehearsalStaleError,
    RehearsalUnsafeError,
    RevisionUncertainError,
)
from infra.migrate.findings import Verdict
from infra.migrate.records import RememberedRehearsal
from infra.migrate.rehearsal import memory
from infra.migrate.rehearsal.memory import Step
from infra.migrate.rehearsal.rehearse import rehearse
from tests.support.forks import target_of
from tests.support.histories import query, run_script

if TYPE_CHECKING:
    from pathlib import Path

    from api.database.connection_url import DirectUrl
    from infra.migrate.rehearsal.target import Target
    from infra.testing.databases import Database, World
    from tests.support.histories import History

STEPS = tuple(
    Step(
        base,
        f"schema before {revision}",
        revision,
        f"content of {revision}",
        rows={"public.a": 50_000},
        verdict="safe",
    )
    for base, revision in (("one", "two"), ("two", "three"), ("three", "four"))
)


def remembered(*steps: Step) -> RememberedRehearsal:
    """Return a rehearsal as a target has it."""
    at = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    return RememberedRehearsal("fingerprint", "safe", [asdict(step) for step in steps], at)


class TestRequire:
    """`require`."""

    @pytest.mark.parametrize(("begin", "end"), [(0, 3), (0, 1), (1, 3), (2, 3)])
    def test_holds_for_whatever_lies_in_a_row(self, begin: int, end: int) -> None:
        """All, the first alone, what an interrupted run has left."""
        memory.require(STEPS[begin:end], [remembered(*STEPS)], allow_unsafe=False, changes=str)

    def test_refuses_what_was_never_rehearsed(self) -> None:
        """Neither no rehearsal nor one of others will do."""
        for known in ([], [remembered(STEPS[0])]):
            with pytest.raises(RehearsalMissingError, match="three, four must be rehearsed") as failure:
                memory.require(STEPS[1:], known, allow_unsafe=False, changes=str)
            assert failure.value.hint == "run: bough migrate rehearse"

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"base": "zero"}, "the database is at zero, and was at one"),
            ({"schema": "another"}, "the database's schema has changed since: schema before two"),
            ({"content": "another"}, "edited since: two"),
            ({"shared": "another"}, "edited since: what revisions share"),
            ({"rows": {"public.a": 100_000}}, "public.a has grown from 50,000 to 100,000 rows"),
        ],
    )
    def test_refuses_what_is_not_as_it_was(self, change: dict[str, Any], why: str) -> None:
        """The message says what has drifted."""
        now = (replace(STEPS[0], **{"rows": {}, **change}), *STEPS[1:])
        with pytest.raises(RehearsalStaleError, match=why):
            memory.require(now, [remembered(*STEPS)], allow_unsafe=False, changes=str)

    def test_holds_while_tables_are_much_as_they_were(self) -> None:
        """Nearly twice as many rows, and large tables that none of the revisions works on."""
        now = replace(STEPS[0], rows={"public.a": 99_999, "public.b": 1_000_000})
        memory.require([now], [remembered(*STEPS)], allow_unsafe=False, changes=str)

    def test_refuses_other_company(self) -> None:
        """A revision that has come in between, or after."""
        more = (*STEPS, Step("four", None, "five", "content"))
        with pytest.raises(
            RehearsalStaleError, match="two, three, four was rehearsed, not two, three, four, five"
        ):
            memory.require(more, [remembered(*STEPS)], allow_unsafe=False, changes=str)

    def test_refuses_a_state_that_was_not_seen(self) -> None:
        """After an irreversible revision nothing is known of the schema in between."""
        unseen = (STEPS[0], replace(STEPS[1], schema=None))
        with pytest.raises(RehearsalStaleError, match="was not seen then"):
            memory.require(STEPS[1:2], [remembered(*unseen)], allow_unsafe=False, changes=str)

    def test_refuses_what_was_unsafe_unless_that_is_allowed(self) -> None:
        """Of the wanted revisions alone; the newest rehearsal that holds decides."""
        unsafe = remembered(STEPS[0], replace(STEPS[1], verdict="unsafe"))
        with pytest.raises(RehearsalUnsafeError, match="2026-11-22 10:30 UTC found three unsafe") as failure:
            memory.require(STEPS[:2], [unsafe, remembered(*STEPS)], allow_unsafe=False, changes=str)
        assert "--allow-unsafe" in (failure.value.hint or "")
        memory.require(STEPS[:2], [unsafe], allow_unsafe=True, changes=str)
        memory.require(STEPS[:1], [unsafe], allow_unsafe=False, changes=str)
        memory.require(STEPS[:2], [remembered(*STEPS), unsafe], allow_unsafe=False, changes=str)


class TestGuard:
    """`guard`, as `runner.apply` asks it under its lock."""

    @pytest.fixture
    def target(self, history: History, empty_database: Database, world: World) -> Target:
        """A database at `one` with `two` and `three` to come; its first revision needed no rehearsal."""
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
        apply(history, empty_database.direct)
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
        history.write("three", "two", "op.execute('CREATE TABLE c (id int)')", "op.execute('DROP TABLE c')")
        history.write("four", "three", "pass")
        return target_of(empty_database, world)

    def test_applies_what_was_rehearsed_and_nothing_else(self, history: History, target: Target) -> None:
        """The same base, schema and files, also where a run was interrupted; nothing has run otherwise."""
        with pytest.raises(RehearsalMissingError):
            apply(history, target.url, "three")
        assert query(target.url, "SELECT version_num FROM alembic_version") == [("one",)]
        rehearsed(history, target)
        assert apply(history, target.url, "two") == ["two"]
        assert apply(history, target.url, "three") == ["three"]

    def test_goes_on_in_the_middle_of_a_revision(
        self, history: History, target: Target, tmp_path: Path
    ) -> None:
        """Half applied, it has changed the schema itself."""
        cut = tmp_path / "cut"
        history.write(
            "two",
            "one",
            "op.execute('ALTER TABLE a ADD COLUMN n int')\nwith op.get_context().autocommit_block():\n"
            "    op.execute('CREATE INDEX CONCURRENTLY ix_a_n ON a (n)')\n"
            f"    if __import__('pathlib').Path({str(cut)!r}).exists():\n"
            "        op.execute('SELECT pg_terminate_backend(pg_backend_pid())')",
            "op.execute('DROP INDEX ix_a_n')\nop.execute('ALTER TABLE a DROP COLUMN n')",
        )
        rehearsed(history, target)
        cut.touch()
        with pytest.raises(RevisionUncertainError):
            apply(history, target.url, "three")
        cut.unlink()
        assert apply(history, target.url, "three") == ["two", "three"]

    def test_refuses_what_has_drifted(self, history: History, target: Target) -> None:
        """A file was edited, its own or a shared one; somebody has changed the schema; a table has grown."""
        history.write("two", "one", "op.execute('ALTER TABLE a ADD n int')", "op.drop_column('a', 'n')")
        rehearsed(history, target)
        path = history.project.root / "migrations" / "versions" / "three.py"
        text = path.read_text()
        path.write_text(f"{text}\n# edited\n")
        with pytest.raises(RehearsalStaleError, match="edited since: three"):
            apply(history, target.url, "three")
        path.write_text(text)
        shared = path.parents[1] / "shared.py"
        shared.touch()
        with pytest.raises(RehearsalStaleError, match="what revisions share"):
            apply(history, target.url, "three")
        shared.unlink()
        run_script(target.url, "CREATE INDEX ON a (id)")
        with pytest.raises(RehearsalStaleError, match=r"has changed since: index public\.a_id_idx is new"):
            apply(history, target.url, "three")
        run_script(
            target.url, "DROP INDEX a_id_idx; INSERT INTO a SELECT generate_series(1, 1000); ANALYZE a"
        )
        project = replace(history.project, migrate=replace(history.project.migrate, large_table=1000))
        with pytest.raises(RehearsalStaleError, match=r"public\.a has grown from 0 to 1,000 rows"):
            apply(replace(history, project=project), target.url, "three")


def rehearsed(history: History, target: Target) -> None:
    """Rehearse all but the last revision, which would compare the models."""
    found = rehearse(history.project, target, announce=lambda _: None, code=False, revision="three")
    assert found is not None
    assert found.verdict is Verdict.SAFE


def apply(history: History, url: DirectUrl, revision: str = "head") -> list[str]:
    """Apply what was rehearsed; return the revisions that ran."""
    guard = memory.guard(history.project, allow_unsafe=False)
    return [each.id for each in runner.apply(history.project, url, revision=revision, guard=guard).runs]
