"""`drift` on real databases, against a server that is thrown away."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.config import load_project
from infra.local.names import APPLICATION, OWNER
from infra.local.throwaway import throwaway_cluster
from infra.migrate import runner
from infra.migrate.drift import Drift, Side, drift
from infra.migrate.errors import DatabaseAheadError, ReferenceImpossibleError
from tests.support.histories import REPOSITORY, run_script

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.postgres import PostgresCluster
    from infra.testing.databases import Database
    from tests.support.histories import History

MODELS = """
    import sqlalchemy as sa
    from sqlalchemy.dialects.postgresql import ARRAY
    from sqlalchemy.orm import Mapped, mapped_column

    class Person(Base):
        __tablename__ = "people"
        __table_args__ = (
            sa.CheckConstraint("length(name) < 30", name="short"),
            sa.Index("ix_people_lower", sa.text("lower(name) text_pattern_ops"),
                     postgresql_where=sa.text("age IS NOT NULL")),
            sa.Index("ix_people_age", sa.desc("age")),
        )
        id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
        name: Mapped[str] = mapped_column(server_default="nobody")
        age: Mapped[int | None] = mapped_column(sa.Integer)
        mood: Mapped[str] = mapped_column(sa.Enum("sad", "happy", name="mood"), server_default="sad")
        moods: Mapped[list[str] | None] = mapped_column(ARRAY(sa.Enum("sad", "happy", name="mood")))
        code: Mapped[str] = mapped_column(server_default=sa.text("substr(gen_random_uuid()::text, 1, 8)"))
        shout: Mapped[str] = mapped_column(sa.Computed("upper(name)", persisted=True))
        price: Mapped[float | None] = mapped_column(sa.Numeric(10, 2), server_default="1.50")
"""

#: Written by hand, in other words than the models', and with what models cannot say.
UPGRADE = """
op.execute('''
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE people (
        shout varchar GENERATED ALWAYS AS (upper(name)) STORED NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY,
        name character varying DEFAULT 'nobody' NOT NULL,
        age int4,
        mood mood DEFAULT 'sad' NOT NULL,
        moods mood[],
        code varchar NOT NULL DEFAULT Substr(CAST(gen_random_uuid() AS text), 1, 8),
        price decimal(10, 2) DEFAULT 1.50,
        CONSTRAINT pk_people PRIMARY KEY (id),
        CONSTRAINT ck_people_short CHECK (length(name) < 30)
    );
    CREATE INDEX ix_people_lower ON people (lower(name) text_pattern_ops) WHERE age IS NOT NULL;
    CREATE INDEX ix_people_age ON people (age DESC);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touch BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION touch();
    ALTER TABLE people ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON people TO PUBLIC USING (name = current_user);
    CREATE VIEW adults AS SELECT id, name FROM people WHERE age >= 18;
''')
"""

DOWNGRADE = "op.execute('DROP TABLE people CASCADE; DROP FUNCTION touch; DROP TYPE mood')"

#: What hands have done, and what is said of it.
CHANGES = {
    "ALTER TABLE people ALTER age SET DEFAULT 1": "column public.people.age: default is 1 in the database",
    "ALTER TABLE people ALTER name DROP NOT NULL": "people.name: not null is not set in",
    "DROP INDEX ix_people_age": "index public.ix_people_age is not in the database",
    "CREATE INDEX extra ON people (name)": "index public.extra is in the database and in no revision",
    "ALTER TABLE people ADD note text": "column public.people.note is in the database and in no revision",
    "ALTER TABLE people DISABLE TRIGGER touch": "people: state is disabled",
    "ALTER POLICY own ON people USING (true)": "policy own on public.people: using is true",
    "ALTER TABLE people DROP CONSTRAINT ck_people_short;"
    "ALTER TABLE people ADD CONSTRAINT ck_people_short CHECK (name <> '')": (
        "constraint ck_people_short on public.people: definition is CHECK (((name)::text <> ''::text)) in"
    ),
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'": (
        "function public.touch(): definition is CREATE OR REPLACE FUNCTION public.touch() RETURNS"
    ),
    f"REVOKE UPDATE ON people FROM {APPLICATION}": f"people: granted to {APPLICATION} is DELETE,",
    "DROP VIEW adults": "view public.adults is not in the database",
    "ALTER TABLE people FORCE ROW LEVEL SECURITY": "row level security of the owner is forced",
}


@pytest.fixture
def people(history: History, empty_database: Database) -> History:
    history.write_models(MODELS)
    history.write("one", None, UPGRADE, DOWNGRADE)
    runner.apply(history.project, empty_database.direct)
    return history


def find(history: History, database: Database, cluster: PostgresCluster) -> tuple[Drift, ...]:
    return drift(history.project, database.direct, announce=lambda _: None, cluster=cluster)


class TestDrift:
    """`drift`."""

    def test_finds_none_in_this_repository(self, database: Database, throwaway: PostgresCluster) -> None:
        """Eighteen tables with triggers, policies, expression indexes and generated columns."""
        said: list[str] = []
        project = load_project(REPOSITORY)
        assert drift(project, database.direct, announce=said.append, cluster=throwaway) == ()
        assert said == []

    def test_finds_none_however_it_is_written(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """Enums, identity, generated columns, expression indexes: models and revisions in other words."""
        assert find(people, empty_database, throwaway) == ()

    def test_finds_what_was_done_by_hand_and_undoes_it(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """Each in one sentence; the SQL it gives leaves only what would lose rows."""
        run_script(empty_database.direct, ";".join(CHANGES))
        found = find(people, empty_database, throwaway)
        assert {each.side for each in found} == {Side.DATABASE}
        for said in CHANGES.values():
            assert sum(said in str(each) for each in found) == 1, said
        assert len(found) == len(CHANGES)
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            for statement in (statement for each in found for statement in each.undo):
                connection.execute(statement.encode())
        (left,) = find(people, empty_database, throwaway)
        assert left.difference.what == "public.people.note"
        assert left.undo == ()
        assert "bough migrate new --empty" in left.advice

    def test_finds_what_no_revision_was_written_for(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """A default, a check, a label and a predicate that autogenerate would leave or get wrong."""
        people.write_models(
            MODELS.replace('"nobody"', '"somebody"')
            .replace("length(name) < 30", "length(name) < 20")
            .replace('"sad", "happy"', '"sad", "calm", "happy"')
            .replace("age IS NOT NULL", "age > 1")
        )
        found = find(people, empty_database, throwaway)
        assert {(each.difference.what, each.difference.aspect) for each in found} == {
            ("public.people.name", "default"),
            ("ck_people_short on public.people", "definition"),
            ("public.mood", "labels"),
            ("public.ix_people_lower", "definition"),
        }
        assert {each.side for each in found} == {Side.MODELS}
        assert {each.advice for each in found} == {"write a revision: bough migrate new"}

    def test_takes_roles_and_default_privileges_for_granted(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """As on Supabase: what every new table grants by itself was done by nobody's hand."""
        visitor = f"visitor_{secrets.token_hex(4)}"
        grants = (
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {visitor};"
            "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
        )
        runner.rollback(people.project, empty_database.direct)
        run_script(empty_database.superuser, f"CREATE ROLE {visitor}")
        try:
            run_script(empty_database.direct, grants)
            runner.apply(people.project, empty_database.direct)
            assert find(people, empty_database, throwaway) == ()
            run_script(empty_database.direct, f"REVOKE INSERT ON people FROM {visitor}")
            (found,) = find(people, empty_database, throwaway)
            assert found.undo == (f'GRANT INSERT ON TABLE public.people TO "{visitor}";',)
        finally:
            run_script(empty_database.superuser, f"DROP OWNED BY {visitor}; DROP ROLE {visitor}")

    def test_says_the_same_to_every_role(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """A superuser, and one who may only read: both see it as the role that migrates."""
        run_script(
            empty_database.direct, "CREATE TABLE by_hand (); GRANT SELECT ON alembic_version TO PUBLIC"
        )
        reader = f"reader_{secrets.token_hex(4)}"
        run_script(empty_database.superuser, f"CREATE ROLE {reader} LOGIN PASSWORD 'secret'")
        try:
            for url in (
                empty_database.superuser,
                empty_database.direct.replace(user=reader, password="secret"),
            ):
                (found,) = drift(people.project, url, announce=lambda _: None, cluster=throwaway)
                assert str(found) == "table public.by_hand is in the database and in no revision"
        finally:
            run_script(empty_database.superuser, f"DROP ROLE {reader}")

    def test_sees_a_schema_of_somebody_else(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """Where who migrates neither owns the database nor `public`, but may make tables there."""
        database = psycopg.sql.Identifier(empty_database.name).as_string()
        run_script(
            empty_database.superuser,
            f"ALTER DATABASE {database} OWNER TO CURRENT_USER; GRANT ALL ON SCHEMA public TO {OWNER}",
        )
        run_script(empty_database.direct, "CREATE TABLE by_hand ()")
        (found,) = find(people, empty_database, throwaway)
        assert found.difference.what == "public.by_hand"

    def test_refuses_another_branch(self, people: History, empty_database: Database) -> None:
        """What is said of one database is not taken for another's."""
        other = BranchIdentity("postgres", "tests", "other")
        with pytest.raises(TargetError):
            drift(people.project, empty_database.direct, announce=lambda _: None, expected=other)

    def test_compares_a_database_that_is_behind_as_of_its_own_revision(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """What is pending is no drift, and said."""
        people.write("two", "one", "op.execute('CREATE TABLE later (id int)')")
        said: list[str] = []
        (left,) = drift(people.project, empty_database.direct, announce=said.append, cluster=throwaway)
        assert str(left) == "table public.later is not in the models"
        assert said == ["Not applied, and no drift: two"]

    def test_refuses_a_database_that_is_ahead(
        self, people: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """Nobody here knows what it should look like."""
        run_script(empty_database.direct, "UPDATE alembic_version SET version_num = 'other'")
        with pytest.raises(DatabaseAheadError):
            find(people, empty_database, throwaway)

    def test_says_why_there_is_nothing_to_compare_with(
        self, history: History, empty_database: Database, throwaway: PostgresCluster
    ) -> None:
        """A revision that an empty database cannot run."""
        history.write("one", None, "op.execute('CREATE EXTENSION not_here')")
        run_script(empty_database.direct, "CREATE TABLE alembic_version (version_num text)")
        run_script(empty_database.direct, "INSERT INTO alembic_version VALUES ('one')")
        with pytest.raises(ReferenceImpossibleError, match="not_here"):
            find(history, empty_database, throwaway)


class TestThrowawayCluster:
    """`throwaway_cluster`."""

    def test_leaves_nothing_behind(self, tmp_path: Path) -> None:
        """Neither the server nor its files, and what a killed command left goes too."""
        left = tmp_path / ".bough" / "throwaway" / "left"
        left.mkdir(parents=True)
        (left / "lock").touch()
        with throwaway_cluster(tmp_path) as started:
            assert not left.exists()
            home = started.home
        assert not home.exists()
        assert list((tmp_path / ".bough" / "throwaway").iterdir()) == []
