"""Clients that go on asking while a table changes under them."""

from __future__ import annotations

import time
from dataclasses import replace

import psycopg
import pytest

from infra.migrate.rehearsal.traffic import Traffic, replay
from infra.migrate.rehearsal.traffic_statements import TrafficError, derived, given

LOAD = Traffic(rate=100, warm_up=0.1)


#: Tables with every kind of key.
TABLES = """
    CREATE TABLE authors (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE "Odd %s {x}" ("Key" uuid DEFAULT gen_random_uuid(), "n:t" int, PRIMARY KEY ("n:t", "Key"),
        total int GENERATED ALWAYS AS ("n:t" * 2) STORED, note text);
    CREATE TABLE empty (id int PRIMARY KEY);
    CREATE TABLE without_key (name text);
    CREATE TABLE eternal (until timestamptz PRIMARY KEY);
    CREATE TABLE claimed (id int PRIMARY KEY);
    ALTER TABLE claimed ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON claimed USING (id = current_setting('request.user')::int);
    INSERT INTO authors (name) SELECT 'author ' || n FROM generate_series(1, 300) n;
    INSERT INTO "Odd %s {x}" ("n:t", note) SELECT n, 'x' FROM generate_series(1, 10) n;
    INSERT INTO without_key VALUES ('x');
    INSERT INTO eternal VALUES ('infinity');
    INSERT INTO claimed VALUES (1);
"""


@pytest.fixture
def owner(empty_database):
    """The owner's connection to a database of the test's own."""
    with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


@pytest.fixture(scope="module")
def client(world):
    """A connection as the application has it, to a database that stays as it is."""
    with world.new_database() as database:
        with psycopg.connect(database.direct.libpq(), autocommit=True) as connection:
            connection.execute(TABLES)
        pooled = database.pooled.libpq()
        with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as connection:
            yield connection


def count(owner, table="authors"):
    return owner.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


class TestReplay:
    def test_makes_the_load_that_was_stated(self, empty_database, owner):
        """The rate is kept, nothing fails, and nothing that was written stays."""
        with replay(empty_database.pooled, LOAD) as running:
            time.sleep(0.3)
        result = running.result()
        assert (result.load, result.errors) == ("100/s:80%reads", {})
        assert 20 <= result.requests <= 100
        assert result.usual_wait > 0
        assert result.longest_wait > 0
        assert count(owner) == 300

    def test_a_blocked_table_shows_as_waiting_not_as_fewer_requests(self, empty_database, owner):
        """All requests that were due while the lock was held were made, and waited for it."""
        with replay(empty_database.pooled, LOAD) as running, owner.transaction():
            owner.execute("LOCK authors IN ACCESS EXCLUSIVE MODE")
            time.sleep(0.4)
        result = running.result()
        assert result.errors == {}
        assert result.requests >= 35
        assert 0.3 < result.longest_wait < 5

    def test_counts_what_clients_would_have_seen(self, empty_database, owner):
        """A column that they name is dropped: each error once by its message, without values."""
        with replay(empty_database.pooled, LOAD) as running:
            owner.execute("ALTER TABLE authors DROP COLUMN name")
            time.sleep(0.3)
        errors = running.result().errors
        messages = {'column "name" does not exist', 'column "name" of relation "authors" does not exist'}
        assert set(errors) <= messages
        assert sum(errors.values()) > 5

    def test_a_connection_that_is_cut_is_counted_and_replaced(self, empty_database, owner):
        """Clients whose server process was ended see that once, and go on."""
        with replay(empty_database.pooled, LOAD) as running:
            with psycopg.connect(empty_database.superuser.libpq(), autocommit=True) as superuser:
                superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = 'bough_app' AND datname = current_database()"
                )
            time.sleep(0.2)
        result = running.result()
        assert sum(result.errors.values()) <= 20
        assert result.requests > sum(result.errors.values())

    def test_refuses_a_database_with_nothing_to_ask_for(self, empty_database):
        """Without a table that has a key and a row there can be no load."""
        with (
            pytest.raises(TrafficError, match="no table that the application may read"),
            replay(empty_database.pooled, LOAD),
        ):
            pytest.fail("it ran")

    def test_refuses_a_load_that_fails_by_itself(self, empty_database, owner, tmp_path):
        """What clients see without any upgrade would be taken for its doing."""
        file = tmp_path / "traffic.sql"
        owner.execute("CREATE SEQUENCE calls")
        file.write_text("SELECT 1 / (nextval('calls') - 2)")
        with (
            pytest.raises(TrafficError, match="errors before the upgrade: division by zero"),
            replay(empty_database.pooled, replace(LOAD, file=file, warm_up=0.3)),
        ):
            pytest.fail("it ran")

    def test_refuses_a_load_that_is_not_kept_up_with(self, empty_database, owner, tmp_path):
        """Each request waits longer than the one before it, upgrade or not."""
        file = tmp_path / "traffic.sql"
        file.write_text("SELECT pg_sleep(0.2)")
        with (
            pytest.raises(TrafficError, match=r"waited for up to .* is too much here"),
            replay(empty_database.pooled, replace(LOAD, rate=500, file=file, warm_up=1.3)),
        ):
            pytest.fail("it ran")

    def test_makes_the_statements_of_a_file(self, empty_database, owner, tmp_path):
        """The load says where its statements are from."""
        file = tmp_path / "traffic.sql"
        file.write_text("SELECT * FROM authors WHERE id = :authors.id;\n")
        with replay(empty_database.pooled, replace(LOAD, file=file)) as running:
            owner.execute("DROP TABLE authors")
            time.sleep(0.2)
        result = running.result()
        assert result.load == "100/s of traffic.sql"
        assert set(result.errors) == {'relation "authors" does not exist'}


class TestDerived:
    def test_reads_and_writes_every_table_with_a_key_and_a_row(self, client):
        """Names of any kind are quoted, generated columns left out."""
        requests = derived(client, 0.8)
        texts = [request.statement.as_string() for request in requests]
        assert len(requests) == 11
        assert 'SELECT "Key", "n:t", note FROM public."Odd %%s {x}" WHERE ("n:t", "Key") = (%s, %s)' in texts
        assert {request.writes for request in requests if "SELECT" in request.statement.as_string()[:6]} == {
            False
        }
        assert sum(r.weight for r in requests if r.writes) == pytest.approx(0.5)

    def test_leaves_out_what_is_refused_already(self, empty_database, owner):
        """What the role may not do, or a policy hides, is no traffic."""
        owner.execute("REVOKE INSERT, UPDATE ON authors FROM bough_app")
        owner.execute('ALTER TABLE "Odd %s {x}" ENABLE ROW LEVEL SECURITY')
        with psycopg.connect(
            empty_database.pooled.libpq(), autocommit=True, prepare_threshold=None
        ) as client:
            requests = derived(client, 0.8)
        assert {request.statement.as_string().partition(" FROM ")[2][:15] for request in requests} == {
            "public.authors ",
            "public.eternal ",
        }
        assert sum(request.writes for request in requests) == 1


class TestGiven:
    def test_reads_weights_and_parameters(self, client, tmp_path):
        """Values of one table are from one row; a cast is no parameter, a percent sign no placeholder."""
        file = tmp_path / "traffic.sql"
        file.write_text(
            """
            -- the usual one
            -- weight: 9
            SELECT id::bigint % 7 FROM authors
            WHERE id = :authors.id AND name = :public.authors.name;

            UPDATE authors SET name = ';' WHERE name = :authors.name; SELECT 1;
            """
        )
        read, write, constant = given(client, file)
        assert (constant.writes, constant.weight, constant.parameters) == (False, 1.0, [()])
        assert (read.writes, read.weight, write.writes, write.weight) == (False, 9.0, True, 1.0)
        assert len(read.parameters) == 200
        assert client.execute(read.statement, read.parameters[5]).fetchall()

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("-- nothing\n", "has no statement"),
            ("-- weight: much\nSELECT 1;", "the weight 'much' is not a number above 0"),
            ("-- weight: 0\nSELECT 1;", "the weight '0' is not a number above 0"),
            ("-- weight: nan\nSELECT 1;", "the weight 'nan' is not a number above 0"),
            ("SELECT nothing;", 'column "nothing" does not exist in: SELECT nothing'),
            ("SELECT :empty.id;", "a row of empty"),
            ("SELECT :authors.nothing;", 'column "nothing" does not exist'),
        ],
    )
    def test_refuses_a_file_that_says_nothing_of_use(self, client, tmp_path, text, says):
        """What is wrong with it is said before any load is made."""
        file = tmp_path / "traffic.sql"
        file.write_text(text)
        with pytest.raises(TrafficError, match=says):
            given(client, file)

    def test_refuses_a_file_that_is_not_there(self, client, tmp_path):
        """The hint names the key that names it."""
        with pytest.raises(TrafficError, match="cannot be read") as raised:
            given(client, tmp_path / "traffic.sql")
        assert "[tool.bough.migrate]" in raised.value.hint
