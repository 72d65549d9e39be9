"""Function URLs of the AWS of this machine: who is let in, and which version answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.support.deployed_functions import PUBLIC, code

if TYPE_CHECKING:
    from tests.support.deployed_functions import Deployer

_SAYS = """
    def handler(event, context):
        caller = event["requestContext"].get("authorizer", {}).get("iam", {}).get("userArn")
        body = [WORD, event["rawPath"], event["rawQueryString"], context.invoked_function_arn, caller]
        import json
        return {"statusCode": 200, "body": json.dumps(body)}
"""


def _body(word: str) -> str:
    return f"WORD = {word!r}\n" + "\n".join(line[4:] for line in _SAYS.splitlines())


def _live(deployer: Deployer, name: str, auth: str = "NONE") -> str:
    """Deploy a function with an alias `live` that has a URL; return that."""
    deployer.function(name, _body("one"))
    deployer.client.publish_version(FunctionName=name)
    deployer.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    made = deployer.client.create_function_url_config(FunctionName=name, Qualifier="live", AuthType=auth)
    found = deployer.client.get_function_url_config(FunctionName=name, Qualifier="live")
    assert (found["FunctionUrl"], found["AuthType"]) == (made["FunctionUrl"], auth)
    return str(made["FunctionUrl"])


def _open(deployer: Deployer, name: str) -> None:
    for statement in PUBLIC:
        deployer.client.add_permission(FunctionName=name, Qualifier="live", Principal="*", **statement)


def _signed(url: str, key: str = "local", secret: str = "local") -> dict[str, str]:
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(key, secret), "lambda", "us-east-1").add_auth(request)
    return dict(request.headers)


class TestPublic:
    def test_answers_with_what_the_alias_leads_to(self, deployer: Deployer) -> None:
        """The event has path and query; the alias moves and the URL stays."""
        url = _live(deployer, "public")
        _open(deployer, "public")
        word, path, query, arn, caller = httpx2.get(f"{url}teams/7?a=b%20c").json()
        assert (word, path, query, caller) == ("one", "/teams/7", "a=b%20c", None)
        assert arn.endswith(":function:public:live")
        deployer.client.update_function_code(FunctionName="public", ZipFile=code(_body("two")))
        version = deployer.client.publish_version(FunctionName="public")["Version"]
        deployer.client.update_alias(FunctionName="public", Name="live", FunctionVersion=version)
        assert httpx2.get(url).json()[0] == "two"
        deployer.client.delete_function(FunctionName="public")
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url)

    @pytest.mark.prove
    @pytest.mark.parametrize("statement", PUBLIC, ids=lambda each: each["Action"])
    def test_is_forbidden_without_both_permissions(
        self, deployer: Deployer, statement: dict[str, Any]
    ) -> None:
        """URLs that were made since October 2025 need two; one of them is not enough."""
        name = f"half-{statement['StatementId']}"
        url = _live(deployer, name)
        deployer.client.add_permission(FunctionName=name, Qualifier="live", Principal="*", **statement)
        answer = httpx2.get(url)
        assert answer.status_code == 403
        assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"
        assert answer.json()["Message"].startswith("Forbidden. For troubleshooting Function URL")

    @pytest.mark.prove
    def test_permissions_of_the_function_are_not_the_aliases(self, deployer: Deployer) -> None:
        """A policy belongs to what its qualifier names."""
        url = _live(deployer, "elsewhere")
        for statement in PUBLIC:
            deployer.client.add_permission(FunctionName="elsewhere", Principal="*", **statement)
        assert httpx2.get(url).status_code == 403
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            deployer.client.get_policy(FunctionName="elsewhere", Qualifier="live")
        policy = json.loads(deployer.client.get_policy(FunctionName="elsewhere")["Policy"])
        assert [each["Condition"] for each in policy["Statement"]] == [
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
            {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
        ]

    @pytest.mark.prove
    def test_a_function_that_fails_is_a_502(self, deployer: Deployer) -> None:
        """As on AWS, which tells the caller nothing more."""
        url = _live(deployer, "fails")
        _open(deployer, "fails")
        deployer.client.update_function_code(
            FunctionName="fails", ZipFile=code("def handler(e, c): raise ValueError")
        )
        deployer.client.publish_version(FunctionName="fails")
        deployer.client.update_alias(FunctionName="fails", Name="live", FunctionVersion="2")
        answer = httpx2.get(url)
        assert (answer.status_code, answer.json()) == (502, {"Message": "Internal Server Error"})


class TestSigned:
    @pytest.mark.prove
    def test_lets_in_whoever_signs_as_this_account(self, deployer: Deployer) -> None:
        """No statement of a policy is needed; the function learns who called."""
        url = _live(deployer, "signed", "AWS_IAM") + "teams?name=a%20b"
        answer = httpx2.get(url, headers=_signed(url))
        assert answer.json()[4] == "arn:aws:iam::123456789012:root"

    def test_refuses_everybody_else_in_the_words_of_aws(self, deployer: Deployer) -> None:
        """Without a signature, with an unknown key, with another secret, and for another path."""
        url = _live(deployer, "closed", "AWS_IAM")
        refusals = {
            "Forbidden": {},
            "The security token": _signed(url, key="AKIAOTHER"),
            "The request signature we calculated": _signed(url, secret="other"),
            "The request signature": _signed(f"{url}other"),
        }
        for words, headers in refusals.items():
            answer = httpx2.get(url, headers=headers)
            assert answer.status_code == 403
            assert answer.json()["Message"].startswith(words)
