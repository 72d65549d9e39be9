"""The Parameters and Secrets extension, which functions ask over local HTTP for what parameters hold.

On AWS each execution environment has one to itself on a port of its own; here one serves all, and knows them
by their session tokens. Only parameters are served. Like AWS's it answers during invocations alone, keeps
what it read for 300 seconds (SSM_PARAMETER_STORE_TTL), and asks with the function's role.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from moto.utilities.utils import get_partition

from infra.aws.function_url import Request, Response
from infra.local.aws.roles import allows
from infra.local.execution_environment import ExecutionEnvironment, State
from infra.local.http_front import HttpFront

if TYPE_CHECKING:
    from infra.local.aws.deployed import Deployed

PORT_VARIABLE: Final = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"
_PATH: Final = "/systemsmanager/parameters/get"
_TOKEN_HEADER: Final = "x-aws-parameters-secrets-token"  # noqa: S105  a header's name
_TIME_TO_LIVE: Final = 300.0


@dataclass
class _Asker:
    """An environment that has the extension, and what it was told."""

    environment: ExecutionEnvironment
    deployed: Deployed
    known: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict, repr=False)


class Extension:
    """Serves every environment that `introduce` was told of, until its process has ended."""

    def __init__(self) -> None:
        """Listen only after `start`."""
        self._askers: dict[str, _Asker] = {}
        self._front = HttpFront(self._answer)

    async def start(self) -> None:
        """Listen."""
        await self._front.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._front.stop()

    def introduce(self, environment: ExecutionEnvironment, deployed: Deployed, token: str) -> dict[str, str]:
        """Serve an environment; return the variable that tells it where."""
        self._askers = {
            each: asker for each, asker in self._askers.items() if asker.environment.state is not State.DEAD
        }
        self._askers[token] = _Asker(environment, deployed)
        return {PORT_VARIABLE: self._front.url.rpartition(":")[2]}

    async def _answer(self, request: Request) -> tuple[Response, str]:
        return self._response(request), secrets.token_hex(8)

    def _response(self, request: Request) -> Response:
        token = dict(request.headers).get(_TOKEN_HEADER, "")
        asker = self._askers.get(token)
        if asker is None:
            return _text(401, "Unauthorized")
        if asker.environment.state is not State.BUSY:
            return _text(400, "not ready to serve traffic, please wait")
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        if request.method != "GET" or request.path != _PATH or not query.get("name"):
            return _text(400, "bad request")
        now = time.monotonic()
        age_limit = min(
            _TIME_TO_LIVE, float(asker.deployed.variables.get("SSM_PARAMETER_STORE_TTL", _TIME_TO_LIVE))
        )
        read_at, body = asker.known.get(request.query, (0.0, None))
        if body is None or now - read_at >= age_limit:
            found = _read(asker.deployed, query)
            if isinstance(found, str):
                return _text(
                    400, f"operation error SSM: GetParameter, https response error StatusCode: 400, {found}"
                )
            body = found
            asker.known[request.query] = now, body
        return Response(200, (("content-type", "application/json"),), json.dumps(body, default=str).encode())


def _read(deployed: Deployed, query: dict[str, str]) -> dict[str, Any] | str:
    """Return what GetParameter does, or why the function's role does not get it."""
    name = query["name"]
    partition = get_partition(deployed.region)
    arn = f"arn:{partition}:ssm:{deployed.region}:{deployed.account}:parameter/{name.lstrip('/')}"
    if not allows(deployed.role, "ssm:GetParameter", arn):
        role = deployed.role.rpartition("/")[2]
        who = f"arn:{partition}:sts::{deployed.account}:assumed-role/{role}/{deployed.name}"
        return (
            f"api error AccessDeniedException: User: {who} is not authorized to perform: ssm:GetParameter on "
            f"resource: {arn} because no identity-based policy allows the ssm:GetParameter action"
        )
    # Who wrote a parameter has imported it by now: it brings EC2 along, which takes seconds.
    from moto.ssm.models import ssm_backends  # noqa: PLC0415  see above

    selector = query.get("version") or query.get("label")
    backend = ssm_backends[deployed.account][deployed.region]
    parameter = backend.get_parameter(f"{name}:{selector}" if selector else name)
    if parameter is None:
        return "ParameterNotFound: "
    decrypt = query.get("withDecryption") == "true"
    found = parameter.response_object(decrypt=decrypt, region=deployed.region)
    return {"Parameter": found, "ResultMetadata": {}}


def _text(status: int, text: str) -> Response:
    return Response(status, (("content-type", "text/plain; charset=utf-8"),), text.encode())
