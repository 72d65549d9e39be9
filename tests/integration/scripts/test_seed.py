"""The `bough seed` command on a real database: what it writes, refuses, and leaves when interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scripts import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.testing.databases import Database

    Bough = Callable[..., tuple[int, str, str]]

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def bough(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bough:
    """Run the command on a URL; return exit code, stdout, stderr."""
    monkeypatch.chdir(REPOSITORY)

    def run(url: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bough", "seed", *arguments])
        monkeypatch.setenv("DATABASE_URL_UNPOOLED", url)
        capfd.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), *capfd.readouterr()
        return 0, *capfd.readouterr()

    return run


def query(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.direct.libpq()) as connection:
        return connection.execute(statement).fetchall()


def until_waiting(database: Database) -> None:
    """Wait until somebody waits for a lock on the database."""
    waiting = (
        "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database WHERE NOT granted AND datname = %s"
    )
    deadline = time.monotonic() + 30
    with psycopg.connect(database.direct.libpq(), autocommit=True) as connection:
        while not connection.execute(waiting, [database.name]).fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def seeded(database: Database) -> list[tuple[Any, ...]]:
    """Return what the seed decides of posts and their tags."""
    return query(
        database,
        "SELECT p.id::text, title, slug, body, p.published_at, username, array_agg(name ORDER BY name) "
        "FROM posts p JOIN users u ON u.id = author_id LEFT JOIN post_tags ON post_id = p.id "
        "LEFT JOIN tags t ON t.id = tag_id GROUP BY p.id, username ORDER BY p.id",
    )


class TestWorkspace:
    """`bough seed`."""

    def test_writes_people_who_can_log_in_and_their_posts(self, bough: Bough, database: Database) -> None:
        """The password is made up by the run and shown once, on stdout."""
        from api.auth.passwords import verify_password

        code, out, err = bough(database.direct.libpq(), "-o", "json")
        assert code == 0, err
        record = json.loads(out)
        # One hash for all: verifying takes long on purpose.
        [(emails, hashed)] = query(
            database, "SELECT array_agg(email ORDER BY email), hashed_password FROM users GROUP BY 2"
        )
        assert emails == sorted(record["log_in_as"].split(", "))
        assert verify_password(record["password"], hashed)[0]
        assert query(database, "SELECT count(*) FROM posts") == [(record["posts"],)]
        assert (
            query(database, "SELECT count(*) FROM post_tags WHERE tag_id IN (SELECT id FROM tags)")[0][0] > 5
        )
        assert query(database, "SELECT DISTINCT status FROM posts ORDER BY 1") == [("draft",), ("published",)]
        assert query(database, "SELECT count(*) FROM posts WHERE published_at < created_at") == [(0,)]
        assert record["password"] not in err

    def test_second_workspace_is_refused(self, bough: Bough, database: Database) -> None:
        """Even with `--append`: its people are there already; nothing is changed."""
        bough(database.direct.libpq())
        before = seeded(database)
        code, _, err = bough(database.direct.libpq())
        assert (code, err.splitlines()[0][:19]) == (2, "error[POSTS_EXIST]:")
        code, _, err = bough(database.direct.libpq(), "--append")
        assert code == 1
        assert "error[SEED_CONFLICT]" in err
        assert "hint: the workspace is written once" in err
        assert seeded(database) == before


class TestTarget:
    """Which database `bough seed` fills."""

    def test_is_announced(self, bough: Bough, database: Database) -> None:
        """Before anything is written."""
        assert bough(database.direct.libpq())[2].splitlines()[1] == f"→ {database.name} of project tests"

    @pytest.mark.parametrize("arguments", [(), ("--posts", "10")])
    def test_must_say_which_branch_it_is(
        self, bough: Bough, database: Database, arguments: tuple[str, ...]
    ) -> None:
        """Made-up people in an unknown database could be anybody's production."""
        with psycopg.connect(database.direct.libpq()) as connection:
            connection.execute("DROP TABLE bough_branch")
        code, _, err = bough(database.direct.libpq(), *arguments)
        assert (code, "error[TARGET_UNMARKED]" in err) == (1, True)
        assert query(database, "SELECT count(*) FROM users") == [(0,)]


class TestPosts:
    """`bough seed --posts`."""

    def test_writes_that_many_with_skewed_tags(self, bough: Bough, database: Database) -> None:
        """A tenth are drafts; one tag is on a fifth of them, others on ten; statistics are there."""
        code, out, err = bough(database.direct.libpq(), "--posts", "3000", "-o", "json")
        assert code == 0, err
        record = json.loads(out)
        assert record["posts"] == 3000
        assert query(database, "SELECT count(*) FROM post_tags") == [(record["post_tags"],)]
        counts = query(
            database,
            "SELECT name, count(*) FROM post_tags JOIN tags t ON t.id = tag_id GROUP BY name ORDER BY 2 DESC",
        )
        assert 500 < counts[0][1] < 800
        assert {count for name, count in counts if name.startswith("rare-")} == {10}
        [(drafts, authors, length)] = query(
            database,
            "SELECT count(*) FILTER (WHERE status = 'draft'), count(DISTINCT author_id), avg(length(body)) "
            "FROM posts",
        )
        assert 220 < drafts < 380
        assert authors > 300
        assert 450 < length < 560
        assert query(database, "SELECT reltuples FROM pg_class WHERE relname = 'posts'") == [(3000,)]
        assert "3000 of 3000 posts" in err

    def test_same_seed_writes_the_same_posts(self, bough: Bough, world: Any, template: Database) -> None:
        """Keys, times and tags included; another seed writes others."""
        found = []
        for random_seed in ("1", "1", "2"):
            with world.new_database(template.name) as database:
                bough(database.direct.libpq(), "--posts", "300", "--random-seed", random_seed)
                found.append(seeded(database))
        assert found[0] == found[1]
        assert not {row[0] for row in found[0]} & {row[0] for row in found[2]}

    def test_more_are_added_only_when_asked_for(self, bough: Bough, database: Database) -> None:
        """Other posts than the first ones, by the same authors."""
        url = database.direct.libpq()
        bough(url, "--posts", "50")
        code, out, err = bough(url, "--posts", "50")
        assert (code, out) == (2, "")
        assert "hint: add more with --append" in err
        assert query(database, "SELECT count(*) FROM posts") == [(50,)]
        assert bough(url, "--posts", "50", "--append")[0] == 0
        assert query(database, "SELECT count(*), count(DISTINCT slug) FROM posts") == [(100, 100)]
        assert query(database, "SELECT count(*) FROM users") == [(400,)]

    def test_interrupted_run_leaves_no_post(self, database: Database, bough: Bough) -> None:
        """Ctrl-C ends it with 130, also while it waits for a lock; the next run needs no `--append`."""
        url = database.direct.libpq()
        with psycopg.connect(url) as holder:
            holder.execute("LOCK post_tags")
            process = subprocess.Popen(
                [sys.executable, "-c", "from scripts.cli import main; main()", "seed", "--posts", "50"],
                cwd=REPOSITORY,
                env={**os.environ, "DATABASE_URL_UNPOOLED": url},
                stderr=subprocess.PIPE,
                text=True,
            )
            until_waiting(database)
            code, _, err = bough(url, "--posts", "50")
            assert (code, err.splitlines()[2][:20]) == (1, "error[SEED_RUNNING]:")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
            assert (process.returncode, "Traceback" in err) == (130, False)
        assert query(database, "SELECT count(*) FROM posts") == [(0,)]
        assert bough(url, "--posts", "50")[0] == 0


class TestRefusals:
    """Before anything is changed."""

    def test_pooled_url_is_refused(self, bough: Bough, database: Database) -> None:
        """By its form, as everywhere."""
        url = "postgresql://u:secret@ep-a-1-pooler.eu-central-1.aws.neon.tech/app"
        code, out, err = bough(url)
        assert (code, out) == (2, "")
        assert err.startswith("error[DIRECT_URL_INVALID]")
        assert "secret" not in err

    def test_unmigrated_database_is_refused(self, bough: Bough, empty_database: Database) -> None:
        """With the command that mends it."""
        code, _, err = bough(empty_database.direct.libpq(), "--posts", "10")
        assert code == 2
        assert err.startswith("error[DATABASE_NOT_MIGRATED]")
        assert "hint: run: bough migrate apply" in err
