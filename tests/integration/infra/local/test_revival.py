"""A control plane that ends while a world runs."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing

import psycopg
import pytest

from infra.local import control_plane, world
from infra.local.errors import ServerStartError
from infra.local.revival import revived


@pytest.fixture
def root(tmp_path):
    yield tmp_path
    control_plane.stop(tmp_path)
    control_plane.delete(tmp_path)


async def next_revival(root, running, said):
    async with aclosing(revived(root, running, said.append)) as revivals, asyncio.timeout(30):
        return await anext(revivals)


class TestRevived:
    @pytest.mark.asyncio
    async def test_killed_control_plane_runs_again_where_it_was(self, root):
        """It is named and started again; URLs that were given out before work on, on the same data."""
        with world.databases(root, fresh=False, announce=lambda _: None) as databases:
            running, url = databases.control_plane, databases.database_url_unpooled.libpq()
            with psycopg.connect(url) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            os.kill(running.pid, signal.SIGKILL)
            said = []
            again = await next_revival(root, running, said)
            assert said[0] == f"the control plane (pid {running.pid}) ended by itself; starting it again"
            assert again.pid != running.pid
            assert again.base_url == running.base_url
            for each in (url, databases.database_url.libpq()):
                with psycopg.connect(each) as connection:
                    assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)

            os.kill(again.pid, signal.SIGKILL)
            (root / ".bough" / "neon" / "state.json").write_text("{")
            with pytest.raises(ServerStartError, match="the control plane did not start"):
                await next_revival(root, again, said)
