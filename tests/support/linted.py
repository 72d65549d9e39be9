"""Migrations, and the rules that the linter holds against them."""

from __future__ import annotations

from dataclasses import dataclass

#: What the first revision makes; all of it is in use, and large.
TABLES = """
op.execute('CREATE TABLE big (id bigint PRIMARY KEY, n numeric(10,2), v varchar(50), w varchar(50))')
op.execute('ALTER TABLE big ADD COLUMN t text, ADD COLUMN old int')
op.execute('CREATE TABLE other (id bigint PRIMARY KEY, big_id bigint)')
op.execute('CREATE INDEX ix_big_v ON big (v)')
op.execute('ALTER TABLE big ADD CONSTRAINT ck_v CHECK (v IS NOT NULL) NOT VALID')
op.execute('ALTER TABLE big VALIDATE CONSTRAINT ck_v')
"""


@dataclass(frozen=True)
class Case:
    """A revision's body, and the rules that find something in it, in order of line and name."""

    name: str
    upgrade: str
    rules: tuple[str, ...] = ()
    phase: str = "expand"
    downgrade: str = "op.execute('SELECT 1')"


def _sql(name: str, *statements: str, rules: tuple[str, ...] = (), phase: str = "expand") -> Case:
    return Case(name, "\n".join(f"op.execute({each!r})" for each in statements), rules, phase)


def _autocommit(name: str, *statements: str, rules: tuple[str, ...] = ()) -> Case:
    body = "".join(f"\n    op.execute({each!r})" for each in statements)
    return Case(name, f"with op.get_context().autocommit_block():{body}", rules)


CASES = [
    # Safe.
    _sql("nullable_column", "ALTER TABLE big ADD COLUMN c int, ADD COLUMN d timestamptz DEFAULT now()"),
    _sql(
        "two_columns_of_one_table",
        "ALTER TABLE big ADD c int",
        "ALTER TABLE big ADD d int DEFAULT 1 NOT NULL",
    ),
    _sql("virtual_column", "ALTER TABLE big ADD COLUMN c int GENERATED ALWAYS AS (old * 2) VIRTUAL"),
    _sql("more_digits", "ALTER TABLE big ALTER COLUMN n TYPE numeric(12,2)"),
    _sql("more_characters", "ALTER TABLE big ALTER COLUMN w TYPE character varying(60)"),
    _sql("as_text", "ALTER TABLE big ALTER COLUMN w TYPE text"),
    _sql(
        "not_valid", "ALTER TABLE other ADD CONSTRAINT fk FOREIGN KEY (big_id) REFERENCES big (id) NOT VALID"
    ),
    _sql("validated_alone", "ALTER TABLE other VALIDATE CONSTRAINT fk"),
    _sql("proven_not_null", "ALTER TABLE big ALTER COLUMN v SET NOT NULL", phase="contract"),
    _autocommit("index_concurrently", "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON big (t)"),
    _sql("unique_using_index", "ALTER TABLE big ADD CONSTRAINT uq UNIQUE USING INDEX ix"),
    _sql(
        "new_table",
        "CREATE TABLE fresh (id int PRIMARY KEY, x int)",
        "CREATE INDEX ON fresh (x)",
        "DROP TABLE fresh",
    ),
    _sql("words_in_strings", "INSERT INTO other VALUES (1, 'UPDATE big SET x = 1; COMMIT')"),
    _sql(
        "body_of_a_function", "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM big; COMMIT $$"
    ),
    _sql(
        "replaced_trigger_function",
        "DROP FUNCTION f()",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    _sql("bounded_update", "UPDATE big SET v = 'x' WHERE id = 1"),
    _sql("local_setting", "SET LOCAL lock_timeout = '1s'"),
    _sql("dropped_column_in_contract", "ALTER TABLE big DROP COLUMN old", phase="contract"),
    # Blocking.
    _sql("index", "CREATE INDEX ix2 ON big (t)", rules=("require-concurrent-index-creation",)),
    _sql("dropped_index", "DROP INDEX ix_big_v", rules=("require-concurrent-index-deletion",)),
    _sql(
        "foreign_key",
        "ALTER TABLE other ADD CONSTRAINT fk2 FOREIGN KEY (big_id) REFERENCES big (id)",
        rules=("adding-foreign-key-constraint",),
    ),
    _sql(
        "random_default",
        "ALTER TABLE big ADD u uuid DEFAULT gen_random_uuid()",
        rules=("adding-field-with-default",),
    ),
    _sql(
        "stored",
        "ALTER TABLE big ADD s int GENERATED ALWAYS AS (1) STORED",
        rules=("adding-field-with-default",),
    ),
    _sql(
        "int_to_bigint",
        "ALTER TABLE big ALTER COLUMN old TYPE bigint",
        rules=("changing-column-type",),
        phase="contract",
    ),
    _sql(
        "wider_type_is_no_harm_to_code",
        "ALTER TABLE big ALTER old TYPE numeric",
        rules=("changing-column-type",),
    ),
    _sql("required", "ALTER TABLE big ADD r int NOT NULL", rules=("adding-required-field",)),
    _sql(
        "told_to_ignore",
        "ALTER TABLE big\n-- squawk-ignore-file\nADD /* squawk-ignore */ q int NOT NULL",
        rules=("adding-required-field",),
    ),
    _sql("vacuum_full", "SELECT 1", "CLUSTER big", rules=("long-lock",)),
    _sql("attached", "ALTER TABLE parts ATTACH PARTITION big DEFAULT", rules=("long-lock",)),
    _sql("logged", "ALTER TABLE other SET LOGGED", rules=("long-lock",)),
    _sql(
        "trigger",
        "CREATE TRIGGER tr BEFORE INSERT ON big EXECUTE FUNCTION f()",
        rules=("trigger-on-existing-table",),
    ),
    _sql(
        "reference_to_large",
        "CREATE TABLE child (id int, big_id bigint REFERENCES big (id))",
        rules=("foreign-key-in-new-table",),
    ),
    _sql(
        "column_then_update",
        "ALTER TABLE big ADD w int",
        "UPDATE big SET w = 1 WHERE id > 0",
        rules=("data-with-schema", "work-under-lock"),
    ),
    _sql(
        "two_tables",
        "ALTER TABLE big ADD x int",
        "ALTER TABLE other ADD x int",
        rules=("locks-on-several-tables",),
    ),
    # Data.
    _sql("whole_update", "UPDATE big SET v = 'x'", rules=("unbounded-write",)),
    _sql("whole_delete", "DELETE FROM big WHERE true", rules=("unbounded-write",)),
    _sql("truncate", "TRUNCATE big", rules=("unbounded-write",)),
    _sql(
        "delete_in_with",
        "WITH gone AS (DELETE FROM big RETURNING id) SELECT count(*) FROM gone",
        rules=("unbounded-write",),
    ),
    # What code that is live does not survive.
    _sql("dropped_column", "ALTER TABLE big DROP COLUMN t", rules=("destructive-in-expand",)),
    _sql(
        "column_made_again",
        "ALTER TABLE big DROP COLUMN t",
        "ALTER TABLE big ADD COLUMN t int",
        rules=("destructive-in-expand",),
    ),
    _sql("replaced_view", "DROP VIEW seen", "CREATE VIEW seen AS SELECT 1"),
    _sql("renamed_column", "ALTER TABLE big RENAME n TO amount", rules=("destructive-in-expand",)),
    _sql("dropped_function", "DROP FUNCTION f()", rules=("destructive-in-expand",)),
    _sql(
        "not_null",
        "ALTER TABLE other ALTER big_id SET NOT NULL",
        rules=("adding-not-nullable-field", "destructive-in-expand"),
    ),
    _sql(
        "check",
        "ALTER TABLE big ADD CONSTRAINT ck CHECK (id > 0)",
        rules=("constraint-missing-not-valid", "destructive-in-expand"),
    ),
    _sql(
        "unique",
        "ALTER TABLE big ADD CONSTRAINT uq2 UNIQUE (v)",
        rules=("destructive-in-expand", "disallowed-unique-constraint"),
    ),
    _sql("renamed_schema", "ALTER SCHEMA app RENAME TO app2", rules=("destructive-in-expand",)),
    _sql("moved_function", "ALTER FUNCTION f(int) SET SCHEMA app", rules=("destructive-in-expand",)),
    _sql("set_function", "ALTER FUNCTION f() SET search_path = ''"),
    _sql("dropped_owned", "DROP OWNED BY somebody", rules=("destructive-in-expand",)),
    _sql("dropped_default", "ALTER TABLE big ALTER v DROP DEFAULT", rules=("destructive-in-expand",)),
    # Enums.
    _sql("enum_value", "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'calm'"),
    _sql(
        "enum_value_used",
        "ALTER TYPE mood ADD VALUE 'sad'",
        "INSERT INTO moods VALUES ('sad')",
        rules=("enum-value-used-too-early",),
    ),
    _sql(
        "enum_value_deleted", "DELETE FROM pg_enum WHERE enumlabel = 'sad'", rules=("enum-values-in-catalog",)
    ),
    # The session and its transaction.
    _sql(
        "concurrently_inside",
        "CREATE INDEX CONCURRENTLY ix3 ON big (t)",
        rules=("concurrently-in-transaction",),
    ),
    _sql("commit", "COMMIT", rules=("transaction-control",)),
    _sql("savepoint", "SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"),
    _sql("no_timeout", "SET LOCAL lock_timeout TO '0'", rules=("lock-timeout-lifted",)),
    _sql("setting", "SET search_path = x", rules=("setting-leaks",)),
    _sql("set_config", "SELECT set_config('a.b', 'c', false)", rules=("setting-leaks",)),
    _sql("discard", "DISCARD ALL", rules=("session-reset",)),
    _sql("advisory_lock", "SELECT pg_advisory_xact_lock(1)", rules=("blocking-advisory-lock",)),
    _sql("do_block", "DO $$ BEGIN END $$", rules=("opaque-block",)),
    _autocommit("do_block_outside", "DO $$ BEGIN END $$", rules=("opaque-block",)),
    _autocommit("index_concurrently_after", "CREATE INDEX CONCURRENTLY ix4 ON big (t)"),
    # The revision itself.
    Case("asks", "op.get_bind().execute(sa.text('SELECT 1')).scalar()", ("cannot-be-linted",)),
    Case(
        "no_way_back", "op.execute('SELECT 1')", ("missing-downgrade",), downgrade="raise NotImplementedError"
    ),
    _sql("unreadable", "SELEC 1", rules=("syntax-error",)),
    # Last: they leave other tables behind.
    _sql(
        "maybe_new",
        "CREATE TABLE IF NOT EXISTS big (id int)",
        "CREATE INDEX ix5 ON big (v)",
        rules=("long-lock",),
    ),
    _sql(
        "swapped",
        "ALTER TABLE other RENAME TO other_old",
        "CREATE TABLE other (id int)",
        rules=("destructive-in-expand",),
    ),
    _sql("made_again", "DROP TABLE big", "CREATE TABLE big (id int)", rules=("destructive-in-expand",)),
]
