"""Statements, and what they do to tables: the linter's table, held against PostgreSQL itself."""

from __future__ import annotations

from infra.migrate.linting.effects import Work

AX, SRX, S, SUX, RX, RS = (
    "AccessExclusive",
    "ShareRowExclusive",
    "Share",
    "ShareUpdateExclusive",
    "RowExclusive",
    "RowShare",
)
BEFORE = """
    CREATE TABLE a (id int PRIMARY KEY, n numeric(10,2), v varchar(50), w varchar(50), ts timestamp, b_id int,
        CONSTRAINT c CHECK (v IS NOT NULL));
    ALTER TABLE a ADD CONSTRAINT fk FOREIGN KEY (b_id) REFERENCES b (id) NOT VALID;
    CREATE UNIQUE INDEX ix ON a (n);
    CREATE INDEX iw ON a (w);
"""

#: Each with the relations that it locks, the mode, and the work under it.
STATEMENTS = [
    ("ALTER TABLE a ADD x int", [("a", AX, Work.INSTANT)]),
    (
        'ALTER TABLE IF EXISTS ONLY "A"."b c" ADD COLUMN IF NOT EXISTS x int',
        [("A.b c", AX, Work.INSTANT)],
    ),
    ("ALTER TABLE a ADD x numeric DEFAULT 1.5::numeric(10,2)", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ADD x timestamptz DEFAULT now() NOT NULL", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ADD x timestamptz DEFAULT clock_timestamp()", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ADD x uuid DEFAULT pg_catalog.gen_random_uuid()", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ADD x bigserial", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ADD x int GENERATED ALWAYS AS IDENTITY", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ADD x int CHECK (x > 0)", [("a", AX, Work.SCAN)]),
    ("ALTER TABLE a ADD x int REFERENCES b", [("a", AX, Work.INSTANT), ("b", SRX, Work.INSTANT)]),
    (
        "ALTER TABLE a ADD x int DEFAULT 1 REFERENCES b",
        [("a", AX, Work.SCAN), ("b", SRX, Work.SCAN)],
    ),
    ("ALTER TABLE a ADD x int, DROP v", [("a", AX, Work.INSTANT)] * 2),
    ("ALTER TABLE a ALTER n TYPE numeric(12,2)", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ALTER n TYPE numeric(12,3)", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ALTER n TYPE numeric", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ALTER w SET DATA TYPE varchar(60)", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ALTER v TYPE varchar(60)", [("a", AX, Work.SCAN)]),
    ("ALTER TABLE a ALTER v TYPE varchar(40)", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ALTER w TYPE text", [("a", AX, Work.INSTANT)]),
    ('ALTER TABLE a ALTER w TYPE text COLLATE "C"', [("a", AX, Work.BUILD)]),
    ("ALTER TABLE a ALTER w TYPE text USING w::text", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ALTER v TYPE text USING lower(v)", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ALTER ts TYPE timestamptz", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a ALTER n SET NOT NULL", [("a", AX, Work.SCAN)]),
    ("ALTER TABLE a ALTER v SET NOT NULL", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ALTER n SET DEFAULT 1", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ALTER n SET STATISTICS 500", [("a", SUX, Work.INSTANT)]),
    ("ALTER TABLE a ADD CONSTRAINT k CHECK (n > 0)", [("a", AX, Work.SCAN)]),
    ("ALTER TABLE a ADD CONSTRAINT k CHECK (n > 0) NOT VALID", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ADD CONSTRAINT k NOT NULL n NOT VALID", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a ADD UNIQUE (n)", [("a", AX, Work.BUILD)]),
    ("ALTER TABLE a ADD CONSTRAINT k UNIQUE USING INDEX ix", [("a", AX, Work.INSTANT)]),
    (
        "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES public.b (id)",
        [("a", SRX, Work.SCAN), ("b", SRX, Work.SCAN)],
    ),
    (
        "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b (id) NOT VALID",
        [("a", SRX, Work.INSTANT), ("b", SRX, Work.INSTANT)],
    ),
    ("ALTER TABLE a VALIDATE CONSTRAINT fk", [("a", SUX, Work.SCAN), ("b", RS, Work.SCAN)]),
    ("ALTER TABLE a DROP CONSTRAINT fk", [("a", AX, Work.INSTANT), ("b", AX, Work.INSTANT)]),
    ("ALTER TABLE a DROP CONSTRAINT c", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a RENAME TO z", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE a SET (fillfactor = 70)", [("a", SUX, Work.INSTANT)]),
    ("ALTER TABLE a SET UNLOGGED", [("a", AX, Work.REWRITE)]),
    ("ALTER TABLE a DISABLE TRIGGER t", [("a", SRX, Work.INSTANT)]),
    ("ALTER TABLE a ENABLE ROW LEVEL SECURITY", [("a", AX, Work.INSTANT)]),
    ("ALTER TABLE p ATTACH PARTITION a DEFAULT", [("p", SUX, Work.INSTANT), ("a", AX, Work.SCAN)]),
    ("ALTER TABLE p DETACH PARTITION q", [("p", AX, Work.INSTANT), ("q", AX, Work.INSTANT)]),
    ("DROP TABLE a", [("a", AX, Work.INSTANT), ("b", AX, Work.INSTANT)]),
    ("CREATE TABLE d (x int REFERENCES a)", [("d", AX, Work.INSTANT), ("a", SRX, Work.INSTANT)]),
    ("CREATE TABLE d PARTITION OF p FOR VALUES IN (7)", [("d", AX, Work.INSTANT), ("p", AX, Work.INSTANT)]),
    ("CREATE UNIQUE INDEX ON a (n)", [("a", S, Work.BUILD)]),
    ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY a (n)", [("a", SUX, Work.BUILD)]),
    ("DROP INDEX ix", [("a", AX, Work.INSTANT)]),
    ("DROP INDEX CONCURRENTLY IF EXISTS ix", [("a", SUX, Work.INSTANT)]),
    ("CREATE TRIGGER t2 AFTER UPDATE OF n ON a EXECUTE FUNCTION f()", [("a", SRX, Work.INSTANT)]),
    ("DROP TRIGGER t ON a", [("a", AX, Work.INSTANT)]),
    ("CREATE POLICY p ON a USING (true)", [("a", AX, Work.INSTANT)]),
    ("UPDATE ONLY a SET ts = now()", [("a", RX, Work.ROWS)]),
    ("INSERT INTO b SELECT id + 1000 FROM b", [("b", RX, Work.ROWS)]),
    ("INSERT INTO b VALUES (1000)", [("b", RX, Work.INSTANT)]),
    ("TRUNCATE TABLE a, b", [("a", AX, Work.INSTANT), ("b", AX, Work.INSTANT)]),
    ("LOCK TABLE a IN SHARE ROW EXCLUSIVE MODE", [("a", SRX, Work.INSTANT)]),
    ("VACUUM (FULL, ANALYZE) a", [("a", AX, Work.REWRITE)]),
    ("VACUUM a", [("a", SUX, Work.SCAN)]),
    ("CLUSTER a USING ix", [("a", AX, Work.REWRITE)]),
    ("REINDEX INDEX CONCURRENTLY ix", [("a", SUX, Work.BUILD)]),
    ("REFRESH MATERIALIZED VIEW m", [("m", AX, Work.REWRITE)]),
    ("COMMENT ON COLUMN a.n IS 'x'", [("a", SUX, Work.INSTANT)]),
    ("SELECT 1", []),
    ("GRANT SELECT ON a TO public", []),
]
