"""Events in the shapes in which AWS sends them, and the context that comes along."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

REQUEST_ID = "5f1c2c6e-3c1b-4a53-9d0e-6c1a2f7b9d11"


@dataclass
class Context:
    """What Lambda's runtime client hands over besides the event."""

    aws_request_id: str = REQUEST_ID
    function_name: str = "bough-test"
    function_version: str = "7"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:bough-test:7"
    #: More than the default statement timeout, so that a read needs no transaction of its own.
    remaining_milliseconds: int = 35_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_milliseconds


def _body(body: str | bytes | None) -> dict[str, Any]:
    if isinstance(body, bytes):
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body, "isBase64Encoded": False}


def function_url(
    method: str = "GET",
    path: str = "/",
    *,
    query: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    body: str | bytes | None = None,
    stage: str = "$default",
    domain: str = "abcdefghij.lambda-url.eu-central-1.on.aws",
) -> dict[str, Any]:
    """Make a payload of format 2.0, as Function URLs and HTTP APIs send it."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}, doseq=True),
        "headers": {
            "host": domain,
            "x-forwarded-proto": "https",
            "x-forwarded-port": "443",
            **(headers or {}),
        },
        "queryStringParameters": {name: ",".join(values) for name, values in (query or {}).items()},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": domain.partition(".")[0],
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "a1b2c3d4-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": stage,
            "time": "21/Nov/2026:14:00:00 +0000",
            "timeEpoch": 1795269600000,
        },
        **_body(body),
    }
    return {**event, "cookies": cookies} if cookies else event


def http_api(
    method: str = "GET", path: str = "/", *, stage: str = "$default", **parts: Any
) -> dict[str, Any]:
    """Make an API Gateway HTTP API event."""
    domain = "k1l2m3n4o5.execute-api.eu-central-1.amazonaws.com"
    return function_url(method, path, stage=stage, domain=domain, **parts)


def rest_api(
    method: str = "GET",
    path: str = "/",
    *,
    query: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    body: str | bytes | None = None,
    stage: str = "dev",
) -> dict[str, Any]:
    """Make an API Gateway REST API event (payload of format 1.0)."""
    domain = "p6q7r8s9t0.execute-api.eu-central-1.amazonaws.com"
    sent = {"Host": domain, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", **(headers or {})}
    if cookies:
        sent["Cookie"] = "; ".join(cookies)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} if query else None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": domain.partition(".")[0],
            "domainName": domain,
            "httpMethod": method,
            "identity": {"sourceIp": "203.0.113.9", "userAgent": "curl/8.5.0"},
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": "a1b2c3d4-0000-4000-8000-000000000000",
            "resourceId": "abc123",
            "resourcePath": "/{proxy+}",
            "stage": stage,
        },
        **_body(body),
    }


def load_balancer(
    method: str = "GET",
    path: str = "/",
    *,
    query: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    body: str | bytes | None = None,
    multi_value: bool = True,
) -> dict[str, Any]:
    """Make an Application Load Balancer event; `multi_value` is a setting of its target group."""
    sent = {
        "host": "lb-1.eu-central-1.elb.amazonaws.com",
        "x-forwarded-for": "203.0.113.9",
        **(headers or {}),
    }
    if cookies:
        sent["cookie"] = "; ".join(cookies)
    # A load balancer hands the query over as it came, percent-encoded.
    encoded = parse_qs(urlencode(query or {}, doseq=True), keep_blank_values=True)
    encoded = {name: [urlencode({"": value})[1:] for value in values] for name, values in encoded.items()}
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/bough/49e9d65c45c6791a"
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": method,
        "path": path,
        **_body(body or ""),
    }
    if multi_value:
        event["multiValueHeaders"] = {name: [value] for name, value in sent.items()}
        event["multiValueQueryStringParameters"] = encoded
    else:
        event["headers"] = sent
        event["queryStringParameters"] = {name: values[-1] for name, values in encoded.items()}
    return event


KINDS = {
    "function_url": function_url,
    "http_api": http_api,
    "rest_api": rest_api,
    "load_balancer": load_balancer,
}
