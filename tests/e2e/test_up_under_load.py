"""`bough up` with the real application, 200 clients at once, and environments that die among them."""

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

CLIENTS = 200


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A copy of this repository's app and migrations, served by at most four environments."""
    root = tmp_path_factory.mktemp("kit")
    copy_kit(root)
    with BoughUp(root, "--environments", "4") as running:
        yield running
    remove(root)


def authorization(up):
    """Register somebody and log them in."""
    who = {"email": "ada@example.com", "username": "ada", "password": "correct horse battery staple"}
    httpx2.post(f"{up.url}/users", json=who, timeout=30).raise_for_status()
    credentials = {name: who[name] for name in ("email", "password")}
    tokens = httpx2.post(f"{up.url}/auth/login", json=credentials, timeout=30).raise_for_status().json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def write_posts(up, headers):
    """Let every client write one post; kill an environment at work meanwhile."""

    async def write(client, number):
        new = {"title": f"Post {number}", "body": "Words."}
        return (await client.post("/posts", json=new, headers=headers)).status_code

    limits = httpx2.Limits(max_connections=CLIENTS)
    async with httpx2.AsyncClient(base_url=up.url, timeout=120, limits=limits) as client:
        requests = [asyncio.create_task(write(client, number)) for number in range(CLIENTS)]
        await asyncio.to_thread(kill_one_at_work, up)
        return await asyncio.gather(*requests)


def kill_one_at_work(up):
    """Kill an environment that has done some work and is not frozen."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in up.environments():
            if process.status() != psutil.STATUS_STOPPED and process.cpu_times().user > 1:
                process.send_signal(signal.SIGKILL)
                return
        time.sleep(0.005)
    pytest.fail("no environment was at work")


class TestLoad:
    def test_every_client_is_answered_and_nothing_is_done_twice(self, kit):
        """A frozen environment and one at work are killed; each post is there once, or was answered 502."""
        headers = authorization(kit)
        (frozen,) = kit.environments()
        while frozen.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        frozen.send_signal(signal.SIGKILL)
        frozen.wait(timeout=10)

        statuses = asyncio.run(write_posts(kit, headers))

        assert len(statuses) == CLIENTS
        assert set(statuses) <= {201, 502}
        assert statuses.count(502) <= 1
        with psycopg.connect(kit.status()["database_url_unpooled"]) as connection:
            stored = Counter(title for (title,) in connection.execute("SELECT title FROM posts"))
        assert set(stored.values()) == {1}
        written = {f"Post {number}" for number, status in enumerate(statuses) if status == 201}
        lost = {f"Post {number}" for number, status in enumerate(statuses) if status == 502}
        assert written <= set(stored) <= written | lost
        assert 1 < len(kit.environments()) <= 4
