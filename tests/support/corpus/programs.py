"""Enums, functions, triggers and policies."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, SRX, UNSAFE, expand, migration, sql
from tests.support.measurements import in_autocommit

NOTHING = sql("SELECT 1")
TRIGGER = "CREATE TRIGGER kept BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch()"
DROP_TRIGGER = sql("DROP TRIGGER kept ON customers")
WEAKENS = {"verdict": CARE, "linted": ("destructive-in-expand",), "locks": {"orders": AX}}
BREAKS = {"verdict": UNSAFE, "linted": ("destructive-in-expand",)}

MIGRATIONS = (
    migration(
        "create an enum",
        expand(sql("CREATE TYPE size AS ENUM ('small', 'large')"), sql("DROP TYPE size")),
    ),
    migration(
        "add a value to an enum",
        expand(
            in_autocommit("ALTER TYPE order_state ADD VALUE IF NOT EXISTS 'sent'"),
            "raise NotImplementedError",
        ),
        irreversible="a value cannot be taken away",
    ),
    migration(
        "use an enum's value in the transaction that adds it",
        expand(
            sql("ALTER TYPE priority ADD VALUE 'high'", "SELECT 'high'::priority"),
            "raise NotImplementedError",
        ),
        verdict=UNSAFE,
        linted=("enum-value-used-too-early",),
        fails=True,
        irreversible="a value cannot be taken away",
    ),
    migration(
        "rename an enum's value while code is live",
        expand(
            sql("ALTER TYPE order_state RENAME VALUE 'paid' TO 'settled'"),
            sql("ALTER TYPE order_state RENAME VALUE 'settled' TO 'paid'"),
        ),
        **BREAKS,
    ),
    migration(
        "exchange an enum",
        expand(
            sql(
                "CREATE TYPE order_step AS ENUM ('open', 'paid', 'sent')",
                "ALTER TABLE orders ALTER state DROP DEFAULT",
                "ALTER TABLE orders ALTER state TYPE order_step USING state::text::order_step",
                "ALTER TABLE orders ALTER state SET DEFAULT 'open'",
            ),
            sql(
                "ALTER TABLE orders ALTER state DROP DEFAULT",
                "ALTER TABLE orders ALTER state TYPE order_state USING state::text::order_state",
                "ALTER TABLE orders ALTER state SET DEFAULT 'open'",
                "DROP TYPE order_step",
            ),
        ),
        verdict=UNSAFE,
        measured=("rewrite-of-large-table", "work-under-lock"),
        linted=("changing-column-type", "destructive-in-expand", "work-under-lock"),
        locks={"orders": AX},
        rewrites=("orders",),
    ),
    migration(
        "replace a function",
        expand(
            sql(
                "CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT upper(trim($1))'"
            ),
            sql("CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)'"),
        ),
    ),
    migration(
        "drop a function while code is live",
        expand(
            sql("DROP FUNCTION shout(text)"),
            sql("CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)'"),
        ),
        **BREAKS,
    ),
    migration(
        "create a trigger",
        expand(sql(TRIGGER), DROP_TRIGGER),
        verdict=CARE,
        linted=("trigger-on-existing-table",),
        locks={"customers": SRX},
    ),
    migration(
        "create a trigger and fire it for a third of the rows",
        expand(sql(TRIGGER, "UPDATE customers SET note = 'new' WHERE id % 3 = 0"), DROP_TRIGGER),
        verdict=UNSAFE,
        measured=("many-rows-in-one-transaction", "scan-under-blocking-lock"),
        linted=("data-with-schema", "trigger-on-existing-table", "work-under-lock"),
        locks={"customers": SRX},
    ),
    migration(
        "drop a trigger while code is live",
        expand(
            sql("DROP TRIGGER touched ON orders"),
            sql("CREATE TRIGGER touched BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch()"),
        ),
        **WEAKENS,
    ),
    migration(
        "disable a trigger",
        expand(
            sql("ALTER TABLE orders DISABLE TRIGGER touched"),
            sql("ALTER TABLE orders ENABLE TRIGGER touched"),
        ),
        **{**WEAKENS, "locks": {"orders": SRX}},
    ),
    migration(
        "let policies decide",
        expand(
            sql(
                "CREATE POLICY all_of_them ON customers USING (true)",
                "ALTER TABLE customers ENABLE ROW LEVEL SECURITY",
            ),
            sql("ALTER TABLE customers DISABLE ROW LEVEL SECURITY", "DROP POLICY all_of_them ON customers"),
        ),
        locks={"customers": AX},
    ),
    migration(
        "let policies decide where there are none",
        expand(
            sql("ALTER TABLE customers ENABLE ROW LEVEL SECURITY"),
            sql("ALTER TABLE customers DISABLE ROW LEVEL SECURITY"),
        ),
        locks={"customers": AX},
        **BREAKS,
    ),
    migration(
        "let policies that are there decide",
        expand(
            sql("ALTER TABLE orders ENABLE ROW LEVEL SECURITY"),
            sql("ALTER TABLE orders DISABLE ROW LEVEL SECURITY"),
        ),
        locks={"orders": AX},
    ),
    migration(
        "drop a policy while code is live",
        expand(sql("DROP POLICY everybody ON orders"), sql("CREATE POLICY everybody ON orders USING (true)")),
        **WEAKENS,
    ),
)
