"""The URL of a function, and who may call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from infra.aws.errors import code_of, translated
from infra.aws.function import FunctionUrl
from infra.aws.function_errors import must_exist, nothing_when_missing, unchanged

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

#: What everybody must be allowed who shall call a URL without a signature. URLs that were made since October
#: 2025 need both: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
_PUBLIC: Final[dict[str, dict[str, Any]]] = {
    "bough-url": {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    "bough-url-invoke": {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
}


class UrlAccess:
    """The URL of one function, or of one of its aliases.

    Args:
        client: Of Lambda.
        name: The function's.
        qualifier: An alias; `None` for the function's newest code.
    """

    def __init__(self, client: LambdaClient, name: str, qualifier: str | None) -> None:
        """Nothing is asked yet."""
        self._client = client
        self._what = name if qualifier is None else f"{name}:{qualifier}"
        self._of: dict[str, Any] = {"FunctionName": name}
        if qualifier is not None:
            self._of["Qualifier"] = qualifier

    def find(self) -> FunctionUrl | None:
        """Return the URL, `None` where there is none."""
        with translated(f"look up the URL of {self._what}"), nothing_when_missing():
            return _url(self._client.get_function_url_config(**self._of))
        return None

    def ensure(self, auth: Literal["NONE", "AWS_IAM"]) -> FunctionUrl:
        """Make the URL, or change who may call it; asks alone where all is so already."""
        url = self.find()
        # Before the permissions: they let in nobody by mistake, nor does a URL that has none.
        what = f"the URL of {self._what}"
        with translated(f"make {what}"), must_exist(self._what), unchanged(what):
            if url is None:
                url = _url(self._client.create_function_url_config(**self._of, AuthType=auth))
            elif url.auth != auth:
                url = _url(self._client.update_function_url_config(**self._of, AuthType=auth))
        with translated(f"say who may call {self._what}"), unchanged(f"the permissions of {self._what}"):
            self._allow(_PUBLIC if auth == "NONE" else {})
        return url

    def _allow(self, wanted: dict[str, dict[str, Any]]) -> None:
        present, revision = self._policy()
        for name in (each for each in _PUBLIC if each in present and each not in wanted):
            self._client.remove_permission(**self._of, StatementId=name, **revision)
            _, revision = self._policy()
        for name in (each for each in wanted if each not in present):
            self._client.add_permission(
                **self._of, StatementId=name, Principal="*", **wanted[name], **revision
            )
            _, revision = self._policy()

    def _policy(self) -> tuple[set[str], dict[str, Any]]:
        """Return the names of its statements, and its revision for who changes it."""
        try:
            answer = self._client.get_policy(**self._of)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return set(), {}
            raise
        statements = json.loads(answer["Policy"])["Statement"]
        return {each["Sid"] for each in statements}, {"RevisionId": answer["RevisionId"]}


def _url(answer: Any) -> FunctionUrl:
    return FunctionUrl(answer["FunctionUrl"].rstrip("/"), answer["AuthType"])
