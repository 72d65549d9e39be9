"""A Function URL's configuration."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@dataclass
class UrlConfig:
    """What a Function URL is asked to be.

    Args:
        function: Name of the function.
        qualifier: An alias, or empty.
        arn: Of the function or the alias.
        auth: `NONE` or `AWS_IAM`.
        url: Where it answers, with a slash at the end.
        cors: As it was given.
        invoke_mode: As it was given.
    """

    function: str
    qualifier: str
    arn: str
    auth: str
    url: str = ""
    cors: dict[str, Any] | None = None
    invoke_mode: str = "BUFFERED"
    created: str = field(default_factory=_now)
    modified: str = field(default_factory=_now)

    def update(self, wanted: dict[str, Any]) -> None:
        """Take what UpdateFunctionUrlConfig was asked for."""
        self.auth = wanted.get("AuthType", self.auth)
        self.cors = wanted.get("Cors", self.cors)
        self.invoke_mode = wanted.get("InvokeMode", self.invoke_mode)
        self.modified = _now()

    def to_dict(self) -> dict[str, Any]:
        """Return it as GetFunctionUrlConfig does."""
        return {
            "FunctionUrl": self.url,
            "FunctionArn": self.arn,
            "AuthType": self.auth,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "InvokeMode": self.invoke_mode,
            **({"Cors": self.cors} if self.cors else {}),
        }
