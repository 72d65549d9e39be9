"""Indexes, in a transaction and outside of one."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, SUX, UNSAFE, S, expand, migration, sql
from tests.support.measurements import in_autocommit

SCAN = {"verdict": UNSAFE, "measured": ("scan-under-blocking-lock",)}
DROP = "op.drop_index('ix_new')"
DROP_CONCURRENTLY = in_autocommit("DROP INDEX CONCURRENTLY IF EXISTS ix_new")

MIGRATIONS = (
    migration(
        "create an index",
        expand("op.create_index('ix_new', 'orders', ['customer_id'])", DROP),
        linted=("require-concurrent-index-creation",),
        locks={"orders": S},
        **SCAN,
    ),
    migration(
        "create an index concurrently",
        expand(
            "with op.get_context().autocommit_block():\n"
            "    op.create_index('ix_new', 'orders', ['customer_id'], postgresql_concurrently=True)",
            DROP_CONCURRENTLY,
        ),
        locks={"orders": SUX},
    ),
    migration(
        "create an index of a small table",
        expand("op.create_index('ix_new', 'countries', ['code'])", DROP),
        locks={"countries": S},
    ),
    migration(
        "create an index concurrently inside a transaction",
        expand("op.create_index('ix_new', 'orders', ['customer_id'], postgresql_concurrently=True)", DROP),
        verdict=UNSAFE,
        linted=("concurrently-in-transaction",),
        fails=True,
    ),
    migration(
        "create a unique index concurrently over duplicates",
        expand(
            in_autocommit("CREATE UNIQUE INDEX CONCURRENTLY ix_new ON customers (age)"), DROP_CONCURRENTLY
        ),
        verdict=UNSAFE,
        fails=True,
    ),
    migration(
        "drop an index",
        expand("op.drop_index('ix_orders_code')", "op.create_index('ix_orders_code', 'orders', ['code'])"),
        verdict=CARE,
        linted=("require-concurrent-index-deletion",),
        locks={"orders": AX},
    ),
    migration(
        "drop an index concurrently",
        expand(
            "with op.get_context().autocommit_block():\n"
            "    op.drop_index('ix_orders_code', postgresql_concurrently=True)",
            in_autocommit("CREATE INDEX CONCURRENTLY ix_orders_code ON orders (code)"),
        ),
        locks={"orders": SUX},
    ),
    migration(
        "rebuild an index",
        expand(sql("REINDEX INDEX ix_orders_code"), "pass"),
        verdict=UNSAFE,
        measured=("scan-under-blocking-lock", "rewrite-of-large-table"),
        linted=("require-concurrent-reindex",),
        locks={"orders": S, "ix_orders_code": AX},
        unread=("ix_orders_code",),
        rewrites=("ix_orders_code",),
    ),
    migration(
        "rebuild an index concurrently",
        expand(in_autocommit("REINDEX INDEX CONCURRENTLY ix_orders_code"), "pass"),
        locks={"orders": SUX, "ix_orders_code": AX},
        unread=("ix_orders_code",),
    ),
    migration(
        "rename an index",
        expand(
            sql("ALTER INDEX ix_orders_code RENAME TO ix_code"),
            sql("ALTER INDEX ix_code RENAME TO ix_orders_code"),
        ),
        locks={"ix_orders_code": SUX},
    ),
    migration(
        "create an index of a partitioned table",
        expand("op.create_index('ix_new', 'events', ['kind'])", DROP),
        linted=("require-concurrent-index-creation",),
        locks={"events": S},
        **SCAN,
    ),
    migration(
        "create an index of a partitioned table by its partitions",
        expand(
            in_autocommit("CREATE INDEX CONCURRENTLY ix_new_old ON events_old (kind)"),
            in_autocommit("DROP INDEX CONCURRENTLY IF EXISTS ix_new_old"),
        ),
        expand(
            sql(
                "CREATE INDEX ix_new ON ONLY events (kind)", "ALTER INDEX ix_new ATTACH PARTITION ix_new_old"
            ),
            sql("DROP INDEX ix_new", "CREATE INDEX ix_new_old ON events_old (kind)"),
        ),
        locks={"events": S, "events_old": SUX, "ix_new_old": AX},
        unread=("ix_new_old",),
    ),
)
