"""Tables and views as a whole."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, SRX, SUX, UNSAFE, S, contract, expand, migration, sql
from tests.support.measurements import in_autocommit

REWRITE = {"verdict": UNSAFE, "measured": ("rewrite-of-large-table",), "linted": ("long-lock",)}
BREAKS = {"verdict": UNSAFE, "linted": ("destructive-in-expand",)}
NOTHING = sql("SELECT 1")

MIGRATIONS = (
    migration(
        "create a table with an index",
        expand(
            "op.create_table('fresh', sa.Column('id', sa.Integer), sa.Column('x', sa.Integer))\n"
            "op.create_index('ix_fresh', 'fresh', ['x'])",
            "op.drop_table('fresh')",
        ),
    ),
    migration(
        "create a table that refers to a large one",
        expand(
            "op.create_table('fresh', sa.Column('id', sa.BigInteger, sa.ForeignKey('customers.id')))",
            "op.drop_table('fresh')",
        ),
        verdict=CARE,
        linted=("foreign-key-in-new-table",),
        locks={"customers": SRX},
    ),
    migration(
        "create a table that refers to a small one",
        expand(
            "op.create_table('fresh', sa.Column('id', sa.Integer, sa.ForeignKey('countries.id')))",
            "op.drop_table('fresh')",
        ),
        locks={"countries": SRX},
    ),
    migration(
        "create a table from all rows of another",
        expand(sql("CREATE TABLE fresh AS SELECT id, code FROM orders"), "op.drop_table('fresh')"),
    ),
    migration(
        "drop a table that refers to another",
        contract("op.drop_table('returns')", "raise NotImplementedError"),
        locks={"returns": AX, "orders": AX},
        irreversible="the rows are gone",
    ),
    migration(
        "drop a table while code is live",
        expand("op.drop_table('events_spare')", "raise NotImplementedError"),
        locks={"events_spare": AX},
        irreversible="the rows are gone",
        **BREAKS,
    ),
    migration(
        "rename a table while code is live",
        expand("op.rename_table('events_spare', 'gone')", "op.rename_table('gone', 'events_spare')"),
        locks={"events_spare": AX},
        **BREAKS,
    ),
    migration(
        "rename a table, and leave a view in its place",
        expand(
            "op.rename_table('events_spare', 'happened')\n"
            + sql("CREATE VIEW events_spare AS SELECT * FROM happened"),
            sql("DROP VIEW events_spare") + "\nop.rename_table('happened', 'events_spare')",
        ),
        locks={"events_spare": AX},
    ),
    migration(
        "write no WAL for a table",
        expand(sql("ALTER TABLE events_spare SET UNLOGGED"), sql("ALTER TABLE events_spare SET LOGGED")),
        locks={"events_spare": AX},
        rewrites=("events_spare",),
        **REWRITE,
    ),
    migration(
        "vacuum fully",
        expand(in_autocommit("VACUUM FULL events_spare"), NOTHING),
        locks={"events_spare": AX},
        rewrites=("events_spare",),
        **REWRITE,
    ),
    migration(
        "cluster",
        expand(sql("CLUSTER orders USING ix_orders_code"), sql("ALTER TABLE orders SET WITHOUT CLUSTER")),
        locks={"orders": AX},
        rewrites=("orders",),
        **REWRITE,
    ),
    migration(
        "empty a table",
        expand(sql("TRUNCATE events_spare"), "raise NotImplementedError"),
        verdict=UNSAFE,
        linted=("unbounded-write",),
        locks={"events_spare": AX},
        irreversible="the rows are gone",
    ),
    migration(
        "set a fill factor",
        expand(sql("ALTER TABLE orders SET (fillfactor = 80)"), sql("ALTER TABLE orders RESET (fillfactor)")),
        locks={"orders": SUX},
    ),
    migration(
        "create a view",
        expand(sql("CREATE VIEW names AS SELECT id, name FROM customers"), sql("DROP VIEW names")),
    ),
    migration(
        "drop a view while code is live",
        expand(sql("DROP VIEW notes"), sql("CREATE VIEW notes AS SELECT id, note FROM customers")),
        locks={"notes": AX},
        **BREAKS,
    ),
    migration(
        "refresh a materialized view",
        expand(sql("REFRESH MATERIALIZED VIEW days"), NOTHING),
        locks={"days": AX},
        rewrites=("days",),
        **REWRITE,
    ),
    migration(
        "refresh a materialized view concurrently",
        expand(sql("REFRESH MATERIALIZED VIEW CONCURRENTLY days"), NOTHING),
        locks={"days": "Exclusive"},
    ),
    migration(
        "drop a view and make it again",
        expand(
            sql("DROP VIEW notes", "CREATE VIEW notes AS SELECT id, note, age FROM customers"),
            sql("DROP VIEW notes", "CREATE VIEW notes AS SELECT id, note FROM customers"),
        ),
        locks={"notes": AX},
    ),
    migration(
        "move a table to another schema while code is live",
        expand(
            sql("CREATE SCHEMA past", "ALTER TABLE events_spare SET SCHEMA past"),
            sql("ALTER TABLE past.events_spare SET SCHEMA public", "DROP SCHEMA past"),
        ),
        locks={"events_spare": AX},
        **BREAKS,
    ),
    migration(
        "let a role read a table",
        expand(sql("GRANT SELECT ON orders TO PUBLIC"), sql("REVOKE SELECT ON orders FROM PUBLIC")),
    ),
    migration(
        "lock a table and read it",
        expand(sql("LOCK TABLE orders IN SHARE MODE", "SELECT count(*) FROM orders"), NOTHING),
        verdict=UNSAFE,
        measured=("scan-under-blocking-lock",),
        locks={"orders": S},
    ),
)
