"""Function URLs: each a port of its own on loopback, open to whom the function's policy lets in."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Final

from moto.awslambda.exceptions import UnknownFunctionException

from infra.aws import function_url
from infra.aws.function_url import Request, Response
from infra.aws.stage import LIVE
from infra.local import ports
from infra.local.aws import signatures, telemetry
from infra.local.aws.moto_policies import everybody_may_call
from infra.local.http_front import HttpFront, failure
from infra.local.runtime_api import MAX_PAYLOAD

if TYPE_CHECKING:
    from infra.local.aws.deployed import Deployed
    from infra.local.aws.moto_lambda import Lambda
    from infra.local.aws.runner import Runner
    from infra.local.aws.url_config import UrlConfig

#: What AWS answers whom no policy lets in: https://github.com/awsdocs/aws-lambda-developer-guide/issues/494.
_FORBIDDEN: Final = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


class FunctionUrls:
    """Serves the URLs that were opened.

    Args:
        runner: Runs the functions.
        live_port: Where an alias `live` answers, while the port is free; all others take any port.
    """

    def __init__(self, runner: Runner, live_port: int | None = None) -> None:
        """Listen nowhere yet."""
        self._runner = runner
        self._live_port = live_port
        self._fronts: dict[str, HttpFront] = {}

    async def open(self, backend: Lambda, config: UrlConfig) -> str:
        """Listen; return the URL, with a slash at the end as AWS writes it."""
        is_fixed = self._live_port is not None and config.qualifier == LIVE
        port = ports.free_port(self._live_port) if is_fixed else 0
        front = HttpFront(partial(self._answer, backend, config), port=port)
        await front.start()
        url = f"{front.url}/"
        self._fronts[url] = front
        return url

    async def close(self, config: UrlConfig) -> None:
        """Listen there no more."""
        await self._fronts.pop(config.url).stop()

    async def stop(self) -> None:
        """Listen nowhere."""
        await asyncio.gather(*(front.stop() for front in self._fronts.values()))
        self._fronts.clear()

    async def _answer(self, backend: Lambda, config: UrlConfig, request: Request) -> tuple[Response, str]:
        request_id, started = str(uuid.uuid4()), time.monotonic()
        try:
            refused = _refusal(backend, config, request)
            throttled = backend.throttles(config.function)
            deployed = backend.chosen(config.function, config.qualifier or None).deployed()
        except UnknownFunctionException:
            return failure(404, "Not Found"), request_id
        if refused is not None:
            response = Response(
                403,
                (("content-type", "application/json"), ("x-amzn-errortype", "AccessDeniedException")),
                json.dumps({"Message": refused}).encode(),
            )
        elif throttled:
            response = failure(429, "Rate Exceeded.")
        else:
            response = await self._run(deployed, config, request, request_id)
        telemetry.count_request(deployed, response.status, time.monotonic() - started)
        return response, request_id

    async def _run(
        self, deployed: Deployed, config: UrlConfig, request: Request, request_id: str
    ) -> Response:
        event = function_url.event(request, request_id)
        if config.auth == "AWS_IAM":
            event["requestContext"] |= {
                "accountId": deployed.account,
                "authorizer": {
                    "iam": {
                        "accessKey": "local",
                        "accountId": deployed.account,
                        "userArn": f"arn:aws:iam::{deployed.account}:root",
                    }
                },
            }
        payload = json.dumps(event, ensure_ascii=False).encode()
        if len(payload) > MAX_PAYLOAD:
            return failure(413, "Request Entity Too Large")
        outcome = await self._runner.invoke(deployed, payload, config.arn)
        try:
            if outcome.error is None:
                return function_url.response(outcome.payload)
        except function_url.MalformedResponseError:
            pass
        return failure(502, "Internal Server Error")


def _refusal(backend: Lambda, config: UrlConfig, request: Request) -> str | None:
    """Return why a request is not let in, `None` when it is."""
    if config.auth == "AWS_IAM":
        return signatures.refusal(request, backend.region_name)
    statements = backend.latest(config.function).statements.get(config.qualifier, [])
    return None if everybody_may_call(statements) else _FORBIDDEN
