"""Revisions with what is known of them: their locks, what they rewrite and read, what is said against them.

One after the other on the same tables, in one run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.measurements import in_autocommit, statement

#: On top of `measurements.TABLES`.
MORE_TABLES = """
    CREATE TYPE mood AS ENUM ('good');
    CREATE TABLE events (id int, at date) PARTITION BY RANGE (id);
    CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (0) TO (2000);
    CREATE TABLE events_new (id int, at date);
    CREATE MATERIALIZED VIEW seen AS SELECT id FROM users;
    CREATE UNIQUE INDEX ix_seen ON seen (id);
    INSERT INTO events SELECT i FROM generate_series(1, 1500) AS i;
    INSERT INTO events_new SELECT i FROM generate_series(2000, 3499) AS i;
    ANALYZE events, events_old, events_new, seen;
"""

EXCLUSIVE = "AccessExclusive"
BOTH = {("posts", "ShareRowExclusive"), ("users", "ShareRowExclusive")}
SCAN = "scan-under-blocking-lock"
REWRITE = "rewrite-of-large-table"


@dataclass(frozen=True)
class Case:
    """A revision, and what must be measured of it; tables of 2,000 rows, and 1,000 are large."""

    name: str
    upgrade: str
    locks: set[tuple[str, str]] = field(default_factory=set)
    rewrites: tuple[str, ...] = ()
    read: dict[str, int] = field(default_factory=dict)
    rules: set[str] = field(default_factory=set)


def sql(name: str, text: str, locks: set[tuple[str, str]], **known) -> Case:
    return Case(name, "\n".join(statement(each.strip()) for each in text.split(";")), locks, **known)


USERS = {("users", EXCLUSIVE)}

CASES = [
    sql("add a column", "ALTER TABLE users ADD COLUMN a int", USERS),
    sql("add a constant default", "ALTER TABLE users ADD COLUMN b timestamptz DEFAULT now()", USERS),
    sql(
        "add a volatile default",
        "ALTER TABLE users ADD COLUMN c uuid DEFAULT gen_random_uuid()",
        USERS,
        rewrites=("users", "users_pkey"),
        read={"users": 4000},
        rules={REWRITE},
    ),
    sql(
        "change a type",
        "ALTER TABLE users ALTER age TYPE bigint",
        USERS,
        rewrites=("users", "users_pkey"),
        read={"users": 4000},
        rules={REWRITE},
    ),
    sql("widen a varchar", "ALTER TABLE users ALTER name TYPE varchar(80)", USERS),
    sql("rename", "ALTER TABLE users RENAME name TO called", USERS),
    sql(
        "add a unique constraint",
        "ALTER TABLE users ADD UNIQUE (age)",
        USERS,
        read={"users": 2000},
        rules={SCAN},
    ),
    sql(
        "set not null", "ALTER TABLE users ALTER age SET NOT NULL", USERS, read={"users": 2000}, rules={SCAN}
    ),
    sql("add a check", "ALTER TABLE users ADD CHECK (age > 0)", USERS, read={"users": 2000}, rules={SCAN}),
    sql(
        "add a check, not valid",
        "ALTER TABLE users ADD CONSTRAINT at CHECK (at IS NOT NULL) NOT VALID",
        USERS,
    ),
    sql(
        "validate a check",
        "ALTER TABLE users VALIDATE CONSTRAINT at",
        {("users", "ShareUpdateExclusive")},
        read={"users": 2000},
    ),
    sql("set not null after a check", "ALTER TABLE users ALTER at SET NOT NULL", USERS),
    sql(
        "create an index",
        "CREATE INDEX ix ON users (at)",
        {("users", "Share")},
        read={"users": 2000},
        rules={SCAN},
    ),
    sql(
        "rebuild an index",
        "REINDEX INDEX ix",
        {("users", "Share"), ("ix", EXCLUSIVE)},
        rewrites=("ix",),
        read={"users": 2000},
        rules={SCAN, REWRITE},
    ),
    sql("drop an index", "DROP INDEX ix", USERS),
    Case(
        "create an index concurrently",
        in_autocommit("CREATE INDEX CONCURRENTLY ix ON users (at)"),
        {("users", "ShareUpdateExclusive")},
        read={"users": 4000},
    ),
    sql(
        "add a foreign key",
        "ALTER TABLE posts ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users",
        BOTH,
        read={"users": 2000, "posts": 2000},
        rules={SCAN},
    ),
    sql(
        "drop a foreign key",
        "ALTER TABLE posts DROP CONSTRAINT fk",
        {("posts", EXCLUSIVE), ("users", EXCLUSIVE)},
    ),
    sql(
        "add a foreign key, not valid",
        "ALTER TABLE posts ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users NOT VALID",
        BOTH,
    ),
    sql(
        "validate a foreign key",
        "ALTER TABLE posts VALIDATE CONSTRAINT fk",
        {("posts", "ShareUpdateExclusive"), ("users", "RowShare")},
        read={"users": 2000, "posts": 2000},
    ),
    sql("create a child", "CREATE TABLE child (id int REFERENCES users)", {("users", "ShareRowExclusive")}),
    sql("drop a child", "DROP TABLE child", {("users", EXCLUSIVE), ("child", EXCLUSIVE)}),
    Case("add a value", in_autocommit("ALTER TYPE mood ADD VALUE 'bad'")),
    sql(
        "add a policy",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON users USING (true)",
        USERS,
    ),
    sql(
        "add a trigger",
        "CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        {("users", "ShareRowExclusive")},
    ),
    sql("drop a trigger", "DROP TRIGGER t ON users", USERS),
    sql(
        "add a column to partitions",
        "ALTER TABLE events ADD COLUMN a int",
        {("events", EXCLUSIVE)},
    ),
    sql(
        "drop a column of partitions",
        "ALTER TABLE events DROP COLUMN a",
        {("events", EXCLUSIVE)},
    ),
    sql(
        "attach a partition",
        "ALTER TABLE events ATTACH PARTITION events_new FOR VALUES FROM (2000) TO (4000)",
        {("events", "ShareUpdateExclusive"), ("events_new", EXCLUSIVE)},
        read={"events_new": 1500},
        rules={SCAN},
    ),
    sql(
        "change a type of partitions",
        "ALTER TABLE events ALTER at TYPE timestamp",
        {("events", EXCLUSIVE)},
        rewrites=("events",),
        read={"events": 3000},
        rules={REWRITE},
    ),
    sql(
        "change one partition",
        "ALTER TABLE events_old ALTER at SET STORAGE plain",
        {("events_old", EXCLUSIVE)},
    ),
    sql(
        "update after a column",
        "ALTER TABLE users ADD COLUMN d int; UPDATE users SET d = 1",
        USERS,
        read={"users": 2000},
        rules={"work-under-lock", "many-rows-in-one-transaction"},
    ),
    Case(
        "two in one message",
        statement("SET LOCAL lock_timeout = '4s'; ALTER TABLE users ADD CHECK (age > -1)"),
        USERS,
        read={"users": 2000},
        rules={SCAN},
    ),
    sql(
        "refresh a view beside its readers",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY seen",
        {("seen", "Exclusive"), ("users", "AccessShare")},
        read={"seen": 2000, "users": 2000},
    ),
    Case(
        "update in a block",
        statement("DO $$ BEGIN UPDATE users SET d = 2; END $$"),
        {("users", "RowExclusive")},
        read={"users": 2000},
        rules={"many-rows-in-one-transaction"},
    ),
    sql(
        "insert many rows",
        "INSERT INTO posts (body) SELECT 'more' FROM generate_series(1, 1000)",
        {("posts", "RowExclusive")},
        rules={"many-rows-in-one-transaction"},
    ),
    sql(
        "lock two tables",
        "ALTER TABLE posts ADD COLUMN e int; ALTER TABLE users ADD COLUMN e int",
        {("posts", EXCLUSIVE), ("users", EXCLUSIVE)},
        rules={"locks-on-several-tables"},
    ),
    Case(
        "vacuum full",
        in_autocommit("VACUUM FULL posts"),
        {("posts", EXCLUSIVE)},
        rewrites=("posts", "posts_pkey"),
        rules={REWRITE},
    ),
    sql("truncate", "TRUNCATE posts", {("posts", EXCLUSIVE)}),
    sql("read", "SELECT count(*) FROM users", {("users", "AccessShare")}, read={"users": 2000}),
]
