"""A branch's compute: data copied, servers behind ports that stay, woken, cut, found again."""

from __future__ import annotations

import asyncio
import signal

import psycopg
import pytest
import pytest_asyncio

from infra.local import pooler as pooler_module
from infra.local import postgres, processes
from infra.local.errors import PortInUseError, ServerStartError
from infra.local.home import Home
from infra.local.neon_api import branch_servers
from tests.support.branch_computes import OWNER, PASSWORD, child_branch, compute, opened, root_branch

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDENTITY = (
    "SELECT current_setting('neon.project_id'), current_setting('neon.branch_id'),"
    " current_setting('neon.endpoint_id')"
)
BACKEND = "SELECT pg_postmaster_start_time()::text"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def main(tmp_path_factory):
    """A project's first branch with a little data, which every test finds running or wakes."""
    async with root_branch(tmp_path_factory.mktemp("branches") / "main") as branch:
        await branch.query("CREATE TABLE kept AS SELECT generate_series(1, 100) AS number")
        yield branch


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def child(main, tmp_path_factory):
    """An online copy of it, which tests may change, suspend and kill, but not remove."""
    async with child_branch(main, tmp_path_factory.mktemp("branches") / "child") as branch:
        yield branch


@pytest_asyncio.fixture(loop_scope="module")
async def own_child(main, tmp_path):
    """An online copy of the test's own."""
    async with child_branch(main, tmp_path / "own") as branch:
        yield branch


def pid_of(branch, server):
    find = postgres.running if server == "postgres" else pooler_module.running
    return find(branch.folder / server)


def kill(branch, server):
    """End a server as the out-of-memory killer does."""
    processes.end(pid_of(branch, server), signal.SIGKILL)


class TestCopy:
    async def test_copy_has_the_data_and_says_who_it_is(self, main, child):
        """Rows, roles and passwords are the parent's; the identity is the copy's own, on both ports."""
        for port in (child.direct, child.pooled):
            assert await child.query("SELECT count(*) FROM kept", port=port) == [(100,)]
            assert await child.query(IDENTITY, port=port) == [("project", "br-child", "ep-child")]
        assert await main.query(IDENTITY) == [("project", "br-main", "ep-main")]

    async def test_parent_that_is_suspended_is_woken(self, main, tmp_path):
        """A copy needs a running parent and starts it."""
        await main.compute.suspend()
        async with child_branch(main, tmp_path / "late") as late:
            assert await late.query("SELECT count(*) FROM kept") == [(100,)]
        assert main.compute.is_running

    async def test_second_copy_replaces_the_data_and_keeps_the_ports(self, main, child):
        """A reset: the branch's own changes are gone, connections are cut, URLs work on."""
        async with await child.connect(child.direct) as connection:
            await connection.execute("CREATE TABLE mine ()")
            assert await main.query("SELECT to_regclass('mine')") == [(None,)]
            await child.compute.copy(main.compute)
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT 1")
        for port in (child.direct, child.pooled):
            assert await child.query("SELECT to_regclass('mine')", port=port) == [(None,)]

    async def test_schema_alone_has_roles_with_their_passwords_and_no_rows(self, main, tmp_path):
        """A schema-only branch: tables, owners, rights and logins as the parent's, nothing in them."""
        await main.query("CREATE ROLE reader LOGIN PASSWORD 'readers-own'")
        await main.query("CREATE TABLE guarded (id int PRIMARY KEY)")
        await main.query("GRANT SELECT ON guarded TO reader")
        async with opened(tmp_path / "empty") as empty:
            await empty.compute.copy_schema(main.compute)
            assert await empty.query("SELECT count(*) FROM kept") == [(0,)]
            assert await empty.query(IDENTITY) == [("project", "br-empty", "ep-empty")]
            reader = {"user": "reader", "password": "readers-own"}
            assert await empty.query("SELECT count(*) FROM guarded", port=empty.pooled, **reader) == [(0,)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await empty.query("SELECT FROM kept", **reader)
            owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
            assert await empty.query(owners) == [(OWNER,)]
            member = "SELECT pg_has_role(current_user, 'neon_superuser', 'MEMBER')"
            assert await empty.query(member) == [(True,)]


class TestStart:
    async def test_twenty_waiting_clients_start_it_once(self, child):
        """Clients of a suspended branch are held, on both ports, and answered by one server."""
        await child.compute.suspend()
        assert not child.compute.is_running
        ports = [child.direct, child.pooled] * 10
        answers = await asyncio.gather(*(child.query(BACKEND, port=port) for port in ports))
        assert len(answers) == 20
        assert len({tuple(answer) for answer in answers}) == 1

    @pytest.mark.parametrize("server", ["postgres", "pooler"])
    async def test_killed_server_is_started_by_the_next_connection(self, child, server):
        """After kill -9 of either server a new client gets an answer; nothing committed is lost."""
        await child.query(f"CREATE TABLE before_{server}_died AS SELECT 1")
        kill(child, server)
        for port in (child.pooled, child.direct):
            assert await child.query(f"SELECT count(*) FROM before_{server}_died", port=port) == [(1,)]

    async def test_pooled_clients_of_a_killed_server_learn_of_it(self, child):
        """They make no new connection that would start it; they are cut, soon, and connect again."""
        async with await child.connect(child.pooled) as connection:
            kill(child, "postgres")
            with pytest.raises(psycopg.OperationalError):
                async with asyncio.timeout(5):
                    while True:
                        await connection.execute("SELECT 1")
        assert await child.query("SELECT 1", port=child.pooled) == [(1,)]

    async def test_servers_of_a_killed_control_plane_are_taken_over(self, own_child, tmp_path):
        """A second compute over the folder, as after a crash, finds the running PostgreSQL."""
        before = await own_child.query(BACKEND)
        own_child.compute._watching.cancel()  # it would start again what the other one ends
        async with opened(tmp_path / "own") as again:
            await again.compute.start()
            assert await again.query(BACKEND) == before
            assert await again.query("SELECT 1", port=again.pooled) == [(1,)]

    async def test_client_waits_while_the_data_is_made(self, main, tmp_path):
        """URLs of a branch work from the moment they are known; the first client is not refused."""
        async with opened(tmp_path / "early") as early:
            waiting = asyncio.create_task(early.query("SELECT count(*) FROM kept", port=early.pooled))
            await early.compute.copy(main.compute)
            assert await waiting == [(100,)]

    async def test_branch_whose_making_failed_refuses_with_the_reason(self, tmp_path):
        """A client of what was never made gets PostgreSQL's own kind of error, and nobody waits."""
        async with (
            opened(tmp_path / "none") as none,
            opened(tmp_path / "no parent") as parent,
        ):
            with pytest.raises(ServerStartError, match="has no data"):
                await none.compute.copy(parent.compute)
            with pytest.raises(psycopg.OperationalError, match="has no data"):
                await none.query("SELECT 1")

    async def test_taken_port_is_refused(self, child, tmp_path):
        """Ports are chosen or refused, never shared; a refusal leaves none open."""
        other = compute(tmp_path / "other")
        with pytest.raises(PortInUseError, match=f"port {child.direct} is in use"):
            await other.listen(None, child.direct)
        with pytest.raises(PortInUseError, match=f"port {child.direct} is in use"):
            await other.listen(child.direct, None)
        await other.remove()

    async def test_without_pgbouncer_the_pooled_port_reaches_postgresql(self, main, tmp_path, monkeypatch):
        """A machine without PgBouncer has both ports all the same."""
        monkeypatch.setattr(branch_servers, "find_pgbouncer", lambda: None)
        async with child_branch(main, tmp_path / "poolerless") as branch:
            assert await branch.query("SHOW neon.branch_id", port=branch.pooled) == [("br-poolerless",)]
            assert branch.compute.is_running


class TestSuspend:
    async def test_connections_are_cut_and_servers_end(self, child):
        """Direct clients are told why, pooled ones are disconnected; no server is left."""
        async with await child.connect(child.direct) as direct, await child.connect(child.pooled) as pooled:
            await child.compute.suspend()
            with pytest.raises(psycopg.errors.AdminShutdown):
                await direct.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError):
                await pooled.execute("SELECT 1")
        assert pid_of(child, "postgres") is None
        assert pid_of(child, "pooler") is None

    async def test_removed_branch_leaves_nothing(self, own_child, tmp_path):
        """Processes, ports and files are gone, wherever the data lay."""
        await own_child.compute.start()
        where = Home.of(tmp_path / "own" / "postgres").path
        pid = pid_of(own_child, "postgres")
        await own_child.compute.remove()
        assert not processes.is_running(pid)
        assert not where.exists()
        assert not (tmp_path / "own").exists()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            await own_child.query("SELECT 1")


class TestCancel:
    async def test_query_is_cancelled_through_both_ports(self, child):
        """A cancel request comes on a connection of its own and finds the right server."""
        for port in (child.direct, child.pooled):
            async with await child.connect(port) as connection:
                running = asyncio.create_task(connection.execute("SELECT pg_sleep(30)"))
                await asyncio.sleep(0.1)
                await connection.cancel_safe(timeout=5)
                with pytest.raises(psycopg.errors.QueryCanceled):
                    await running


class TestIdleSeconds:
    async def test_transaction_is_activity_and_idle_clients_are_none(self, child):
        """Whoever is in a transaction keeps the branch awake, whoever only stays connected does not."""
        async with await child.connect(child.pooled) as pooled, await child.connect(child.direct) as direct:
            await pooled.execute("SELECT 1")
            await direct.execute("SELECT 1")
            await asyncio.sleep(0.1)
            assert 0.1 <= await child.compute.idle_seconds() < 5
            async with pooled.transaction():
                await pooled.execute("SELECT 1")
                assert await child.compute.idle_seconds() is None
            assert await child.compute.idle_seconds() < 0.1
        await child.compute.suspend()
        assert await child.compute.idle_seconds() is None


class TestPooledLogin:
    async def test_role_made_by_sql_logs_in(self, child):
        """The pooler asks the server: a role that the owner has just made needs no more."""
        await child.query("CREATE ROLE newcomer LOGIN PASSWORD 'first'")
        newcomer = {"user": "newcomer", "password": "first"}
        assert await child.query("SELECT current_user", port=child.pooled, **newcomer) == [("newcomer",)]

    async def test_superuser_and_wrong_passwords_are_refused(self, child):
        """No superuser comes in through the pooler, and nobody without the right password."""
        await child.compute.start()
        password = (Home.of(child.folder / "postgres").path / "superuser").read_text()
        for user, secret in (("postgres", password), (OWNER, "wrong"), ("nobody", PASSWORD)):
            with pytest.raises(psycopg.OperationalError):
                await child.query("SELECT 1", port=child.pooled, user=user, password=secret)

    async def test_search_path_of_a_database_does_not_trick_the_pooler(self, child):
        """The pooler's question is asked as superuser in the owner's database: it means what it says."""
        for statement in (
            "CREATE SCHEMA trap",
            "CREATE FUNCTION trap.equal(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
            "CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = name, FUNCTION = trap.equal)",
            "ALTER DATABASE app SET search_path = trap, pg_catalog",
        ):
            await child.query(statement)
        await child.compute.restart_pooler()
        assert await child.query("SELECT current_user", port=child.pooled) == [(OWNER,)]
        with pytest.raises(psycopg.OperationalError):
            await child.query("SELECT 1", port=child.pooled, user="nobody")
        await child.query("ALTER DATABASE app RESET search_path")

    async def test_changed_password_works_after_the_pooler_forgot(self, child):
        """Once a password was changed, restarting the pooler lets its role in with the new one."""
        await child.query("CREATE ROLE forgetful LOGIN PASSWORD 'first'")
        role = {"port": child.pooled, "user": "forgetful"}
        assert await child.query("SELECT 1", **role, password="first") == [(1,)]
        await child.query("ALTER ROLE forgetful PASSWORD 'second'")
        await child.compute.restart_pooler()
        assert await child.query("SELECT 1", **role, password="second") == [(1,)]
