"""Servers that end while a world runs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import aclosing

import psycopg
import pytest

from infra.local import processes
from infra.local.errors import PortInUseError
from infra.local.pooler import Pooler
from infra.local.postgres import PostgresCluster
from infra.local.revival import revived
from infra.local.world import Databases


@pytest.fixture
def databases(tmp_path):
    """Servers of the test's own, reached as the superuser."""
    cluster = PostgresCluster.start(tmp_path / "postgres")
    pooler = Pooler.start(tmp_path / "pooler", postgres=cluster, users={"postgres": "-"})
    yield Databases(cluster, pooler, pooler.url("postgres", "postgres", "-"), cluster.superuser_url())
    pooler.remove()
    cluster.remove()


def kill(server):
    """End a server as the out-of-memory killer does; return its pid."""
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    return pid


class TestRevived:
    @pytest.mark.asyncio
    async def test_killed_servers_run_again_where_they_were(self, databases):
        """Each is named, started on its old port with its data, and reported with its new pid."""
        port = databases.postgres.port
        url = databases.database_url_unpooled.libpq()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        said = []
        async with aclosing(revived(databases, said.append)) as revivals, asyncio.timeout(30):
            postgres, pooler = kill(databases.postgres), kill(databases.pooler)
            await anext(revivals)
            await anext(revivals)
        assert [line.split(" ended")[0] for line in said] == [
            f"PostgreSQL (pid {postgres})",
            f"PgBouncer (pid {pooler})",
        ]
        assert databases.postgres.port == port
        assert databases.postgres.pid != postgres
        assert databases.pooler.console("SHOW VERSION")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)

    @pytest.mark.asyncio
    async def test_server_that_cannot_start_again_is_an_error(self, databases):
        """Nobody waits in front of a world without a database."""
        databases.postgres.stop()
        with socket.create_server(("127.0.0.1", databases.postgres.port)):
            async with aclosing(revived(databases, lambda _: None)) as revivals, asyncio.timeout(30):
                with pytest.raises(PortInUseError, match=str(databases.postgres.port)):
                    await anext(revivals)
        assert not processes.is_running(databases.postgres.pid)
