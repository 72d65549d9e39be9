"""Rehearsals from nothing at all to what an attacker would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.branches.identity import BranchIdentity
from infra.migrate.findings import Verdict
from infra.migrate.rehearsal.results import Check, Outcome, Scan, TrafficResult
from tests.support.rehearsals import (
    ACCESS_EXCLUSIVE,
    ROW_EXCLUSIVE,
    SHARE,
    SHARE_ROW,
    SHARE_UPDATE,
    Part,
    Step,
    rehearsal,
)

if TYPE_CHECKING:
    from infra.migrate.rehearsal.results import Rehearsal


def empty() -> Rehearsal:
    """Nothing was pending."""
    return rehearsal(checks=())


def safe() -> Rehearsal:
    """One column, added in a millisecond."""
    column = Step(
        "ALTER TABLE users ADD COLUMN nickname TEXT",
        0.0007,
        (("public.users", ACCESS_EXCLUSIVE, 300_000),),
    )
    return rehearsal(Part("20261121_nickname", (column,)))


def concurrent() -> Rehearsal:
    """Five revisions with an index built beside the traffic, and one accepted finding."""
    users, orders = "public.users", "public.orders"
    return rehearsal(
        Part(
            "20261118_nickname",
            (
                Step(
                    "ALTER TABLE users ADD COLUMN nickname TEXT",
                    0.0008,
                    ((users, ACCESS_EXCLUSIVE, 300_000),),
                ),
            ),
        ),
        Part(
            "20261119_ix_orders_placed_at",
            (
                Step(
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_orders_placed_at ON orders (placed_at)",
                    0.412,
                    ((orders, SHARE_UPDATE, 1_200_000),),
                    wal=8_900_000,
                    scans=(Scan(orders, 2_400_000),),
                    concurrently=True,
                ),
            ),
            size=8_900_000,
        ),
        Part(
            "20261120_orders_user_fk",
            (
                Step(
                    "ALTER TABLE orders ADD CONSTRAINT fk_orders_user FOREIGN KEY(user_id)"
                    " REFERENCES users (id) NOT VALID",
                    0.0021,
                    ((orders, SHARE_ROW, 1_200_000), (users, SHARE_ROW, 300_000)),
                ),
            ),
            findings=(
                (
                    "two-tables-locked",
                    Verdict.CARE,
                    "SHARE ROW EXCLUSIVE on public.orders and public.users in one transaction",
                    None,
                    "both for 3 ms only, and nothing else locks them in this order",
                ),
            ),
        ),
        Part(
            "20261120_orders_user_fk_validate",
            (
                Step(
                    "ALTER TABLE orders VALIDATE CONSTRAINT fk_orders_user",
                    0.203,
                    ((orders, SHARE_UPDATE, 1_200_000), (users, "RowShareLock", 300_000)),
                    scans=(Scan(orders, 1_200_000), Scan(users, 300_000)),
                ),
            ),
        ),
        Part(
            "20261121_drop_legacy_name",
            (
                Step(
                    "ALTER TABLE users DROP COLUMN legacy_name", 0.0009, ((users, ACCESS_EXCLUSIVE, 300_000),)
                ),
            ),
            phase="contract",
        ),
        traffic=TrafficResult("50 requests/s, 80 % reads", 614, {}, 0.0312, 0.0094),
    )


def unsafe() -> Rehearsal:
    """A rewrite of three minutes beside statements of half a millisecond."""
    users, orders = "public.users", "public.orders"
    hint = "add a new column, fill it with `bough migrate backfill`, switch over, drop the old one later"
    return rehearsal(
        Part(
            "20261121_small_things",
            (
                Step("COMMENT ON TABLE users IS 'people'", 0.0005, ((users, SHARE_UPDATE, 300_000),)),
                Step(
                    "ALTER TABLE users ALTER COLUMN status SET DEFAULT 'new'",
                    0.0005,
                    ((users, ACCESS_EXCLUSIVE, 300_000),),
                ),
            ),
        ),
        Part(
            "20261121_order_ids_become_bigint",
            (
                Step(
                    "ALTER TABLE orders ALTER COLUMN id TYPE BIGINT",
                    182.4,
                    ((orders, ACCESS_EXCLUSIVE, 48_000_000),),
                    rewrites=(orders, "public.orders_pkey", "public.ix_orders_placed_at"),
                    scans=(Scan(orders, 48_000_000),),
                    wal=14_200_000_000,
                ),
                Step(
                    "CREATE INDEX ix_orders_total ON orders (total)",
                    31.7,
                    ((orders, SHARE, 48_000_000),),
                    wal=900_000_000,
                    scans=(Scan(orders, 48_000_000),),
                ),
            ),
            size=1_120_000_000,
            findings=(
                (
                    "rewrite-of-large-table",
                    Verdict.UNSAFE,
                    "public.orders (48,000,000 rows) is written anew: nobody can read or write it for 3 min",
                    hint,
                    None,
                ),
                (
                    "much-wal",
                    Verdict.CARE,
                    "15 GB of WAL: replicas and restores must follow",
                    None,
                    None,
                ),
            ),
        ),
        Part(
            "20261122_after",
            (
                Step("ALTER TABLE users ADD COLUMN a TEXT", 0.0005, ((users, ACCESS_EXCLUSIVE, 300_000),)),
                Step(
                    "UPDATE users SET a = name",
                    0.323,
                    ((users, ROW_EXCLUSIVE, 300_000),),
                    rows=300_000,
                    wal=33_000_000,
                ),
            ),
            findings=(
                (
                    "statements-after-access-exclusive",
                    Verdict.UNSAFE,
                    "public.users (300,000 rows) stays locked for 324 ms: UPDATE follows ADD COLUMN",
                    "update in a revision of its own, or in batches: bough migrate backfill",
                    None,
                ),
            ),
        ),
        checks=(
            Check("downgrade leaves no trace", Outcome.PASSED, "the schema is the one before"),
            Check(
                "deployed code works",
                Outcome.FAILED,
                'INSERT into orders: column "id" is of type bigint but expression is of type integer',
            ),
            Check("traffic", Outcome.SKIPPED, "none was asked for: --traffic 50/s"),
        ),
        traffic=TrafficResult(
            "50 requests/s, 80 % reads",
            10_812,
            {"canceling statement due to statement timeout": 412, "connection timeout expired": 9},
            183.02,
            0.0094,
        ),
    )


def many(statements: int = 60, tables: int = 12) -> Rehearsal:
    """Statements of all lengths over many tables with long names."""
    names = [f"warehouse.table_with_quite_a_long_name_that_nobody_shortened_{n:02}" for n in range(tables)]
    modes = (ACCESS_EXCLUSIVE, SHARE, SHARE_ROW, SHARE_UPDATE, ROW_EXCLUSIVE)
    steps = [
        Step(
            f"ALTER TABLE {names[n % tables]} ADD COLUMN c{n} INTEGER DEFAULT 0, ADD COLUMN d{n} TEXT",
            (0.0005, 0.002, 0.04, 0.0011, 0.37)[n % 5],
            ((names[n % tables], modes[n % 4 if n % 7 else 4], 10_000 * n),),
            rows=n * 7,
        )
        for n in range(statements)
    ]
    cuts = range(0, statements, max(statements // 8, 1))
    size = max(statements // 8, 1)
    return rehearsal(
        *(Part(f"202611{n:02}_part_{n}", tuple(steps[at : at + size])) for n, at in enumerate(cuts, start=1))
    )


def hostile() -> Rehearsal:
    """Names and SQL that would be markup, commands or mentions if they could."""
    evil = '<script>document.title="run"</script>"\'><img src=x onerror="document.title=1">'
    name = 'public."a|b`c</details></td></svg><b>"'
    sql = f"SELECT '```\n</details>{evil}' -- @octocat %0A::error::x\n\n# heading\n<!-- -->"
    message = f"{name} **bold** [a](javascript:alert(1)) @octocat #1\n\n# h1\n{evil} `x` ::error::y"
    return rehearsal(
        Part(
            "2026_x",
            (Step(sql, 0.01, ((name, ACCESS_EXCLUSIVE, 5),), rewrites=(name,), scans=(Scan(name, 5),)),),
            findings=(("a-rule", Verdict.UNSAFE, message, message, None),),
        ),
        base=evil,
        head=name,
        target=BranchIdentity("neon", "p", "b", evil),
        checks=(Check(message, Outcome.FAILED, message),),
        traffic=TrafficResult(message, 1, {message: 1}, 1, 1),
    )
