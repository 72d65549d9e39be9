"""Jobs: functions that a schedule or a message of an SQS queue asks for, instead of a request.

A job is written beside its resource, and named in `api/events.py`::

    class Remind(BaseModel):
        task_id: UUID

    async def remind(session: WriteSession, message: Remind) -> None: ...

Its session is one transaction, committed when it returns. Both queues and schedules deliver at least once, so
a job that is done twice must do no more than one that is done once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from pydantic import BaseModel, ValidationError

from api import metrics
from api.database.request_comment import request_id
from api.database.session import read, write
from api.database.statistics import Statistics, statistics
from api.database.timeouts import DEADLINE_MARGIN, remaining
from api.web.deadline import within_invocation
from api.web.logs import database_fields

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from mangum.types import LambdaContext

#: Seconds that must be left of the invocation for another message to be begun.
LEAST_TIME: Final = 1.0

#: Seconds after the database's deadline when what still runs is ended; the answer has the rest of the margin.
GRACE: Final = DEADLINE_MARGIN / 2

logger = logging.getLogger(__name__)


class JobError(Exception):
    """The event or message asks for nothing that can be done; its message quotes no values."""


class UnknownJobError(JobError):
    """`api/events.py` names no such job."""


class InvalidMessageError(JobError):
    """The message is not what the job takes."""


class JobFailedError(Exception):
    """A job failed, and the log says why."""


def handle(
    jobs: Mapping[str, str], event: Any, context: LambdaContext
) -> Coroutine[Any, Any, dict[str, Any]] | None:
    """Return what is to be awaited for an event; `None` for one that neither a schedule nor a queue sent.

    Args:
        jobs: Each job's name and `module:function`.
        event: As Lambda hands it over.
        context: Of the invocation.
    """
    if not isinstance(event, dict):
        return None
    if isinstance(event.get("job"), str):
        return _alone(jobs, event, context)
    records = event.get("Records")
    if isinstance(records, list) and records and all(map(_is_from_queue, records)):
        return _batch(jobs, records, context)
    return None


async def _alone(jobs: Mapping[str, str], event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one job; its failure is the invocation's, which Lambda tries again twice."""
    with within_invocation(context):
        await _run(jobs, event, context.aws_request_id, context)
    return {"job": event["job"]}


async def _batch(
    jobs: Mapping[str, str], records: Sequence[dict[str, Any]], context: LambdaContext
) -> dict[str, Any]:
    """Run the job of each message and return those that the queue is to deliver again."""
    failed: list[str] = []
    with within_invocation(context):
        for record in records:
            left = remaining()
            if (left is not None and left < LEAST_TIME) or (failed and _is_in_order(record)):
                failed.append(record["messageId"])
                continue
            try:
                await _run(jobs, record.get("body"), record["messageId"], context)
            except JobFailedError:
                failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": key} for key in failed]}


async def _run(jobs: Mapping[str, str], body: Any, identity: str, context: LambdaContext) -> None:
    """Run a job in a transaction of its own, and log one line, which carries its metrics.

    What waits for something else than the database is ended a little after its deadline: a message that hangs
    must not take along those of its batch that were done.

    Args:
        jobs: Each job's name and `module:function`.
        body: The message, as JSON or read already.
        identity: The message's id or the invocation's; log lines and statements carry it as a request's.
        context: Of the invocation.

    Raises:
        JobFailedError: It failed, for whatever reason.
    """
    line: dict[str, Any] = {"invocation_id": context.aws_request_id}
    counted, started = Statistics(), time.perf_counter()
    tokens = request_id.set(identity), statistics.set(counted)
    failure: BaseException | None = None
    left = remaining()
    try:
        name, fields = _read(body)
        line["job"] = name
        function, message = _resolve(jobs, name, fields)
        async with (
            asyncio.timeout(None if left is None else left + GRACE),
            read() as session,
            write(session) as writer,
        ):
            await function(writer, message)
    # CancelledError too: nobody cancels a job here, so it escaped from the job.
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  logged; one must not fail the others
        failure = error
    finally:
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        line |= {"duration_ms": milliseconds, **database_fields(counted)}
        values = {"Jobs": 1, "JobErrors": int(failure is not None), "JobDuration": milliseconds}
        logger.log(
            logging.ERROR if failure else logging.INFO,
            "job failed" if failure else "job",
            extra={**line, **metrics.embedded(context, values)},
            exc_info=failure,
        )
        request_id.reset(tokens[0])
        statistics.reset(tokens[1])
    # Outside the `except`: Lambda writes down a chained error's message, which may quote values.
    if failure is not None:
        named = line.get("job", "a message")
        raise JobFailedError(f"{named}: {type(failure).__name__}; the log has a line with the reason")


def _read(body: Any) -> tuple[str, dict[str, Any]]:
    """Return a message's job and its other fields."""
    try:
        fields = json.loads(body) if isinstance(body, str) else body
    except ValueError:
        fields = None
    if not (isinstance(fields, dict) and isinstance(fields.get("job"), str)):
        raise InvalidMessageError('a message is a JSON object that names its job: {"job": "…"}') from None
    return fields["job"], {name: value for name, value in fields.items() if name != "job"}


def _resolve(jobs: Mapping[str, str], name: str, fields: dict[str, Any]) -> tuple[Any, BaseModel]:
    """Return the job's function and its message."""
    if name not in jobs:
        raise UnknownJobError(f"there is no such job; api/events.py has: {', '.join(sorted(jobs))}")
    function = resolve_name(jobs[name])
    kind: type[BaseModel] = get_type_hints(function)["message"]
    try:
        return function, kind.model_validate(fields)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in problems)
    raise InvalidMessageError(f"not what {name} takes: {found}")


def _is_from_queue(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and record.get("eventSource") == "aws:sqs"
        and isinstance(record.get("messageId"), str)
    )


def _is_in_order(record: dict[str, Any]) -> bool:
    """Tell whether the queue keeps an order, in which none may overtake a message that failed."""
    return str(record.get("eventSourceARN")).endswith(".fifo")
