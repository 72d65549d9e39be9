"""Columns that come, go and change."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, SUX, UNSAFE, contract, expand, migration, sql

REWRITE = {
    "verdict": UNSAFE,
    "measured": ("rewrite-of-large-table",),
    "linted": ("adding-field-with-default",),
    "locks": {"customers": AX},
    "rewrites": ("customers",),
}
ADDED = {"locks": {"customers": AX}}


def add(column: str) -> str:
    return f"op.add_column('customers', {column})"


DROP_EXTRA = "op.drop_column('customers', 'extra')"
DROP_FROM_ORDERS = "op.drop_column('orders', 'extra')"
BREAKS = {"verdict": UNSAFE, "linted": ("destructive-in-expand",)}

MIGRATIONS = (
    migration(
        "add a nullable column",
        expand(add("sa.Column('extra', sa.String(30))"), DROP_EXTRA),
        **ADDED,
    ),
    migration(
        "add a column with a constant default",
        expand(
            add("sa.Column('extra', sa.Boolean, nullable=False, server_default=sa.false())"),
            DROP_EXTRA,
        ),
        **ADDED,
    ),
    migration(
        "add a column with the time as default",
        expand(
            add("sa.Column('extra', sa.DateTime(True), server_default=sa.func.now())"),
            DROP_EXTRA,
        ),
        **ADDED,
    ),
    migration(
        "add a column with a random default",
        expand(
            add("sa.Column('extra', sa.Uuid, server_default=sa.text('gen_random_uuid()'))"),
            DROP_EXTRA,
        ),
        **REWRITE,
    ),
    migration(
        "add a column, then its random default for new rows",
        expand(
            "op.add_column('customers', sa.Column('extra', sa.Uuid))\n"
            "op.alter_column('customers', 'extra', server_default=sa.text('gen_random_uuid()'))",
            DROP_EXTRA,
        ),
        **ADDED,
    ),
    migration(
        "add a column with the clock as default",
        expand(sql("ALTER TABLE customers ADD extra timestamptz DEFAULT clock_timestamp()"), DROP_EXTRA),
        **REWRITE,
    ),
    migration(
        "add an identity column",
        expand(add("sa.Column('extra', sa.BigInteger, sa.Identity())"), DROP_EXTRA),
        **REWRITE,
    ),
    migration(
        "add a serial column",
        expand(sql("ALTER TABLE customers ADD COLUMN extra bigserial"), DROP_EXTRA),
        **{**REWRITE, "linted": ("long-lock",)},
    ),
    migration(
        "add a stored generated column",
        expand(
            add("sa.Column('extra', sa.Integer, sa.Computed('age * 2', persisted=True))"),
            DROP_EXTRA,
        ),
        **REWRITE,
    ),
    migration(
        "add a virtual generated column",
        expand(
            add("sa.Column('extra', sa.Integer, sa.Computed('age * 2', persisted=False))"),
            DROP_EXTRA,
        ),
        **ADDED,
    ),
    migration(
        "add a required column without a default",
        expand(add("sa.Column('extra', sa.Text, nullable=False)"), DROP_EXTRA),
        verdict=UNSAFE,
        linted=("adding-required-field",),
        fails=True,
    ),
    migration(
        "add a column with a check",
        expand(sql("ALTER TABLE customers ADD COLUMN extra int CHECK (extra > 0)"), DROP_EXTRA),
        verdict=UNSAFE,
        measured=("scan-under-blocking-lock",),
        linted=("long-lock",),
        **ADDED,
    ),
    migration(
        "add a nullable column that refers to a small table",
        expand(sql("ALTER TABLE customers ADD COLUMN extra int REFERENCES countries"), DROP_EXTRA),
        locks={"customers": AX, "countries": "ShareRowExclusive"},
    ),
    migration(
        "add a nullable column that refers to a large table",
        expand(sql("ALTER TABLE orders ADD COLUMN extra bigint REFERENCES customers"), DROP_FROM_ORDERS),
        locks={"customers": "ShareRowExclusive", "orders": AX},
    ),
    migration(
        "drop a column once no code needs it",
        contract(
            "op.drop_column('orders', 'legacy')", "op.add_column('orders', sa.Column('legacy', sa.Text))"
        ),
        locks={"orders": AX},
    ),
    migration(
        "drop a column while code is live",
        expand("op.drop_column('orders', 'legacy')", "op.add_column('orders', sa.Column('legacy', sa.Text))"),
        locks={"orders": AX},
        **BREAKS,
    ),
    migration(
        "rename a column while code is live",
        expand(
            "op.alter_column('customers', 'name', new_column_name='full_name')",
            "op.alter_column('customers', 'full_name', new_column_name='name')",
        ),
        **ADDED,
        **BREAKS,
    ),
    migration(
        "set a default",
        expand(
            "op.alter_column('customers', 'age', server_default='1')",
            "op.alter_column('customers', 'age', server_default=None)",
        ),
        **ADDED,
    ),
    migration(
        "drop a default while code is live",
        expand(
            "op.alter_column('orders', 'state', server_default=None)",
            "op.alter_column('orders', 'state', server_default='open')",
        ),
        verdict=CARE,
        linted=("destructive-in-expand",),
        locks={"orders": AX},
    ),
    migration(
        "allow null",
        expand(
            "op.alter_column('orders', 'state', nullable=True)",
            "op.alter_column('orders', 'state', nullable=False)",
        ),
        locks={"orders": AX},
    ),
    migration(
        "store a column otherwise",
        expand(
            sql("ALTER TABLE customers ALTER note SET STORAGE EXTERNAL"),
            sql("ALTER TABLE customers ALTER note SET STORAGE EXTENDED"),
        ),
        **ADDED,
    ),
    migration(
        "comment on a column, and have better statistics of it",
        expand(
            sql(
                "COMMENT ON COLUMN customers.age IS 'in years'",
                "ALTER TABLE customers ALTER age SET STATISTICS 500",
            ),
            sql(
                "COMMENT ON COLUMN customers.age IS NULL",
                "ALTER TABLE customers ALTER age SET STATISTICS DEFAULT",
            ),
        ),
        locks={"customers": SUX},
    ),
)
