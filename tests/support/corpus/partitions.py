"""Partitions that come and go."""

from __future__ import annotations

from tests.support.corpus.migration import AX, CARE, SUX, UNSAFE, contract, expand, migration, sql
from tests.support.measurements import in_autocommit

ATTACH = "ALTER TABLE events ATTACH PARTITION {} FOR VALUES FROM ({}0000000) TO ({}0000000)"
DETACH = sql("ALTER TABLE events DETACH PARTITION {}")

MIGRATIONS = (
    migration(
        "attach a partition",
        expand(sql(ATTACH.format("events_spare", 1, 2)), DETACH.format("events_spare")),
        verdict=UNSAFE,
        measured=("scan-under-blocking-lock",),
        linted=("long-lock",),
        locks={"events": SUX, "events_spare": AX},
    ),
    migration(
        "attach a partition whose check says the same",
        expand(sql(ATTACH.format("events_checked", 2, 3)), DETACH.format("events_checked")),
        locks={"events": SUX, "events_checked": AX},
    ),
    migration(
        "create a partition",
        expand(
            sql("CREATE TABLE events_new PARTITION OF events FOR VALUES FROM (10000000) TO (20000000)"),
            "op.drop_table('events_new')",
        ),
        locks={"events": AX},
    ),
    migration(
        "detach a partition",
        contract(
            DETACH.format("events_old"), sql(ATTACH.format("events_old", "", 1).replace("(0000000)", "(0)"))
        ),
        verdict=CARE,
        linted=("require-concurrent-partition-detach",),
        locks={"events": AX},
    ),
    migration(
        "detach a partition concurrently",
        contract(
            in_autocommit("ALTER TABLE events DETACH PARTITION events_old CONCURRENTLY"),
            sql(
                ATTACH.format("events_old", "", 1).replace("(0000000)", "(0)"),
                "ALTER TABLE events_old DROP CONSTRAINT events_old_id_check",
            ),
        ),
        locks={"events": SUX, "events_old": AX},
    ),
    migration(
        "add a column to a partitioned table",
        expand(
            "op.add_column('events', sa.Column('extra', sa.Integer))", "op.drop_column('events', 'extra')"
        ),
        locks={"events": AX},
    ),
)
