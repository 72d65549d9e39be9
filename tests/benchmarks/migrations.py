"""A safe migration of a large table, applied while the app serves 70 % of what it can."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx2
import psycopg

from infra.aws.sources import revisions
from tests.benchmarks.http_load import Seen, saturation, steady
from tests.benchmarks.table import Goal, Result
from tests.support.bough_up import BOUGH, BoughUp, copy_kit, remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.http_load import Make

ROWS: Final = 1_000_000
_SHARE: Final = 0.7
_CLIENTS: Final = 8

_READER: Final = {
    "email": "reader@example.com",
    "username": "reader",
    "password": "correct horse battery staple",
}
_FILL: Final = """
    INSERT INTO posts (id, author_id, title, slug, body, status, published_at)
    SELECT gen_random_uuid(), users.id, 'Post ' || n, 'post-' || n, 'Something to read, the ' || n || 'th.',
        'published', now() - n * interval '1 minute'
    FROM users, generate_series(1, %s) AS n WHERE username = 'reader'
"""
_REVISION: Final = '''\
"""Give each post a token."""

import sqlalchemy as sa
from alembic import op

revision = "20990101_token"
down_revision = "{down}"
phase = "expand"


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    op.drop_column("posts", "token")
'''
#: A token for each post that can be looked up: so that nobody notices …
SAFE: Final = (
    'op.add_column("posts", sa.Column("token", sa.Uuid, nullable=True))\n'
    "    with op.get_context().autocommit_block():\n"
    '        op.create_index("ix_posts_token", "posts", ["token"], postgresql_concurrently=True)'
)
#: … and so that all readers wait until every row has been written anew.
UNSAFE: Final = (
    'op.execute("ALTER TABLE posts ADD COLUMN token uuid DEFAULT gen_random_uuid()")\n'
    '    op.create_index("ix_posts_token", "posts", ["token"])'
)
_MODEL: Final = (
    "    published_at: Mapped[datetime | None]\n",
    "    token: Mapped[UUID | None] = mapped_column(index=True)\n",
)


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """An `apply` under load.

    Args:
        saturation: Requests per second that the app could answer.
        before: What clients saw at 70 % of that.
        meanwhile: And while `apply` ran, from a second before it to a second after it.
        seconds: That `apply` ran.
        code: The exit code of `apply`.
        said: Its messages.
    """

    saturation: float
    before: Seen
    meanwhile: Seen
    seconds: float
    code: int | None
    said: str


@dataclass(frozen=True, slots=True)
class Site:
    """The app with many posts, and a token of who wrote them."""

    up: BoughUp
    token: str

    @property
    def database(self) -> str:
        """The owner's connection string."""
        url: str = self.up.status()["database_url_unpooled"]
        return url

    @contextmanager
    def revision(self, upgrade: str) -> Iterator[None]:
        """Have one more revision for the length of the block."""
        folder = self.up.root / "migrations"
        path = folder / "versions" / "2099-01-01_token.py"
        path.write_text(_REVISION.format(down=revisions(folder).head, upgrade=upgrade))
        try:
            yield
        finally:
            path.unlink()

    @property
    def environment(self) -> dict[str, str]:
        """What the commands run in: this site's models, not those of the checkout that they belong to."""
        return {**os.environ, "PYTHONPATH": str(self.up.root)}

    def bough(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [BOUGH, *arguments],
            cwd=self.up.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def columns(self) -> set[str]:
        """Return the names of the posts' columns."""
        with psycopg.connect(self.database) as connection:
            found = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attnum > 0"
            ).fetchall()
        return {name for (name,) in found}

    async def apply(self, *options: str) -> UnderLoad:
        """Measure the saturation, then apply what is pending under 70 % of it."""
        limits = httpx2.Limits(max_connections=200)
        async with httpx2.AsyncClient(base_url=self.up.url, timeout=60, limits=limits) as client:
            page = (await client.get("/posts", params={"limit": 50})).json()
            make = _requests(client, self.token, [post["id"] for post in page["items"]])
            await saturation(make, clients=_CLIENTS, seconds=8)  # the environments' cold starts
            most = await saturation(make, clients=_CLIENTS, seconds=6)
            before, ended = asyncio.Event(), asyncio.Event()
            asyncio.get_running_loop().call_later(5, before.set)
            usual = await steady(make, rate=_SHARE * most, until=before)
            load = asyncio.create_task(steady(make, rate=_SHARE * most, until=ended))
            await asyncio.sleep(1)
            begun = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                BOUGH,
                "migrate",
                "apply",
                *options,
                cwd=self.up.root,
                env=self.environment,
                stderr=asyncio.subprocess.PIPE,
            )
            said = (await process.communicate())[1].decode()
            seconds = time.monotonic() - begun
            await asyncio.sleep(1)
            ended.set()
            return UnderLoad(most, usual, await load, seconds, process.returncode, said)


def _requests(client: httpx2.AsyncClient, token: str, posts: list[str]) -> Make:
    """Of ten requests five are pages, three posts, and two write a draft."""
    headers = {"Authorization": f"Bearer {token}"}

    async def make(number: int) -> httpx2.Response:
        if number % 5 == 3:
            draft = {"title": f"Draft {number}", "body": "Not yet.", "tags": []}
            return await client.post("/posts", json=draft, headers=headers)
        if number % 2:
            return await client.get("/posts", params={"limit": 20})
        return await client.get(f"/posts/{posts[number % len(posts)]}")

    return make


@contextmanager
def site(root: Path, rows: int = ROWS) -> Iterator[Site]:
    """Serve this repository's app by four environments, with many posts; its next code knows a token."""
    root.mkdir()
    copy_kit(root)
    try:
        with BoughUp(root, "--environments", "4") as up:
            assert httpx2.post(f"{up.url}/users", json=_READER, timeout=60).status_code == 201
            with psycopg.connect(up.status()["database_url_unpooled"], autocommit=True) as connection:
                connection.execute(_FILL, (rows,))
                connection.execute("VACUUM ANALYZE posts")
            answer = httpx2.post(
                f"{up.url}/auth/login", json={key: _READER[key] for key in ("email", "password")}, timeout=60
            )
            models = root / "api" / "posts" / "models.py"
            models.write_text(models.read_text().replace(_MODEL[0], "".join(_MODEL)))
            yield Site(up, answer.json()["access_token"])
    finally:
        remove(root)


def run(folder: Path, *, quick: bool) -> Result:
    """Rehearse and apply once."""
    with site(folder, 20_000 if quick else ROWS) as here, here.revision(SAFE):
        rehearsed = here.bough("migrate", "rehearse")
        assert rehearsed.returncode == 0, rehearsed.stdout
        under_load = asyncio.run(here.apply("--require-rehearsal"))
    rows = [
        (when, str(seen.requests), str(seen.failures.total()), *_milliseconds(seen))
        for when, seen in (("before", under_load.before), ("meanwhile", under_load.meanwhile))
    ]
    revision = re.search(r"\(expand, (.+ s)\)", under_load.said)
    assert revision is not None, under_load.said
    return Result(
        "A safe migration under load",
        f"`bough up` with four environments is asked for {_SHARE:.0%} of the {under_load.saturation:.0f} "
        "requests per second that it can answer here, whether earlier ones were answered or not: pages, "
        "posts and, one in five, new drafts. Meanwhile `bough migrate apply` adds a column and, "
        f"CONCURRENTLY, its index to the table of {ROWS:,} posts: {under_load.seconds:.1f} s, of which the "
        f"revision took {revision[1]}. Waits, in ms, count from when a request was due.",
        ("", "requests", "failed", "p50", "p99", "longest"),
        rows,
        [Goal("failed requests", under_load.meanwhile.failures.total(), 0)],
    )


def _milliseconds(seen: Seen) -> tuple[str, ...]:
    return tuple(f"{1000 * wait:.0f}" for wait in (seen.quantile(0.5), seen.quantile(0.99), max(seen.waits)))
