"""Data that replaces other data under a branch: what becomes of the old, and of clients meanwhile."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import psycopg
import pytest
import pytest_asyncio

from infra.local.home import Home
from tests.support.branch_computes import child_branch, opened, root_branch

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDENTITY = (
    "SELECT current_setting('neon.project_id'), current_setting('neon.branch_id'),"
    " current_setting('neon.endpoint_id')"
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def main(tmp_path_factory):
    """A project's first branch with a little data."""
    async with root_branch(tmp_path_factory.mktemp("branches") / "main") as branch:
        await branch.query("CREATE TABLE kept AS SELECT generate_series(1, 100) AS number")
        yield branch


@pytest_asyncio.fixture(loop_scope="module")
async def own_child(main, tmp_path):
    """An online copy of the test's own."""
    async with child_branch(main, tmp_path / "own") as branch:
        yield branch


class TestReplacement:
    async def test_data_handed_over_is_all_there_at_the_heir(self, own_child, tmp_path):
        """Handing over moves what was committed, without a copy; doing it again changes nothing."""
        await own_child.query("CREATE TABLE mine AS SELECT 42 AS answer")
        async with opened(tmp_path / "heir") as heir:
            await own_child.compute.hand_over(heir.compute)
            assert await heir.query("SELECT answer FROM mine", port=heir.pooled) == [(42,)]
            assert await heir.query(IDENTITY) == [("project", "br-heir", "ep-heir")]
            await own_child.compute.hand_over(heir.compute)
            assert heir.compute.is_running
            with pytest.raises(psycopg.OperationalError, match="the branch has no data"):
                await own_child.query("SELECT 1")

    async def test_data_that_an_heir_gets_is_replaced_without_a_refusal(self, main, own_child, tmp_path):
        """Clients that come meanwhile are held, and see the old data or the new, never none."""
        await own_child.query("CREATE TABLE mine AS SELECT 42 AS answer")
        async with opened(tmp_path / "heir") as heir:
            replacing = asyncio.create_task(own_child.compute.copy_and_preserve(main.compute, heir.compute))
            while not replacing.done():
                try:
                    await own_child.query("SELECT to_regclass('mine')")
                except psycopg.OperationalError as cut:
                    # In the middle of a query or of its login; a refusal would say otherwise.
                    if not re.search("terminating connection|closed the connection", str(cut)):
                        raise
            await replacing
            assert await own_child.query("SELECT to_regclass('mine')") == [(None,)]
            assert await heir.query("SELECT answer FROM mine") == [(42,)]
            # Once more, as after a kill: the heir keeps what it has.
            await own_child.compute.copy_and_preserve(main.compute, heir.compute)
            assert await heir.query("SELECT answer FROM mine") == [(42,)]

    async def test_replacement_that_was_killed_half_way_is_taken_back(self, own_child, tmp_path):
        """Killed after the old data went and before the new came: the branch has the old again."""
        await own_child.query("CREATE TABLE mine AS SELECT 42 AS answer")
        await own_child.compute.close()
        beside = Home.of(own_child.folder / "new").path
        (Home.of(own_child.folder / "postgres").path / "data").rename(beside / "old")
        async with opened(tmp_path / "own") as again:
            assert await again.query("SELECT answer FROM mine") == [(42,)]

    @pytest.mark.prove
    async def test_twelve_copies_at_once_are_all_made(self, main, tmp_path):
        """PostgreSQL has ten replication slots, and threads that others need are few: they queue."""
        async with AsyncExitStack() as stack:
            branches = [await stack.enter_async_context(opened(tmp_path / f"b{i}")) for i in range(12)]
            pool = ThreadPoolExecutor(16)  # as on a machine with many cores
            asyncio.get_running_loop().set_default_executor(pool)
            await asyncio.gather(*(branch.compute.copy(main.compute) for branch in branches))
            assert await branches[-1].query("SELECT count(*) FROM kept") == [(100,)]
