"""The Lambda entry point: any ASGI application behind Function URL, HTTP API, REST API or load balancer.

Which application: `APP` of the generated `api.build` in an artifact; in a source checkout the variable
`BOUGH_APP`, `api.app:app` by default. Of the kit it imports `api.metrics` alone, so it serves any project.

One event loop lives as long as the execution environment, and everything runs in it: connections belong to
the loop that opened them. `asyncio.run()` would make, close and unset another.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import random
import re
import sys
from functools import partial, reduce
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from snapshot_restore_py import register_after_restore, register_before_snapshot

from api import metrics

if TYPE_CHECKING:
    from mangum.types import ASGI, LambdaContext, Message, Receive, Scope, Send

logger = logging.getLogger("api.handler")

#: What `handler` answers to a warm-up event.
WARM: Final = {"statusCode": 200, "warm": True}
_HOST: Final = re.compile(r"[^:]*(:[0-9]{1,5})?")


class EventNotHttpError(Exception):
    """The event is neither an HTTP request nor a warm-up, and unknown to the application.

    Raised and not answered, so that Lambda counts an error, and so that a queue or a schedule that was
    connected by mistake keeps its messages.
    """


def load(target: str) -> Any:
    """Import `module:attribute`.

    Raises:
        ImportError: There is no such module or attribute, or `target` is not of this form.
    """
    module_name, separator, attributes = target.partition(":")
    if not (module_name and separator and attributes):
        message = f"{target!r} names nothing: write module:attribute, such as api.app:app"
        raise ImportError(message)
    module = importlib.import_module(module_name)
    try:
        return reduce(getattr, attributes.split("."), module)
    except AttributeError as error:
        message = f"{target!r}: {error}"
        raise ImportError(message) from error


def app_name() -> str:
    """Return the import string of the application to serve."""
    try:
        name: str = importlib.import_module("api.build").APP
    except ModuleNotFoundError as error:
        if error.name != "api.build":
            raise
        return os.environ.get("BOUGH_APP", "api.app:app")
    return name


class Edge:
    """What is between Mangum and the application: every request ends in one whole response, and is counted.

    Mangum alone answers an exception with plain text, and Lambda reports success. Here an exception becomes a
    problem document, and each response of 500 or above the metric `ServerErrors`, by function and by version,
    unless the application has counted it: ours does so in its own line, with more.
    """

    def __init__(self, app: ASGI) -> None:
        """Wrap `app`."""
        self.app = app
        self.awake = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; its messages are passed on once the response is whole."""
        _mount_at_stage(scope)
        scope[metrics.AWAKE] = self.awake
        messages: list[Message] = []
        whole = False

        async def keep(message: Message) -> None:
            nonlocal whole
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                for kept in messages:
                    await send(_with_utf8_headers(kept))
                whole = True

        failed = False
        try:
            await self.app(scope, receive, keep)
        # CancelledError too: nobody cancels a request here, so it escaped from the application.
        except (Exception, asyncio.CancelledError):
            failed = True
            # The newline: the runtime's own log handler ends a traceback without one, and the metric needs a
            # line to itself.
            logger.exception("the application raised an exception")
            sys.stdout.write("\n")
        if not whole:
            if not failed:
                logger.error("the application ended without a whole response")
            messages = _problem(scope, 500, "INTERNAL_ERROR", "Something went wrong on our side.")
            for message in messages:
                await send(message)
        status = metrics.SERVER_ERROR if failed else messages[0]["status"]
        if status >= metrics.SERVER_ERROR > scope.get(metrics.COUNTED_STATUS, 0):
            _count_server_error(scope["aws.context"])


def _mount_at_stage(scope: Scope) -> None:
    """Set `root_path` to an API Gateway stage, and have `path` include it, as ASGI wants.

    A REST API leaves the stage out of `path` and an HTTP API on its default domain does not; without
    `root_path` neither routes nor the links of `/docs` work below a stage.
    """
    event, path = scope["aws.event"], scope["path"]
    context = event["requestContext"]
    if event.get("version") == "2.0":
        prefix = f"/{context.get('stage')}"
        if ".execute-api." in context.get("domainName", "") and f"{path}/".startswith(f"{prefix}/"):
            scope["root_path"] = prefix
    elif "elb" not in context and (full := context.get("path") or "").endswith(path) and path != "/":
        scope["root_path"] = full.removesuffix(path)
        scope["path"] = scope["root_path"] + path


def _with_utf8_headers(message: Message) -> Message:
    """Return the message with headers that Mangum can decode: frameworks send Latin-1, as HTTP has it."""
    if message["type"] != "http.response.start":
        return message
    return {**message, "headers": [(name, _as_utf8(value)) for name, value in message.get("headers", ())]}


def _as_utf8(value: bytes) -> bytes:
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1").encode()
    return value


def _problem(scope: Scope, status: int, code: str, detail: str) -> list[Message]:
    """Return a problem document in the form of `api.web.problems`, which a foreign project does not have."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": scope["path"],
        "code": code,
        "request_id": scope["aws.context"].aws_request_id,
    }
    headers = [(b"content-type", b"application/problem+json")]
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": json.dumps(document).encode()},
    ]


async def _refuse_host(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  ASGI's signature
    for message in _problem(scope, 400, "BAD_REQUEST", "The Host header is not valid."):
        await send(message)


def _count_server_error(context: LambdaContext) -> None:
    line = metrics.embedded(context, {metrics.SERVER_ERRORS: 1}) | {"request_id": context.aws_request_id}
    sys.stdout.write(json.dumps(line) + "\n")


def _is_http(event: Any) -> bool:
    """Tell whether Mangum can read the event: one of the four kinds, with all that it looks up."""
    context = event.get("requestContext") if isinstance(event, dict) else None
    if not isinstance(context, dict):
        return False
    if event.get("version") == "2.0":
        request = context.get("http")
        return isinstance(request, dict) and request.keys() >= {"method", "path", "sourceIp"}
    if not (isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str)):
        return False
    if "elb" in context:
        return any(isinstance(event.get(name), dict) for name in ("headers", "multiValueHeaders"))
    return "resource" in event or "version" in event


def _is_warm_up(event: Any) -> bool:
    """Tell whether the environment is only kept warm: by a plugin, a schedule, or `{"warmup": true}`."""
    return isinstance(event, dict) and (
        event.get("warmup") is True
        or event.get("source") in {"serverless-plugin-warmup", "aws.scheduler"}
        or (event.get("source") == "aws.events" and event.get("detail-type") == "Scheduled Event")
    )


def _not_http(event: Any) -> Exception:
    keys = ", ".join(sorted(map(str, event))[:8]) if isinstance(event, dict) else type(event).__name__
    message = (
        "this function answers HTTP requests (Function URL, HTTP API, REST API, load balancer) and warm-ups; "
        f"it was sent an event of: {keys or 'nothing'}"
    )
    # The runtime reports its own fault without a traceback, and any other exception with one.
    runtime = sys.modules.get("awslambdaric.lambda_runtime_exception")
    if runtime is None:
        return EventNotHttpError(message)
    fault: Exception = runtime.FaultException(EventNotHttpError.__name__, message, [])
    return fault


def _host_is_sound(event: dict[str, Any]) -> bool:
    """Tell whether Mangum can split every Host header; on another it raises instead of answering."""
    single, several = event.get("headers") or {}, event.get("multiValueHeaders") or {}
    hosts = [value for name, value in single.items() if name.lower() == "host"]
    hosts += [", ".join(values) for name, values in several.items() if name.lower() == "host"]
    return all(_HOST.fullmatch(host) for host in hosts)


def _without_host(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event as Mangum can read it; which kind of headers it has decides those of the answer."""
    kinds = [kind for kind in ("headers", "multiValueHeaders") if event.get(kind)]
    return event | {kind: {k: v for k, v in event[kind].items() if k.lower() != "host"} for kind in kinds}


_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)
# Mangum's own line for each request says less than the application's, or a foreign one's server log.
logging.getLogger("mangum.http").setLevel(logging.WARNING)
# What is imported here stays as long as the environment, so searching it for garbage is in vain: it took a
# fifth of the init phase (`make bench`). Frozen, it is left out of every later search too.
gc.disable()
_app: ASGI = load(app_name())
gc.freeze()
gc.enable()
# "off": Mangum starts and stops a lifespan at every single invocation.
_mangum = partial(Mangum, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, "+json", "+xml"])
_edge = Edge(_app)
_answer, _refuse = _mangum(_edge), _mangum(_refuse_host)


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation: an HTTP request in its kind's form, a warm-up with `WARM`.

    For other events the application's `state.on_event` may name a `module:function`: called with event
    and context, it returns what to await for the invocation's result, or `None` where it knows no such event.

    Raises:
        EventNotHttpError: It is none of these; under Lambda's runtime client its own fault with this name.
    """
    if not _is_http(event):
        _edge.awake = True
        if _is_warm_up(event):
            return dict(WARM)
        on_event = getattr(getattr(_app, "state", None), "on_event", None)
        work = load(on_event)(event, context) if on_event else None
        if work is None:
            raise _not_http(event)
        return _loop.run_until_complete(work)
    # Again, because code that calls asyncio.run() leaves no current loop behind.
    asyncio.set_event_loop(_loop)
    if not _host_is_sound(event):
        return _refuse(_without_host(event), context)
    response = _answer(event, context)
    if response["statusCode"] in {204, 304}:
        # Mangum claims JSON for whatever has no type; these have no content (RFC 9110).
        response.get("headers", {}).pop("content-type", None)
    return response


@register_before_snapshot  # type: ignore[untyped-decorator]  # the package has no types
def before_snapshot() -> None:
    """Close database connections: environments restored from the snapshot would share their sockets."""
    asyncio.set_event_loop(_loop)
    engine = sys.modules.get("api.database.engine")
    if engine is not None:
        _loop.run_until_complete(engine.dispose())


@register_after_restore  # type: ignore[untyped-decorator]  # the package has no types
def after_restore() -> None:
    """Seed `random` anew, for every environment would draw the same numbers, and read secrets anew."""
    random.seed()
    if "api.parameters" in sys.modules:
        sys.modules["api.parameters"].forget()
    if "api.settings" in sys.modules:
        sys.modules["api.settings"].get_settings.cache_clear()
