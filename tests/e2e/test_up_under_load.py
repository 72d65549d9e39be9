"""`bough up` with the real application, many clients at once, and environments that die among them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import httpx2
import psutil
import psycopg
import pytest

from tests.support.bough_up import BoughUp, copy_kit, remove


@pytest.fixture
def kit(tmp_path):
    """A copy of this repository's app and migrations, served by at most four environments."""
    root = tmp_path / "kit"
    root.mkdir()
    copy_kit(root)
    with BoughUp(root, "--environments", "4") as running:
        yield running
    remove(root)


#: At once, each with a request of its own.
CLIENTS = 200


async def register(up, stored):
    """Let every client register a user, which hashes a password; kill an environment at work meanwhile."""

    async def post(client, number):
        who = {
            "email": f"user{number}@example.com",
            "username": f"user{number}",
            "password": "correct horse battery staple",
        }
        return (await client.post("/users", json=who)).status_code

    limits = httpx2.Limits(max_connections=CLIENTS)
    async with httpx2.AsyncClient(base_url=up.url, timeout=120, limits=limits) as client:
        requests = [asyncio.create_task(post(client, number)) for number in range(CLIENTS)]
        while len(stored()) < CLIENTS / 10:  # noqa: ASYNC110  the event is in the database
            await asyncio.sleep(0.01)
        at_work = [one for one in up.environments() if one.status() != psutil.STATUS_STOPPED]
        at_work[0].send_signal(signal.SIGKILL)
        return await asyncio.gather(*requests)


class TestLoad:
    @pytest.mark.prove
    def test_every_client_is_answered_and_nothing_is_done_twice(self, kit):
        """A frozen environment and one at work are killed; each user is there once, or was answered 502."""
        assert httpx2.get(f"{kit.url}/healthz").status_code == 200
        (frozen,) = kit.environments()
        while frozen.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        frozen.send_signal(signal.SIGKILL)
        frozen.wait(timeout=10)

        with psycopg.connect(kit.status()["database_url_unpooled"], autocommit=True) as connection:

            def stored():
                return [name for (name,) in connection.execute("SELECT username FROM users")]

            statuses = asyncio.run(register(kit, stored))
            names = Counter(stored())

        assert len(statuses) == CLIENTS
        assert set(statuses) <= {201, 502}
        assert statuses.count(502) <= 1
        assert set(names.values()) == {1}
        written = {f"user{number}" for number, status in enumerate(statuses) if status == 201}
        lost = {f"user{number}" for number, status in enumerate(statuses) if status == 502}
        assert written <= set(names) <= written | lost
        assert 1 < len(kit.environments()) <= 4
