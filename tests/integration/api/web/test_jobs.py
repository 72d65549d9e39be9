"""Jobs of schedules and queues through the handler, on a migrated database."""

from __future__ import annotations

import asyncio
import json
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, get_type_hints
from uuid import uuid4

import psycopg
import pytest
from pydantic import BaseModel
from sqlalchemy import text

from api import events
from api.database.request_comment import request_id
from api.database.session import WriteSession
from api.settings import get_settings
from api.web import jobs
from tests.support.handler_copy import handler_around
from tests.support.lambda_events import REQUEST_ID, Context, function_url
from tests.support.people import People
from tests.support.queue_events import QUEUE, batch, failures, message_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from infra.testing.databases import Database

EXPIRED = """
INSERT INTO refresh_token_families (id, user_id, digest, expires_at)
SELECT gen_random_uuid(), id, 'x', now() + offset_ FROM users,
  unnest(ARRAY[interval '-1 day', interval '-2 days', interval '1 day']) AS offset_;
INSERT INTO idempotency_keys (user_id, key, operation, fingerprint, status, created_at)
SELECT id, 'key', 'f', 'x', 201, now() - interval '25 hours' FROM users;
INSERT INTO login_attempts (key, count, window_started_at) VALUES ('old', 1, now() - interval '1 hour')
"""

LEFT = """
SELECT (SELECT count(*) FROM refresh_token_families), (SELECT count(*) FROM idempotency_keys),
  (SELECT count(*) FROM login_attempts)
"""


class Note(BaseModel):
    """What the job of these tests takes."""

    name: str
    fail: bool = False
    hang: bool = False
    cancel: bool = False


async def note(session: WriteSession, message: Note) -> None:
    """Write a tag, and then fail where told to."""
    statement = text("INSERT INTO tags (id, name) VALUES (gen_random_uuid(), :name)")
    await session.execute(statement, {"name": message.name})
    if message.fail:
        raise RuntimeError("hunter2")
    if message.hang:
        await asyncio.sleep(60)
    if message.cancel:
        raise asyncio.CancelledError


def about(name: str, **how: bool) -> dict[str, Any]:
    return {"job": "note", "name": name, **how}


@pytest.fixture
def handler(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The handler of the application, which knows one job more."""
    monkeypatch.setenv("DATABASE_URL", database.pooled.libpq())
    monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
    monkeypatch.setitem(events.JOBS, "note", f"{__name__}:note")  # type: ignore[arg-type]
    get_settings.cache_clear()
    with handler_around("api.app:app") as module:
        yield module
    get_settings.cache_clear()


def names(database: Database) -> list[str]:
    return [name for (name,) in People(database).query("SELECT name FROM tags ORDER BY name")]


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "job" in line["logger"]]


class TestQueue:
    """Messages of one batch."""

    def test_each_message_has_its_own_transaction(
        self, handler: ModuleType, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One that fails is rolled back and delivered again; those around it are done; each has its line."""
        result = handler.handler(batch(about("a"), about("b", fail=True), about("c")), Context())
        assert failures(result) == [1]
        assert names(database) == ["a", "c"]
        done, failed, _ = logged = lines(capsys)
        assert [line["request_id"] for line in logged] == [message_id(number) for number in range(3)]
        assert [(line["level"], line["JobErrors"]) for line in (done, failed)] == [("INFO", 0), ("ERROR", 1)]
        assert (done["job"], done["invocation_id"], done["Jobs"]) == ("note", REQUEST_ID, 1)
        assert done["database_round_trips"] == 4
        assert "RuntimeError: hunter2" in failed["exception"]
        assert request_id.get() is None

    def test_requests_and_messages_share_the_connection(
        self, handler: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One engine on one loop: what the message opened, the request uses."""
        handler.handler(batch(about("a")), Context())
        assert handler.handler(function_url("GET", "/tags"), Context())["statusCode"] == 200
        logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["database_connections"] for line in logged] == [1, 0]

    def test_message_that_cannot_be_read_fails_alone(
        self, handler: ModuleType, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The queue keeps it for its dead-letter queue; the log says why and quotes nothing."""
        unread = ["no JSON", "[]", {"name": "a"}, {"job": 7}, {"job": "unknown"}]
        unfit = [{"job": "note"}, {"job": "note", "name": "a", "fail": "hunter2"}]
        result = handler.handler(batch(*unread, *unfit, about("b")), Context())
        assert failures(result) == list(range(len(unread) + len(unfit)))
        assert names(database) == ["b"]
        out = capsys.readouterr().out
        assert (out.count("InvalidMessageError: "), out.count("UnknownJobError: ")) == (6, 1)
        assert "not what note takes: fail: bool_parsing" in out
        assert "hunter2" not in out

    def test_order_is_kept_after_a_failure(self, handler: ModuleType, database: Database) -> None:
        """In a FIFO queue nothing overtakes the message that failed."""
        event = batch(about("a"), about("b", fail=True), about("c"), queue=f"{QUEUE}.fifo")
        assert failures(handler.handler(event, Context())) == [1, 2]
        assert names(database) == ["a"]

    def test_without_time_nothing_is_begun(self, handler: ModuleType, database: Database) -> None:
        """What cannot be done within the invocation goes back to the queue as it is."""
        result = handler.handler(batch(about("a"), about("b")), Context(remaining_milliseconds=1_900))
        assert failures(result) == [0, 1]
        assert names(database) == []

    def test_message_that_hangs_or_ends_oddly_fails_alone(
        self,
        handler: ModuleType,
        database: Database,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What waits for others is ended before Lambda ends all; the next event finds the engine whole."""
        monkeypatch.setattr(jobs, "LEAST_TIME", 0.0)
        event = batch(about("a"), about("b", cancel=True), about("c", hang=True), about("d"))
        assert failures(handler.handler(event, Context(remaining_milliseconds=1_700))) == [1, 2, 3]
        assert [(line["JobErrors"], line["level"]) for line in lines(capsys)] == [
            *((0, "INFO"), (1, "ERROR"), (1, "ERROR"))
        ]
        assert failures(handler.handler(batch(about("e")), Context())) == []
        assert names(database) == ["a", "e"]


class TestSchedule:
    """A job alone."""

    def test_purge_deletes_what_has_expired(self, handler: ModuleType, database: Database) -> None:
        """Logins, attempts and keys that are past, as many at once as the event says; twice is as once."""
        People(database).add("ada")
        with psycopg.connect(database.direct.libpq(), autocommit=True) as owner:
            owner.execute(EXPIRED)
            for event, left in (({"rows": 1}, (2, 0, 0)), ({}, (1, 0, 0)), ({}, (1, 0, 0))):
                assert handler.handler({"job": "purge", **event}, Context()) == {"job": "purge"}
                assert owner.execute(LEFT).fetchone() == left

    def test_failure_is_the_invocations(
        self, handler: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Lambda tries again; what it writes down quotes nothing, our own line has the reason."""
        with pytest.raises(Exception, match="note: RuntimeError") as caught:
            handler.handler(about("a", fail=True), Context())
        assert type(caught.value).__name__ == "JobFailedError"
        assert caught.value.__context__ is None
        assert [line["request_id"] for line in lines(capsys)] == [REQUEST_ID]


class TestPublishPost:
    """The sample consumer."""

    def test_draft_is_published_once(self, handler: ModuleType, database: Database) -> None:
        """Delivered twice it is published once; a post that is gone is no failure."""
        people = People(database)
        author = people.add("ada")
        post = uuid4()
        with psycopg.connect(database.direct.libpq(), autocommit=True) as owner:
            owner.execute(
                "INSERT INTO posts (id, author_id, title, slug, body) VALUES (%s, %s, 't', 't', '')",
                [post, author.id],
            )
        body = {"job": "publish_post", "post_id": str(post)}
        found = []
        for event in (batch(body, {"job": "publish_post", "post_id": str(uuid4())}), batch(body)):
            assert failures(handler.handler(event, Context())) == []
            found.append(people.query("SELECT status, published_at FROM posts"))
        assert found[0] == found[1]
        assert found[0][0][0] == "published"


class TestRegistry:
    """The list in `api/events.py`."""

    @pytest.mark.parametrize("name", events.JOBS)
    def test_job_is_there_and_takes_a_message(self, name: str) -> None:
        """What is only imported when asked for must not be misspelt."""
        hints = get_type_hints(resolve_name(events.JOBS[name]))
        assert issubclass(hints["message"], BaseModel)
        assert hints["session"] is WriteSession


class TestOtherEvents:
    """What neither a schedule nor a queue sends."""

    def test_event_is_refused(self, handler: ModuleType) -> None:
        """As ever: an error that Lambda counts."""
        foreign = {"Records": [{"eventSource": "aws:s3"}]}
        for event in ({"Records": []}, foreign, {"job": None}, {"task": "migrate"}):
            with pytest.raises(Exception, match="it was sent an event of"):
                handler.handler(event, Context())
