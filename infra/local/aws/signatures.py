"""Signatures of requests to Function URLs, verified as AWS does.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.aws.account import LocalAccess

if TYPE_CHECKING:
    from infra.aws.function_url import Request

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)"
    r"/aws4_request, ?SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
#: How far a signature's time may lie from ours.
_SKEW: Final = dt.timedelta(minutes=5)
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"


def refusal(request: Request, region: str) -> str | None:
    """Return why a request is not taken for this account's own, in AWS's words; `None` when it is.

    Who signs with the keys of `LocalAccess` owns the account, and may call everything. Signatures in the
    query string are not read.
    """
    headers = dict(request.headers)
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    signed_at = _time(headers.get("x-amz-date", ""))
    if found is None or signed_at is None:
        return "Forbidden"
    access = LocalAccess(endpoint="")
    if found["key"] != access.access_key_id:
        return "The security token included in the request is invalid."
    now = dt.datetime.now(dt.UTC)
    if abs(now - signed_at) > _SKEW or not headers["x-amz-date"].startswith(found["date"]):
        return f"Signature expired: {headers['x-amz-date']} is now earlier than {now - _SKEW:%Y%m%dT%H%M%SZ}"
    names = found["headers"].split(";")
    body = headers.get("x-amz-content-sha256", hashlib.sha256(request.body).hexdigest())
    is_body = body == _UNSIGNED or body == hashlib.sha256(request.body).hexdigest()
    in_scope = (found["region"], found["service"]) == (region, "lambda") and "host" in names
    if is_body and in_scope and _is_by(request, names, access, region, found["signature"]):
        return None
    return (
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method. Consult the service documentation for details."
    )


def _is_by(request: Request, names: list[str], access: LocalAccess, region: str, signature: str) -> bool:
    headers = dict(request.headers)
    query = f"?{request.query}" if request.query else ""
    again = AWSRequest(
        method=request.method,
        url=f"http://{headers.get('host', '')}{request.path}{query}",
        data=request.body,
        headers={name: headers[name] for name in names if name in headers},
    )
    again.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(access.access_key_id, access.secret_access_key), "lambda", region)
    ours: str = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    return hmac.compare_digest(ours, signature)


def _time(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
