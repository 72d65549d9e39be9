"""Runners that are killed with SIGKILL, at every message to the server, and the run after that."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate import catalog, lock, runner
from tests.support.histories import query
from tests.support.killing_proxy import KillingProxy, Moment
from tests.support.runners import exit_code, start_runner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.migrate.catalog import Catalog
    from infra.testing.databases import Database, World
    from tests.support.histories import History

BASE = """
op.execute("CREATE TYPE mood AS ENUM ('good')")
op.execute('CREATE TABLE users (id int PRIMARY KEY, age int NOT NULL, name text)')
op.execute('CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL, score int)')
op.execute('CREATE INDEX ix_users_age ON users (age)')
op.execute("INSERT INTO users SELECT i, i, 'n' || i FROM generate_series(1, 300) AS i")
op.execute('INSERT INTO posts SELECT i, i, 0 FROM generate_series(1, 300) AS i')
"""

#: Revisions as people write them: what CONCURRENTLY stands for, and much around it.
FIVE = {
    "table": """
op.create_table('tags', sa.Column('id', sa.Integer, primary_key=True), sa.Column('label', sa.Text))
op.execute("INSERT INTO tags VALUES (1, 'a'), (2, 'b')")
op.execute('ALTER TABLE posts ADD CONSTRAINT fk_posts_user FOREIGN KEY (user_id) REFERENCES users NOT VALID')
""",
    "indexes": """
op.add_column('users', sa.Column('email', sa.Text))
op.execute('UPDATE users SET age = age + 1')
with op.get_context().autocommit_block():
    op.create_index('ix_users_email', 'users', ['email'], postgresql_concurrently=True)
    op.create_index('ix_posts_user', 'posts', ['user_id'], postgresql_concurrently=True, if_not_exists=True)
op.add_column('users', sa.Column('phone', sa.Text))
op.execute('UPDATE users SET age = age + 1')
""",
    "replace_index": """
with op.get_context().autocommit_block():
    op.execute("ALTER TYPE mood ADD VALUE 'bad'")
    op.execute('CREATE UNIQUE INDEX CONCURRENTLY ix_users_age_name ON users (age, name)')
    op.execute('DROP INDEX CONCURRENTLY ix_users_age')
    op.execute('REINDEX INDEX CONCURRENTLY ix_posts_user')
""",
    "batches": """
with op.get_context().autocommit_block():
    while True:
        batch = 'SELECT id FROM posts WHERE score < 3 ORDER BY score, id LIMIT 200'
        update = f'UPDATE posts SET score = score + 1 WHERE id IN ({batch})'
        if op.get_bind().execute(sa.text(update)).rowcount < 200:
            break
""",
    "validate": """
op.execute('ALTER TABLE posts VALIDATE CONSTRAINT fk_posts_user')
op.execute('ALTER TABLE posts ADD CONSTRAINT ck_score CHECK (score >= 0)')
""",
}

STATE = """
    SELECT (SELECT sum(age) FROM users), (SELECT sum(score) FROM posts), (SELECT count(*) FROM tags),
           (SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready)),
           (SELECT array_agg(id ORDER BY id) FROM bough_revision),
           (SELECT array_agg(version_num) FROM alembic_version),
           (SELECT count(*) FROM bough_progress)
"""


def schema(database: Database) -> Catalog:
    """Return what the catalogs say."""
    with psycopg.connect(database.direct.libpq(), autocommit=True) as connection:
        return catalog.snapshot(connection)


class Chaos:
    """The five revisions, killed at one message, and applied again."""

    def __init__(
        self, history: History, world: World, base: Database, end: str = "validate", state: str = STATE
    ) -> None:
        self._history, self._world, self._base, self._end, self._query = history, world, base, end, state
        with world.new_database(base.name) as database:
            self.messages = self._run(database, 1_000_000, Moment.ANSWERED)
            self._state = query(database.direct, self._query)
            self._schema = schema(database)
        assert self._state[0][3] == 0

    def kill_at(self, message: int, moment: Moment) -> None:
        with self._world.new_database(self._base.name) as database:
            assert self._run(database, message, moment) == message
            report = runner.apply(self._history.project, database.direct)
            assert report.current == (self._end,)
            assert query(database.direct, self._query) == self._state
            assert catalog.differences(self._schema, schema(database)) == ()

    def _run(self, database: Database, at: int, moment: Moment) -> int:
        with KillingProxy(self._world.cluster.port, at, moment) as proxy:
            process = start_runner(self._history.project, database.direct.replace(port=proxy.port))
            assert process.pid is not None
            proxy.kill_later(process.pid)
            ended = exit_code(process, timeout=60)
            assert ended == (-signal.SIGKILL if proxy.messages == at else 0)
        return proxy.messages


@pytest.fixture
def chaos(history: History, world: World) -> Iterator[Chaos]:
    """The five revisions, and a database before them to make copies of."""
    history.write("start", None, BASE)
    with world.new_database() as database:
        runner.apply(history.project, database.direct)
        down = "start"
        for name, upgrade in FIVE.items():
            history.write(name, down, upgrade)
            down = name
        yield Chaos(history, world, database)


class TestApply:
    """`apply`, after a runner that was killed."""

    def test_finishes_what_a_killed_runner_began(self, chaos: Chaos) -> None:
        """A few places of the many that `make prove` tries."""
        for message in range(chaos.messages // 4, chaos.messages, chaos.messages // 4):
            chaos.kill_at(message, Moment.ANSWERED)

    @pytest.mark.prove
    @pytest.mark.parametrize("moment", Moment)
    def test_finishes_wherever_it_was_killed(self, chaos: Chaos, moment: Moment, capsys) -> None:
        """At every message to the server: each index is valid, and each change is there once."""
        messages = range(1, chaos.messages, 1 if moment is Moment.ANSWERED else 3)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda message: chaos.kill_at(message, moment), messages))
        with capsys.disabled():
            print(f"killed at {len(messages)} messages, {moment.value}")  # noqa: T201  a proof's figures

    @pytest.mark.prove
    def test_finishes_filling_an_empty_database(self, history: History, world: World) -> None:
        """Contracts as well, wherever it was killed: nobody's code can be live there."""
        history.write_three_tables()
        history.write("four", "three", "op.execute('DROP TABLE a')", phase="contract")
        with world.new_database() as empty:
            filling = Chaos(history, world, empty, end="four", state="SELECT 0, 0, 0, 0")
            for message in range(1, filling.messages):
                filling.kill_at(message, Moment.ANSWERED)

    @pytest.mark.prove
    def test_waits_for_the_statement_of_a_killed_runner(
        self, history: History, empty_database: Database
    ) -> None:
        """It goes on in the server, with the lock, until the server notices; what it left is built again."""
        history.write("start", None, BASE)
        runner.apply(history.project, empty_database.direct)
        index = "op.create_index('ix_users_name', 'users', ['name'], postgresql_concurrently=True)"
        history.write("two", "start", f"with op.get_context().autocommit_block():\n    {index}")
        said: list[str] = []
        with psycopg.connect(empty_database.direct.libpq()) as old, ThreadPoolExecutor() as threads:
            old.execute("UPDATE users SET name = 'x' WHERE id = 1")
            killed = start_runner(history.project, empty_database.direct)
            await_index(empty_database)
            assert killed.pid is not None
            os.kill(killed.pid, signal.SIGKILL)
            killed.join()
            again = threads.submit(runner.apply, history.project, empty_database.direct, announce=said.append)
            held = (
                "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                f" WHERE locktype = 'advisory' AND objid = {lock.KEY & 0xFFFFFFFF} AND state = 'active'"
            )
            assert query(empty_database.direct, held) == [(1,)]
            end = time.monotonic() + 30
            while not any(line.startswith("Dropping index public.ix_users_name") for line in said):
                assert time.monotonic() < end, said
                time.sleep(0.05)
            old.commit()
            assert again.result(timeout=30).dropped_indexes == ("public.ix_users_name",)
        assert said[1].startswith("Waiting up to 60 s for another migration of this database (server process")
        assert "its statement has run for" in said[1]
        invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        assert query(empty_database.direct, invalid) == [(0,)]


def await_index(database: Database) -> None:
    """Wait until the build of an index waits for an old transaction."""
    end = time.monotonic() + 30
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted"
    while query(database.direct, waiting) == [(0,)]:
        assert time.monotonic() < end
        time.sleep(0.02)
