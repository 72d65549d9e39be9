"""HTTP requests as Function URL events, and what functions return as HTTP responses.

Payload format 2.0: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Bodies that travel as text; all others, forms too, travel in base64.
_TEXT_TYPES: Final = frozenset({"application/json", "application/javascript", "application/xml"})

#: Not the function's to say: they belong to the connection.
_CONNECTION_HEADERS: Final = frozenset(
    {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "date", "server"}
)

#: What HTTP allows in a header's name and value (RFC 9110, section 5).
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")

#: Statuses whose response has no body.
_BODILESS: Final = frozenset({204, 304})


class MalformedResponseError(ValueError):
    """The function's result is not a response; the caller gets a 502."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; header names in lower case, `path` percent-encoded as it came."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str
    port: int
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def event(request: Request, request_id: str) -> dict[str, Any]:
    """Return the event that a Function URL makes of a request.

    Cookies are taken out of the headers; a header that came several times is joined with commas.
    `queryStringParameters`, `cookies` and `body` are absent when the request has none.
    """
    headers = _joined((name, value) for name, value in request.headers if name != "cookie")
    cookies = [
        cookie.strip() for name, value in request.headers if name == "cookie" for cookie in value.split(";")
    ]
    headers |= {
        "x-amzn-trace-id": f"Root=1-{request_id[:8]}-{request_id.replace('-', '')[8:32]}",
        "x-forwarded-for": request.client,
        "x-forwarded-port": str(request.port),
        "x-forwarded-proto": "http",
    }
    domain = headers.get("host", "localhost").rpartition("@")[2]
    now = dt.datetime.now(dt.UTC)
    path = request.path or "/"
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "cookies": cookies,
        "headers": headers,
        "queryStringParameters": _joined(parse_qsl(request.query, keep_blank_values=True)),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    for key in ("cookies", "queryStringParameters"):
        if not made[key]:
            del made[key]
    if request.body:
        made["body"], made["isBase64Encoded"] = _encoded(request.body, headers.get("content-type", ""))
    return made


def response(result: bytes) -> Response:
    """Return the HTTP response that a Function URL makes of a function's result (JSON).

    A result without `statusCode` is itself the body of a 200, as `application/json`.

    Raises:
        MalformedResponseError: The result is not JSON, or one of its fields has the wrong type.
    """
    try:
        value = json.loads(result)
    except ValueError as error:
        raise MalformedResponseError("the result is not JSON") from error
    if not isinstance(value, dict) or "statusCode" not in value:
        body = value.encode() if isinstance(value, str) else result
        return Response(200, (("content-type", "application/json"),), body)
    status = _status(value["statusCode"])
    body = b"" if status in _BODILESS else _decoded(value.get("body"), value.get("isBase64Encoded", False))
    headers = list(_headers(value.get("headers")))
    if body and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    headers += [("set-cookie", cookie) for cookie in _cookies(value.get("cookies"))]
    return Response(status, tuple(headers), body)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encoded(body: bytes, content_type: str) -> tuple[str, bool]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith(("+json", "+xml")):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def _status(value: object) -> int:
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    # 1xx would leave the client waiting for the response proper.
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:  # noqa: PLR2004
        raise MalformedResponseError(f"statusCode is {value!r}")
    return value


def _decoded(body: object, is_base64: object) -> bytes:
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponseError(f"body is a {type(body).__name__}, not a string")
    if is_base64 is not True:
        return body.encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedResponseError("body is not base64") from error


def _headers(headers: Mapping[str, object] | object | None) -> Iterator[tuple[str, str]]:
    if headers is None:
        return
    if not isinstance(headers, dict):
        raise MalformedResponseError("headers is not an object")
    for name, value in headers.items():
        if not isinstance(value, str | int | float):
            raise MalformedResponseError(f"header {name!r} is a {type(value).__name__}")
        if not _NAME.fullmatch(name):
            raise MalformedResponseError(f"header name {name!r} holds a character that HTTP forbids")
        if name.lower() not in _CONNECTION_HEADERS:
            yield name.lower(), _value(name, str(value).lower() if isinstance(value, bool) else str(value))


def _cookies(cookies: object) -> Iterator[str]:
    if cookies is None:
        return
    if not isinstance(cookies, list):
        raise MalformedResponseError("cookies is not a list")
    for cookie in cookies:
        if not isinstance(cookie, str):
            raise MalformedResponseError(f"a cookie is a {type(cookie).__name__}")
        yield _value("set-cookie", cookie)


def _value(name: str, text: str) -> str:
    if not _VALUE.fullmatch(text):
        # Not the value: it may be a session's.
        raise MalformedResponseError(f"the value of header {name!r} holds a character that HTTP forbids")
    return text.strip()
