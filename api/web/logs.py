"""JSON log lines (the format of Powertools for AWS Lambda) and one access line for each request.

Code anywhere under `api` logs with `logging.getLogger(__name__)`; while a request runs, every line carries
its id. No line holds a query string, a header, a body, or the path of a matched route: there secrets travel.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, TextIO

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from fastapi.exceptions import ValidationException
from pydantic_core import ValidationError

from api import metrics
from api.database.request_comment import request_id
from api.database.statistics import Statistics, statistics
from api.database.translation import QUOTING_ERRORS
from api.web.request_id import HEADER, identify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Exceptions whose message quotes what was refused: input, a response, values of a statement or a row.
_QUOTING: Final = (ValidationError, ValidationException, *QUOTING_ERRORS)
_LONGEST_PATH: Final = 200

logger = logging.getLogger("api.access")


class _Formatter(LambdaPowertoolsFormatter):
    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        record.taskName = None  # Python 3.12 names the event loop's task, which is never one of ours
        record.logger = record.name
        return super().format(record)

    def formatException(  # noqa: N802  the standard library's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Format the chain, outermost first, without messages that quote values."""
        return "\nfrom:\n".join(_chain(ei[1], set()))


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    """Yield each exception once: `raise error from error` makes a chain that has no end."""
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        message = "(message withheld: it may quote values)" if isinstance(error, _QUOTING) else str(error)
        frames = "".join(traceback.format_tb(error.__traceback__))
        yield f"{frames}{type(error).__qualname__}: {message}"
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _chain(inner, seen)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stdout` is now: the Lambda runtime replaces it after start-up."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # read-only on purpose
        return sys.stdout


def configure_logs() -> None:
    """Send the lines of every logger under `api` to standard output as JSON; harmless when repeated."""
    handler = _StandardOutput()
    handler.setFormatter(
        _Formatter(
            utc=True,
            use_rfc3339=True,
            serialize_stacktrace=False,
            log_record_order=["timestamp", "level", "message"],
            location=None,
        )
    )
    root = logging.getLogger("api")
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # Lambda's own handler on the root logger would write each line a second time.
    root.propagate = False


class RequestLogMiddleware:
    """Name each request, count what it asks of the database, and log one line when it ends."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`, the first request of which is this environment's cold start."""
        self.app = app
        # Provisioned environments were started before anyone waited for them.
        self.cold = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "provisioned-concurrency"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; the response carries `x-request-id`."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity = identify(scope)
        status = 500
        counted = Statistics()
        cold, self.cold = self.cold and not scope.get(metrics.AWAKE, False), False

        async def name_response(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, identity.encode())]
            await send(message)

        started = time.perf_counter()
        tokens = request_id.set(identity), statistics.set(counted)
        try:
            await self.app(scope, receive, name_response)
        except BaseException:
            status = metrics.SERVER_ERROR
            raise
        finally:
            line = _access_line(scope, status, counted, time.perf_counter() - started)
            logger.info("request", extra={**line, "cold_start": cold, **_metrics(scope, line, cold=cold)})
            request_id.reset(tokens[0])
            statistics.reset(tokens[1])


def _access_line(scope: Scope, status: int, counted: Statistics, seconds: float) -> dict[str, Any]:
    route = getattr(scope.get("route"), "path", None)
    return {
        "method": scope["method"],
        "route": route,
        # Only where no route matched, to find broken links: ids and tokens are part of other paths.
        "path": None if route else scope["path"][:_LONGEST_PATH],
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        **database_fields(counted),
    }


def database_fields(counted: Statistics) -> dict[str, float]:
    """Return what a log line says of the database."""
    return {
        "database_ms": round(counted.seconds * 1000, 1),
        "database_statements": counted.statements,
        "database_round_trips": counted.round_trips,
        "database_connections": counted.connections,
        "pool_waits": counted.pool_waits,
    }


def _metrics(scope: Scope, line: dict[str, Any], *, cold: bool) -> dict[str, Any]:
    """Return what makes the line carry metrics too; nothing outside of Lambda."""
    context = scope.get("aws.context")
    if context is None:
        return {}
    scope[metrics.COUNTED_STATUS] = line["status"]
    return metrics.embedded(
        context,
        {
            "Requests": 1,
            metrics.SERVER_ERRORS: int(line["status"] >= metrics.SERVER_ERROR),
            "ColdStarts": int(cold),
            "Duration": line["duration_ms"],
            "DatabaseTime": line["database_ms"],
            "DatabaseRoundTrips": line["database_round_trips"],
            "PoolWaits": line["pool_waits"],
        },
    )
