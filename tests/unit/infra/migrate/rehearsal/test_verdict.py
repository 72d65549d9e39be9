"""What is said against a revision, from measures that a test makes up."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.config_tables import MigrateSettings
from infra.migrate.findings import Verdict
from infra.migrate.history import Revision
from infra.migrate.rehearsal.results import Lock, RevisionMeasure, Scan, Statement
from infra.migrate.rehearsal.verdict import RULES, judge

REVISION = Revision("r", "Message", "expand", Path("versions/r.py"))
EXCLUSIVE = "AccessExclusiveLock"


def sent(sql, index=0, seconds=0.0, **known):
    return Statement(index, sql, 10 + index, float(index), seconds, **known)


def lock(mode=EXCLUSIVE, relation="public.users", rows: int | None = 1_000_000, held=0.0, statement=0):
    acquired = float(statement)
    return Lock(
        relation, rows, mode, statement, acquired, acquired + max(held, 5.0 - acquired), sampled=False
    )


def brief(mode=EXCLUSIVE, relation="public.users", rows: int | None = 1_000_000, seconds=0.001, statement=0):
    return Lock(relation, rows, mode, statement, float(statement), statement + seconds)


def judged(statements, locks, invalid=(), **settings):
    measure = RevisionMeasure(REVISION, 0.0, 6.0, tuple(statements), tuple(locks), 0, invalid)
    return judge(measure, MigrateSettings(**({"blocked_care": 60.0, "blocked_unsafe": 90.0} | settings)))


class TestJudge:
    """`judge`."""

    def test_finds_nothing_against_an_instant(self) -> None:
        """ACCESS EXCLUSIVE on a large table is safe when nothing lasts."""
        found = judged([sent("ALTER TABLE users ADD COLUMN a int")], [brief()], blocked_care=0.2)
        assert found == ()

    def test_tells_what_is_rewritten_and_the_safe_way(self) -> None:
        """Table, rows, time, place and hint; its indexes are not told one by one."""
        statement = sent(
            "ALTER TABLE users ALTER n TYPE bigint",
            seconds=3.2,
            rewrites=("public.users", "public.users_pkey"),
            scans=(Scan("public.users", 2_000_000),),
        )
        (finding,) = judged([statement], [lock()])
        assert (finding.rule, finding.verdict, finding.line) == ("rewrite-of-large-table", Verdict.UNSAFE, 10)
        assert finding.message == (
            "public.users (1,000,000 rows) is written anew in 3.20 s, "
            "and nobody can read or write it meanwhile"
        )
        assert "bough migrate backfill" in (finding.hint or "")
        assert (finding.revision, finding.path) == ("r", REVISION.path)

    @pytest.mark.parametrize(
        ("sql", "mode", "hint"),
        [
            ("CREATE UNIQUE INDEX i ON users (n)", "ShareLock", "CREATE INDEX CONCURRENTLY"),
            ("ALTER TABLE users ALTER n SET NOT NULL", EXCLUSIVE, "ADD CHECK (column IS NOT NULL) NOT VALID"),
            ("ALTER TABLE users ADD CHECK (n IS NOT NULL)", EXCLUSIVE, "add the CHECK NOT VALID"),
            ("alter table users add foreign key (n) references t", "ShareRowExclusiveLock", "NOT VALID"),
            ("ALTER TABLE users ADD UNIQUE (n)", EXCLUSIVE, "USING INDEX"),
            ("ALTER TABLE e ATTACH PARTITION users DEFAULT", EXCLUSIVE, "the partition's bounds"),
            ("DO $$ … $$", EXCLUSIVE, "a revision of its own"),
        ],
    )
    def test_tells_the_safe_way_of_each_scan(self, sql: str, mode: str, hint: str) -> None:
        """The recipe goes by the statement's words."""
        (finding,) = judged([sent(sql, scans=(Scan("public.users", 1_000_000),))], [brief(mode)])
        assert (finding.rule, finding.verdict) == ("scan-under-blocking-lock", Verdict.UNSAFE)
        assert hint in (finding.hint or "")

    @pytest.mark.parametrize(
        ("mode", "rows", "read"),
        [
            ("ShareUpdateExclusiveLock", 1_000_000, 1_000_000),
            (EXCLUSIVE, 500, 500),
            (EXCLUSIVE, 500, 1_000_000),
            (EXCLUSIVE, 1_000_000, 1),
            (EXCLUSIVE, None, 1_000_000),
        ],
        ids=["blocks nobody", "small", "small, read often", "some rows", "new"],
    )
    def test_does_not_mind_a_scan(self, mode: str, rows: int | None, read: int) -> None:
        """It takes a lock that blocks, a large table, and reading all of it."""
        statement = sent("ALTER TABLE users …", scans=(Scan("public.users", read),))
        assert judged([statement], [brief(mode, rows=rows)]) == ()

    @pytest.mark.parametrize(
        ("seconds", "verdict"), [(0.1, None), (0.2, Verdict.CARE), (1.0, Verdict.UNSAFE)]
    )
    def test_goes_by_time_too(self, seconds: float, verdict: Verdict | None) -> None:
        """A small table that is locked for long blocks as well."""
        statement = sent("ALTER TABLE users ADD COLUMN a int", seconds=0.001)
        held = brief(rows=10, seconds=seconds)
        found = judged([statement], [held], blocked_care=0.2, blocked_unsafe=1.0)
        assert [finding.verdict for finding in found] == ([verdict] if verdict else [])
        if found:
            assert found[0].rule == "lock-held-too-long"
            assert found[0].message == (
                f"reads and writes of public.users (10 rows) are blocked for {seconds:.2f} s by ACCESS "
                "EXCLUSIVE: its statement took 0.00 s, its transaction went on"
            )
            assert "a revision of its own" in (found[0].hint or "")

    @pytest.mark.parametrize(
        ("changed", "verdict"), [(5_000, None), (10_000, Verdict.CARE), (100_000, Verdict.UNSAFE)]
    )
    def test_minds_work_after_an_exclusive_lock(self, changed: int, verdict: Verdict | None) -> None:
        """However small the locked table is."""
        statements = [
            sent("ALTER TABLE users ADD COLUMN a int"),
            sent("UPDATE posts SET a = 1", 1, changed=changed, tag="UPDATE"),
        ]
        found = judged(statements, [lock(rows=10)])
        both = {"work-under-lock", "many-rows-in-one-transaction"}
        assert {finding.rule for finding in found} == (both if verdict else set())
        assert {finding.verdict for finding in found} == ({verdict} if verdict else set())
        assert all(finding.line == 11 for finding in found)

    def test_tells_of_a_rewrite_under_an_earlier_lock(self) -> None:
        """A revision of its own would be no safer."""
        statements = [
            sent("ALTER TABLE users ADD COLUMN a int"),
            sent("ALTER TABLE users ALTER b TYPE bigint", 1, rewrites=("public.users",)),
        ]
        assert [finding.rule for finding in judged(statements, [lock(held=0.1)])] == [
            "rewrite-of-large-table"
        ]

    def test_does_not_mind_work_in_another_transaction(self) -> None:
        """The lock is gone by then; and work before it is done without it."""
        many = {"changed": 9_000, "scans": (Scan("public.posts", 1_000_000),)}
        statements = [
            sent("SELECT …", 0, transaction=0, **many),
            sent("ALTER TABLE users ADD COLUMN a int", 1, transaction=0),
            sent("SELECT …", 2, transaction=1, **many),
            sent("SELECT …", 3, transaction=None, **many),
        ]
        assert judged(statements, [brief(statement=1)]) == ()

    def test_counts_rows_by_transaction(self) -> None:
        """Batches that are committed one by one are no long transaction; added rows ask for care."""
        apart = [sent("UPDATE", i, changed=9_000, transaction=None, tag="UPDATE") for i in range(20)]
        assert judged(apart, []) == ()
        together = [sent("UPDATE", i, changed=9_000, tag="UPDATE") for i in range(20)]
        (finding,) = judged(together, [])
        assert (finding.rule, finding.verdict) == ("many-rows-in-one-transaction", Verdict.UNSAFE)
        assert "180,000 rows" in finding.message
        (finding,) = judged([sent("INSERT", changed=200_000, tag="INSERT")], [])
        assert (finding.verdict, finding.message) == (Verdict.CARE, "one transaction adds 200,000 rows")

    def test_minds_one_lock_after_another(self) -> None:
        """Two tables in one transaction, one of them large; one statement that needs both is no choice."""
        statements = [sent("ALTER TABLE users …"), sent("ALTER TABLE posts …", 1)]
        posts = {"relation": "public.posts", "rows": 10}
        (finding,) = judged(statements, [lock(), lock(**posts, statement=1)])
        assert (finding.rule, finding.verdict) == ("locks-on-several-tables", Verdict.CARE)
        assert "public.users, public.posts" in finding.message
        assert judged(statements, [lock(), lock(**posts)]) == ()
        assert judged(statements, [lock(rows=10), lock(**posts, statement=1)]) == ()
        apart = [sent("ALTER TABLE users …"), sent("ALTER TABLE posts …", 1, transaction=1)]
        assert judged(apart, [lock(), lock(**posts, statement=1)]) == ()

    def test_tells_wal_and_unfinished_indexes(self) -> None:
        """Both without any lock."""
        found = judged([sent("SELECT …", wal_bytes=2_000_000_000)], [], invalid=("public.ix",))
        assert [(finding.rule, finding.verdict) for finding in found] == [
            ("index-left-invalid", Verdict.UNSAFE),
            ("much-wal", Verdict.CARE),
        ]
        assert "DROP INDEX CONCURRENTLY public.ix" in (found[0].hint or "")

    def test_names_its_rules(self) -> None:
        """What a suppression may name is kebab case, each once."""
        assert len(set(RULES)) == len(RULES) == 8
        assert all(rule == rule.lower() and " " not in rule for rule in RULES)
