"""Constraints: naive, and in steps that block nobody for long."""

from __future__ import annotations

from tests.support.corpus.migration import AX, RS, SRX, SUX, UNSAFE, S, contract, expand, migration, sql
from tests.support.measurements import in_autocommit

SCAN = {"verdict": UNSAFE, "measured": ("scan-under-blocking-lock",)}
CHECK = "ALTER TABLE customers ADD CONSTRAINT age_is_there CHECK (age IS NOT NULL) NOT VALID"
DROP_CHECK = "ALTER TABLE customers DROP CONSTRAINT age_is_there"
VALIDATE_CHECK = "ALTER TABLE customers VALIDATE CONSTRAINT age_is_there"
FOREIGN_KEY = (
    "op.create_foreign_key('fk_orders_customer', 'orders', 'customers', ['customer_id'], ['id']{options})"
)
DROP_FOREIGN_KEY = "op.drop_constraint('fk_orders_customer', 'orders', type_='foreignkey')"
VALIDATE_FOREIGN_KEY = "ALTER TABLE orders VALIDATE CONSTRAINT fk_orders_customer"
BOTH = {"orders": SRX, "customers": SRX}
UNIQUE = "uq_orders_code"

MIGRATIONS = (
    migration(
        "forbid null",
        contract(
            "op.alter_column('customers', 'age', nullable=False)",
            "op.alter_column('customers', 'age', nullable=True)",
        ),
        linted=("adding-not-nullable-field",),
        locks={"customers": AX},
        **SCAN,
    ),
    migration(
        "forbid null in a small table",
        contract(
            "op.alter_column('countries', 'place', nullable=False)",
            "op.alter_column('countries', 'place', nullable=True)",
        ),
        locks={"countries": AX},
    ),
    migration(
        "forbid null in four steps",
        expand(sql(CHECK), sql(DROP_CHECK)),
        expand(sql(VALIDATE_CHECK), "pass"),
        contract(
            "op.alter_column('customers', 'age', nullable=False)",
            "op.alter_column('customers', 'age', nullable=True)",
        ),
        contract(sql(DROP_CHECK), sql(CHECK, VALIDATE_CHECK)),
        locks={"customers": AX},
    ),
    migration(
        "forbid null with a check that is not validated",
        expand(sql(CHECK), sql(DROP_CHECK)),
        contract(
            "op.alter_column('customers', 'age', nullable=False)",
            "op.alter_column('customers', 'age', nullable=True)",
        ),
        linted=("adding-not-nullable-field",),
        locks={"customers": AX},
        **SCAN,
    ),
    migration(
        "forbid null where a check has looked",
        contract(
            "op.alter_column('customers', 'nickname', nullable=False)",
            "op.alter_column('customers', 'nickname', nullable=True)",
        ),
        locks={"customers": AX},
    ),
    migration(
        "forbid null, not valid and validated",
        expand(
            sql("ALTER TABLE customers ADD CONSTRAINT age_is_there NOT NULL age NOT VALID"), sql(DROP_CHECK)
        ),
        expand(sql(VALIDATE_CHECK), "pass"),
        locks={"customers": AX},
    ),
    migration(
        "add a check",
        contract(
            "op.create_check_constraint(op.f('age_is_positive'), 'customers', 'age >= 0')",
            "op.drop_constraint(op.f('age_is_positive'), 'customers')",
        ),
        linted=("constraint-missing-not-valid",),
        locks={"customers": AX},
        **SCAN,
    ),
    migration(
        "add a check in two steps",
        expand(
            "op.create_check_constraint(op.f('age_is_there'), 'customers', 'age >= 0',"
            " postgresql_not_valid=True)",
            sql(DROP_CHECK),
        ),
        expand(sql(VALIDATE_CHECK), "pass"),
        locks={"customers": AX},
    ),
    migration(
        "add a check and validate it in one transaction",
        expand(sql(CHECK, VALIDATE_CHECK), sql(DROP_CHECK)),
        verdict=UNSAFE,
        measured=("work-under-lock",),
        linted=("work-under-lock",),
        locks={"customers": AX},
    ),
    migration(
        "drop a check",
        expand(
            sql("ALTER TABLE orders DROP CONSTRAINT quantity_is_positive"),
            sql("ALTER TABLE orders ADD CONSTRAINT quantity_is_positive CHECK (quantity > 0)"),
        ),
        locks={"orders": AX},
    ),
    migration(
        "add a foreign key",
        expand(FOREIGN_KEY.format(options=""), DROP_FOREIGN_KEY),
        linted=("adding-foreign-key-constraint",),
        locks=BOTH,
        **SCAN,
    ),
    migration(
        "add a foreign key in two steps",
        expand(FOREIGN_KEY.format(options=", postgresql_not_valid=True"), DROP_FOREIGN_KEY),
        expand(sql(VALIDATE_FOREIGN_KEY), "pass"),
        locks=BOTH,
    ),
    migration(
        "add a foreign key and validate it in one transaction",
        expand(
            FOREIGN_KEY.format(options=", postgresql_not_valid=True") + "\n" + sql(VALIDATE_FOREIGN_KEY),
            DROP_FOREIGN_KEY,
        ),
        linted=("work-under-lock",),
        locks=BOTH,
        **SCAN,
    ),
    migration(
        "validate a foreign key",
        expand(sql("ALTER TABLE orders VALIDATE CONSTRAINT fk_orders_gift"), "pass"),
        locks={"orders": SUX, "customers": RS},
    ),
    migration(
        "drop a foreign key",
        expand(
            "op.drop_constraint('fk_orders_payer', 'orders', type_='foreignkey')",
            sql(
                "ALTER TABLE orders ADD CONSTRAINT fk_orders_payer"
                " FOREIGN KEY (payer_id) REFERENCES customers (id)"
            ),
        ),
        locks={"orders": AX, "customers": AX},
    ),
    migration(
        "add a unique constraint",
        contract(
            f"op.create_unique_constraint('{UNIQUE}', 'orders', ['code'])",
            f"op.drop_constraint('{UNIQUE}', 'orders')",
        ),
        linted=("disallowed-unique-constraint",),
        locks={"orders": AX},
        **SCAN,
    ),
    migration(
        "add a unique constraint from an index",
        contract(
            in_autocommit(f"CREATE UNIQUE INDEX CONCURRENTLY {UNIQUE} ON orders (code)"),
            in_autocommit(f"DROP INDEX CONCURRENTLY IF EXISTS {UNIQUE}"),
        ),
        contract(
            sql(f"ALTER TABLE orders ADD CONSTRAINT {UNIQUE} UNIQUE USING INDEX {UNIQUE}"),
            sql(
                f"ALTER TABLE orders DROP CONSTRAINT {UNIQUE}",
                f"CREATE UNIQUE INDEX {UNIQUE} ON orders (code)",
            ),
        ),
        locks={"orders": AX},
    ),
    migration(
        "add a unique constraint to a small table",
        contract(
            "op.create_unique_constraint('uq_countries_place', 'countries', ['place'])",
            "op.drop_constraint('uq_countries_place', 'countries')",
        ),
        locks={"countries": AX},
    ),
    migration(
        "add an exclusion constraint",
        contract(
            sql(f"ALTER TABLE orders ADD CONSTRAINT {UNIQUE} EXCLUDE (code WITH =)"),
            f"op.drop_constraint('{UNIQUE}', 'orders')",
        ),
        linted=("long-lock",),
        locks={"orders": AX},
        **SCAN,
    ),
    migration(
        "add a check to a domain",
        expand(
            sql("ALTER DOMAIN fee ADD CONSTRAINT not_negative CHECK (VALUE >= 0)"),
            sql("ALTER DOMAIN fee DROP CONSTRAINT not_negative"),
        ),
        linted=("ban-alter-domain-with-add-constraint",),
        locks={"orders": S},
        unread=("orders",),
        **SCAN,
    ),
    migration(
        "rename a constraint",
        expand(
            sql("ALTER TABLE orders RENAME CONSTRAINT quantity_is_positive TO is_positive"),
            sql("ALTER TABLE orders RENAME CONSTRAINT is_positive TO quantity_is_positive"),
        ),
        locks={"orders": AX},
    ),
)
