"""The online copy of a cluster: consistent under writes, repeatable after a kill."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from infra.local.errors import CopyError
from infra.local.home import Home, postgres_programs
from infra.local.neon_api.copying import online_copy
from infra.local.postgres import PostgresCluster

ROOT = Path(__file__).parents[5]
ACCOUNTS = 50
SCHEMA = f"""
    CREATE TABLE accounts AS SELECT id, 100 AS balance FROM generate_series(1, {ACCOUNTS}) id;
    ALTER TABLE accounts ADD PRIMARY KEY (id);
    CREATE TABLE transfers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, padding text);
    CREATE TABLE large AS SELECT g AS id, repeat('x', 500) AS padding FROM generate_series(1, 20000) g;
"""
TRANSFER = """
    WITH taken AS (UPDATE accounts SET balance = balance - 1 WHERE id = %(from)s),
        given AS (UPDATE accounts SET balance = balance + 1 WHERE id = %(to)s)
    INSERT INTO transfers (padding) VALUES (repeat('y', 1000)) RETURNING id
"""


def connect(cluster):
    return psycopg.connect(cluster.superuser_url().libpq(), autocommit=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A running cluster with some megabytes of data."""
    cluster = PostgresCluster.start(tmp_path_factory.mktemp("source"), durable=False)
    with connect(cluster) as connection:
        connection.execute(SCHEMA)
    yield cluster
    cluster.remove()


@pytest.fixture
def copied(tmp_path):
    """Start a cluster on the folder's copy; it is gone afterwards."""
    started = []

    def start():
        started.append(PostgresCluster.start(tmp_path / "copy", durable=False))
        return started[0]

    yield start
    for cluster in started:
        cluster.remove()
    Home.of(tmp_path / "copy").remove(tmp_path / "copy")


class Writer(threading.Thread):
    """Transfers between accounts, and makes and drops tables, as fast as it can."""

    def __init__(self, cluster, first):
        super().__init__()
        self._cluster = cluster
        self._first = first
        self.committed = 0
        self.longest = 0.0
        self.errors = []
        self.stopping = threading.Event()

    def run(self):
        try:
            with connect(self._cluster) as connection:
                for number in iter(lambda: self.committed, None):
                    if self.stopping.is_set():
                        return
                    began = time.perf_counter()
                    accounts = {"from": self._first, "to": self._first + 1 + number % 20}
                    connection.execute(TRANSFER, accounts)
                    if number % 20 == 0:
                        connection.execute(f"CREATE TABLE passing_{self._first} AS SELECT 1")
                        connection.execute(f"DROP TABLE passing_{self._first}")
                    self.longest = max(self.longest, time.perf_counter() - began)
                    self.committed += 1
        except psycopg.Error as error:
            self.errors.append(error)


class TestOnlineCopy:
    def test_copy_under_writes_is_one_moment_of_the_source(self, source, copied, tmp_path):
        """Writers see no error; the copy has what was committed before, no half transfer, no damage."""
        with connect(source) as connection:
            (before,) = connection.execute("SELECT count(*) FROM transfers").fetchone()
        writers = [Writer(source, first) for first in (1, 25)]
        for writer in writers:
            writer.start()
        while not all(writer.committed for writer in writers):
            time.sleep(0.005)
        at_start = before + sum(writer.committed for writer in writers)
        online_copy(source, tmp_path / "copy")
        at_end = before + sum(writer.committed for writer in writers) + len(writers)
        for writer in writers:
            writer.stopping.set()
            writer.join()
        assert [error for writer in writers for error in writer.errors] == []
        cluster = copied()
        with connect(cluster) as connection:
            transfers, highest = connection.execute("SELECT count(*), max(id) FROM transfers").fetchone()
            assert at_start <= transfers <= at_end
            # Of numbers next to each other the later one may have been committed first.
            assert transfers <= highest < transfers + len(writers)
            total = connection.execute("SELECT sum(balance), count(*) FROM accounts").fetchone()
            assert total == (100 * ACCOUNTS, ACCOUNTS)
            assert connection.execute("SELECT count(*) FROM large").fetchone() == (20_000,)
            # The index, walked alone, has what the heap has.
            connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
            assert connection.execute("SELECT count(id) FROM transfers WHERE id > 0").fetchone() == (
                transfers,
            )
            assert connection.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)
        cluster.stop()
        checked = subprocess.run(
            [postgres_programs() / "pg_checksums", "--check", "-D", cluster.data],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (checked.returncode, checked.stderr) == (0, "")

    def test_killed_copy_is_begun_again_and_leaves_the_source_free(self, source, copied, tmp_path):
        """Kill -9 in the middle: no data by its final name, no slot held back, and the next one succeeds."""
        code = f"""if True:
            from pathlib import Path
            from infra.local.neon_api.copying import online_copy
            from infra.local.postgres import PostgresCluster
            source = PostgresCluster.start(Path({str(source.folder)!r}), durable=False)
            assert source.pid == {source.pid}
            online_copy(source, Path({str(tmp_path / "copy")!r}))
        """
        home = Home.of(tmp_path / "copy").path
        with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as copying:
            while not (home / "data.new" / "base").exists():
                assert copying.poll() is None
                time.sleep(0.001)
            copying.kill()
        assert (home / "data.new").exists()
        assert not (home / "data").exists()
        with connect(source) as connection:
            deadline = time.monotonic() + 10
            while connection.execute("SELECT FROM pg_replication_slots").rowcount:
                assert time.monotonic() < deadline
        online_copy(source, tmp_path / "copy")
        with connect(copied()) as connection:
            assert connection.execute("SELECT count(*) FROM large").fetchone() == (20_000,)

    def test_tablespaces_are_refused(self, source, tmp_path):
        """Their files lie elsewhere, and both servers would write to them."""
        place = Home.of(source.folder)
        folder = place.path / "elsewhere"
        folder.mkdir()
        if place.account:
            import os

            os.chown(folder, place.account.pw_uid, place.account.pw_gid)
        with connect(source) as connection:
            connection.execute(f"CREATE TABLESPACE elsewhere LOCATION '{folder}'")
            try:
                with pytest.raises(CopyError, match="elsewhere"):
                    online_copy(source, tmp_path / "copy")
            finally:
                connection.execute("DROP TABLESPACE elsewhere")
        Home.of(tmp_path / "copy").remove(tmp_path / "copy")
