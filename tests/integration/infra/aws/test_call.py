"""Calls of a function that runs: through its URL, signed or not, and past it."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from infra.aws.call import CallFailedError, through_invoke, through_url
from infra.aws.function_url import Request
from infra.aws.functions import Functions
from infra.aws.stage import LIVE
from tests.support.published import lead, publish, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account

_numbers = itertools.count()


def request(path: str, query: str = "", body: bytes = b"", **headers: str) -> Request:
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request("POST" if body else "GET", path, query, given, body, "127.0.0.1", 443)


@pytest.fixture
def name(account: Account, tmp_path: Path) -> str:
    """A function with two versions, the first one live."""
    function = f"shop-call{next(_numbers)}-api"
    for code in ("one", "two"):
        publish(account, function, zipped(tmp_path, code, fails=("/fails",)))
    lead(account, function, "1")
    return function


class TestCall:
    """`through_url` and `through_invoke`."""

    def test_answers_as_the_url_and_as_a_version(self, account: Account, name: str) -> None:
        """Public or signed the URL is the live version's; past it any version can be asked."""
        functions = Functions(account)
        asked = request("/a b".replace(" ", "%20"), "q=1&r=%2F", b'{"n": 1}', content_type="application/json")
        for auth in ("NONE", "AWS_IAM"):
            answer = through_url(account, functions.ensure_url(name, LIVE, auth), asked)  # type: ignore[arg-type]
            found = json.loads(answer.response.body)
            assert (answer.response.status, found["code"], found["body"]) == (200, "one", '{"n": 1}')
        for qualifier, code, version in (("2", "two", "2"), (LIVE, "one", "1")):
            answer = through_invoke(functions, name, qualifier, asked)
            found = json.loads(answer.response.body)
            assert (found["code"], found["body"], answer.version) == (code, '{"n": 1}', version)
        assert through_invoke(functions, name, "2", request("/fails")).response.status == 500

    def test_says_what_a_function_raised(self, account: Account, name: str) -> None:
        """Its type and message, where the runtime knows them."""
        with pytest.raises(CallFailedError, match=f"{name}:2 failed: ValueError: no such thing"):
            through_invoke(Functions(account), name, "2", request("/raises"))
