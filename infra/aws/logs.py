"""What a function logged: the events of all its streams in one line, once each, and those to come."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import ClientError

from infra.aws.errors import AwsError, AwsThrottledError, AwsUnreachableError, code_of, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.aws.account import Account

#: Events may arrive later than younger ones of other streams; so long they are still looked for.
_LATE: Final = timedelta(seconds=30)

#: Seconds between two looks: an account may look 5 to 10 times a second, all its users together.
_LOOK: Final = 1.0
_LOOK_WHEN_THROTTLED: Final = 10.0

#: `2026/11/22/[7]0123…`, with the function's name before the bracket where it shares a group.
_VERSION: Final = re.compile(r"\[([^\]]+)\]")


class NoLogsError(AwsError):
    """The function has no log group yet."""

    code: ClassVar[str] = "NO_LOGS"


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line that a function, or Lambda about it, has logged.

    Args:
        id: CloudWatch's.
        at: When, in UTC.
        stream: Of the execution environment.
        message: As it was written, without a newline at the end.
    """

    id: str
    at: datetime
    stream: str
    message: str

    @property
    def version(self) -> str | None:
        """The number of the version that logged it, `$LATEST`, or `None` where the stream does not say."""
        match = _VERSION.search(self.stream)
        return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are wanted.

    Args:
        since: From when on.
        pattern: In CloudWatch's filter syntax.
        version: Only what this version logged.
        request_id: Only what mentions this request, as each line does that is logged through Powertools.
    """

    since: datetime
    pattern: str | None = None
    version: str | None = None
    request_id: str | None = None

    def includes(self, event: LogEvent) -> bool:
        """Return whether an event that CloudWatch found is one of them."""
        if self.version is not None and event.version != self.version:
            return False
        return self.request_id is None or self.request_id in event.message


def read(account: Account, group: str, wanted: Wanted) -> Iterator[LogEvent]:
    """Yield what there is, the oldest first.

    Raises:
        NoLogsError: The group does not exist.
        AwsError: As AWS does.
    """
    for page in _pages(account, group, wanted, wanted.since):
        yield from filter(wanted.includes, page)


def follow(
    account: Account,
    group: str,
    wanted: Wanted,
    *,
    announce: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[LogEvent]:
    """Yield what there is, then what comes, until the caller stops; each event once.

    While AWS refuses or does not answer it waits, and goes on where it was: nothing is left out.

    Args:
        account: Whose.
        group: May be made later.
        wanted: Which events.
        announce: Is told of such a wait, in one sentence.
        pause: Waits so many seconds.
    """
    since, seen = wanted.since, dict[str, datetime]()
    while True:
        try:
            events = [event for page in _pages(account, group, wanted, since) for event in page]
        except NoLogsError:
            events = []
        except (AwsThrottledError, AwsUnreachableError) as error:
            announce(f"{error}; looking again in {_LOOK_WHEN_THROTTLED:.0f} s")
            pause(_LOOK_WHEN_THROTTLED)
            continue
        for event in events:
            if event.id not in seen:
                seen[event.id] = event.at
                if wanted.includes(event):
                    yield event
        # Counted from the newest event, by AWS's clock, not by this machine's.
        since = max([since, *(at - _LATE for at in seen.values())])
        seen = {id_: at for id_, at in seen.items() if at >= since}
        pause(_LOOK)


def _pages(account: Account, group: str, wanted: Wanted, since: datetime) -> Iterator[list[LogEvent]]:
    """Yield the events since then by time; a page may be empty and not the last.

    Raises:
        NoLogsError: There is no such group.
    """
    pattern = wanted.pattern or (f'"{wanted.request_id}"' if wanted.request_id else None)
    question: dict[str, Any] = {"logGroupName": group, "startTime": int(since.timestamp() * 1000)}
    if pattern:
        question["filterPattern"] = pattern
    with translated(f"read the logs of {group}"):
        try:
            for page in account.logs.get_paginator("filter_log_events").paginate(**question):
                yield sorted(map(_event, page["events"]), key=lambda event: event.at)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                raise NoLogsError(
                    f"there is no log group {group}", hint="the function was never called: bough call /"
                ) from error
            raise


def _event(found: Any) -> LogEvent:
    at = datetime.fromtimestamp(found["timestamp"] / 1000, UTC)
    return LogEvent(found["eventId"], at, found["logStreamName"], found["message"].rstrip("\n"))
