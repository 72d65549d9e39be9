"""The proxy itself: other tests believe what it counts."""

from __future__ import annotations

import threading

import psycopg
import pytest

from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy(pooler):
    """A proxy in front of the pooler."""
    with TcpProxy(pooler.port) as running:
        yield running


@pytest.fixture
def connect(proxy, empty_database):
    """Open connections through the proxy, closed at the end."""
    opened = []

    def one():
        url = empty_database.pooled.replace(port=proxy.port)
        opened.append(psycopg.connect(url.libpq(), autocommit=True))
        return opened[-1]

    yield one
    for connection in opened:
        connection.close()


def in_thread(function):
    """Run something that may hang, and tell whether it has ended."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


class TestCounts:
    def test_round_trips_are_counted(self, proxy, connect):
        """A simple query is one round trip; three pipelined ones are one too."""
        connection = connect()
        assert proxy.round_trips == 3  # the startup message and SCRAM's two
        proxy.reset()
        connection.execute("SELECT 1")
        assert (proxy.round_trips, proxy.connections) == (1, 0)
        proxy.reset()
        with connection.pipeline():
            for _ in range(3):
                connection.execute("SELECT 1")
        assert proxy.round_trips == 1

    def test_bytes_are_counted_each_way(self, proxy, connect):
        """What the server sent is counted apart from what the client sent."""
        connection = connect()
        proxy.reset()
        connection.execute("SELECT repeat('x', 100000)")
        assert 20 < proxy.sent < 200
        assert 100_000 < proxy.received < 101_000


class TestFreeze:
    def test_everything_waits_until_thawed(self, proxy, connect):
        """A frozen connection gives no answer and no error; thawed, it goes on where it was."""
        connection, answers = connect(), []
        proxy.freeze()
        query = in_thread(lambda: answers.append(connection.execute("SELECT 1").fetchone()))
        query.join(timeout=0.2)
        assert query.is_alive()
        proxy.thaw()
        query.join(timeout=5)
        assert answers == [(1,)]

    def test_new_connections_starve_unless_told_otherwise(self, proxy, connect):
        """`existing_only` is a network that has recovered, but not the connections of before."""
        old = connect()
        proxy.freeze(existing_only=True)
        assert connect().execute("SELECT 1").fetchone() == (1,)
        query = in_thread(lambda: old.execute("SELECT 1"))
        query.join(timeout=0.2)
        assert query.is_alive()
        proxy.freeze()
        newer = in_thread(connect)
        newer.join(timeout=0.2)
        assert newer.is_alive()
        proxy.thaw()
        query.join(timeout=5)
        newer.join(timeout=5)
        assert not query.is_alive()
        assert not newer.is_alive()


class TestCut:
    def test_connections_end_at_once(self, proxy, connect):
        """A cut is seen by the client's next statement; a new connection works."""
        connection = connect()
        assert proxy.open_connections == 1
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        assert connect().execute("SELECT 1").fetchone() == (1,)
