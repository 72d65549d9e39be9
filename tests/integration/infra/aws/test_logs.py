"""What was logged, in one line from all streams, once each."""

from __future__ import annotations

import contextlib
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber

from infra.aws.logs import LogEvent, NoLogsError, Wanted, follow, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.aws.account import Account

_numbers = itertools.count()
THREE = '{"level": "INFO", "message": "three"}'


class Group:
    """A log group of the test's own."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.name = f"/aws/lambda/shop-l{next(_numbers)}-api"
        self.start = datetime.now(UTC) - timedelta(minutes=5)
        account.logs.create_log_group(logGroupName=self.name)

    def log(self, stream: str, *lines: tuple[float, str]) -> None:
        """Log lines, each so many seconds after the start."""
        with contextlib.suppress(self.account.logs.exceptions.ResourceAlreadyExistsException):
            self.account.logs.create_log_stream(logGroupName=self.name, logStreamName=stream)
        begin = self.start.timestamp()
        events = [{"timestamp": int((begin + after) * 1000), "message": text} for after, text in lines]
        self.account.logs.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=events)  # type: ignore[arg-type]

    def read(self, **wanted: str) -> list[str]:
        """Return the messages of the last ten minutes."""
        since = self.start - timedelta(minutes=5)
        return [event.message for event in read(self.account, self.name, Wanted(since, **wanted))]


@pytest.fixture
def group(account: Account) -> Group:
    """Two versions in two streams, which took turns."""
    made = Group(account)
    made.log(
        "2026/11/22/[7]0123", (1, "START RequestId: r-1\n"), (3, '{"level": "INFO", "message": "three"}')
    )
    made.log("2026/11/22/[8]4567", (2, "two"), (4, "four of r-1"))
    return made


class TestRead:
    """`read`."""

    def test_merges_the_streams_by_time(self, group: Group) -> None:
        """Without the newlines at the lines' ends."""
        assert group.read() == ["START RequestId: r-1", "two", THREE, "four of r-1"]

    def test_finds_what_is_wanted(self, group: Group) -> None:
        """By version, by request, by words."""
        assert group.read(version="8") == ["two", "four of r-1"]
        assert group.read(request_id="r-1") == ["START RequestId: r-1", "four of r-1"]
        assert group.read(pattern="two") == ["two"]
        assert group.read(request_id="r-1", pattern="four") == ["four of r-1"]

    def test_says_that_there_are_none_yet(self, account: Account) -> None:
        """A function makes its group when it is first called, unless the stack has."""
        with pytest.raises(NoLogsError, match="there is no log group /aws/lambda/shop-nowhere"):
            list(read(account, "/aws/lambda/shop-nowhere", Wanted(datetime.now(UTC))))


class TestFollow:
    """`follow`."""

    def following(self, group: Group, announced: list[str]) -> Iterator[LogEvent]:
        since = Wanted(group.start - timedelta(minutes=5))
        return follow(
            group.account, group.name, since, announce=announced.append, pause=lambda _: time.sleep(0)
        )

    def test_yields_what_comes_once_each(self, group: Group) -> None:
        """Also what arrives late, with a time before that of what was seen."""
        events = self.following(group, [])
        assert len([next(events) for _ in range(4)]) == 4
        group.log("2026/11/22/[9]89ab", (3.5, "late"))
        group.log("2026/11/22/[8]4567", (5, "five"))
        assert [next(events).message for _ in range(2)] == ["late", "five"]

    def test_goes_on_where_it_was_after_a_refusal(self, group: Group) -> None:
        """Which is said."""
        announced: list[str] = []
        events = self.following(group, announced)
        with Stubber(group.account.logs) as stub:
            stub.add_client_error("filter_log_events", "ThrottlingException", "Rate exceeded")
            page = {"timestamp": 1_700_000_000_000, "message": "one", "eventId": "1", "logStreamName": "s"}
            stub.add_response("filter_log_events", {"events": [], "nextToken": "t"})
            stub.add_response("filter_log_events", {"events": [page]})
            assert next(events).message == "one"
        assert announced == [f"could not read the logs of {group.name}: Rate exceeded; looking again in 10 s"]
