"""What Lambda is told about what was read before, parameter by parameter: its fakes ignore much of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.stub import Stubber

from infra.aws.account import Account
from infra.aws.function_errors import FunctionChangedError, FunctionFailedError
from infra.aws.functions import Functions
from infra.aws.uploads import SentCode, StoredCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME: Final = "shop-production-api"
FUNCTION: Final[dict[str, Any]] = {
    "FunctionName": NAME,
    "FunctionArn": f"arn:aws:lambda:eu-central-1:111122223333:function:{NAME}",
    "CodeSha256": "after=",
    "RevisionId": "r-2",
    "LastModified": "2026-11-22T06:00:00.000+0000",
    "Handler": "api.handler.handler",
    "Role": "arn:aws:iam::111122223333:role/shop",
    "Runtime": "python3.13",
    "Architectures": ["arm64"],
    "MemorySize": 512,
    "Timeout": 15,
    "State": "Active",
    "LastUpdateStatus": "Successful",
}
VERSION: Final = FUNCTION | {"Version": "7", "CodeSize": 1, "Description": '{"code":"1f63dff"}'}
ALIAS: Final[dict[str, Any]] = {"Name": "live", "FunctionVersion": "7", "RevisionId": "a-2"}
PUBLIC: Final[tuple[dict[str, Any], ...]] = (
    {"StatementId": "bough-url", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    {"StatementId": "bough-url-invoke", "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
)


@pytest.fixture
def account() -> Account:
    """Nobody's: nothing is sent."""
    session = boto3.Session("id", "secret", region_name="eu-central-1")
    return Account("111122223333", "eu-central-1", "aws", "arn:aws:iam::111122223333:user/ann", None, session)


@pytest.fixture
def lambda_(account: Account) -> Iterator[Stubber]:
    """Lambda, which expects exact parameters in their order."""
    with Stubber(account.functions) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def functions(account: Account) -> Functions:
    return Functions(account)


class TestUpdateCode:
    """`Functions.update_code`."""

    def test_names_the_revision_that_was_read(self, functions: Functions, lambda_: Stubber) -> None:
        """And returns the one after the update, which is another."""
        sent = {"FunctionName": NAME, "S3Bucket": "bucket", "S3Key": "k", "RevisionId": "r-1"}
        lambda_.add_response("update_function_code", FUNCTION | {"RevisionId": "r-1b"}, sent)
        for _ in range(2):
            lambda_.add_response("get_function_configuration", FUNCTION, {"FunctionName": NAME})
        assert functions.update_code(NAME, StoredCode("bucket", "k"), revision_id="r-1").revision_id == "r-2"

    def test_sends_the_zip_itself_without_a_bucket(
        self, functions: Functions, lambda_: Stubber, tmp_path: Path
    ) -> None:
        """The client encodes it."""
        (tmp_path / "api.zip").write_bytes(b"zip")
        sent = {"FunctionName": NAME, "ZipFile": b"zip", "RevisionId": "r-1"}
        lambda_.add_response("update_function_code", FUNCTION, sent)
        for _ in range(2):
            lambda_.add_response("get_function_configuration", FUNCTION)
        functions.update_code(NAME, SentCode(tmp_path / "api.zip"), revision_id="r-1")

    @pytest.mark.parametrize("code", ["PreconditionFailedException", "ResourceConflictException"])
    def test_says_that_somebody_else_was_faster(
        self, functions: Functions, lambda_: Stubber, code: str
    ) -> None:
        """Or is at it."""
        lambda_.add_client_error("update_function_code", code, "another")
        with pytest.raises(
            FunctionChangedError, match=f"somebody else has changed function {NAME}"
        ) as raised:
            functions.update_code(NAME, StoredCode("bucket", "k"), revision_id="r-1")
        assert "nothing was changed" in str(raised.value.hint)

    def test_says_why_the_code_does_not_become_ready(self, functions: Functions, lambda_: Stubber) -> None:
        """In Lambda's words."""
        lambda_.add_response("update_function_code", FUNCTION)
        failed = {
            "LastUpdateStatus": "Failed",
            "LastUpdateStatusReason": "The role is gone",
            "LastUpdateStatusReasonCode": "InvalidRole",
        }
        lambda_.add_response("get_function_configuration", FUNCTION | failed)
        with pytest.raises(
            FunctionFailedError, match=r"did not become ready: The role is gone \(InvalidRole\)"
        ):
            functions.update_code(NAME, StoredCode("bucket", "k"), revision_id="r-1")


class TestPublish:
    """`Functions.publish`."""

    def test_names_the_code_that_was_uploaded(self, functions: Functions, lambda_: Stubber) -> None:
        """And waits for the version itself."""
        sent = {"FunctionName": NAME, "CodeSha256": "after=", "Description": '{"code":"1f63dff"}'}
        lambda_.add_response("publish_version", VERSION, sent)
        waited = {"FunctionName": NAME, "Qualifier": "7"}
        lambda_.add_response("get_function_configuration", VERSION, waited)
        version = functions.publish(NAME, code_sha256="after=", description='{"code":"1f63dff"}')
        assert (version.number, version.note and version.note.code) == ("7", "1f63dff")

    def test_publishes_nothing_that_was_not_uploaded(self, functions: Functions, lambda_: Stubber) -> None:
        """Lambda calls it a wrong parameter."""
        said = "CodeSHA256 (a=) is different from current CodeSHA256 in $LATEST (b=)."
        lambda_.add_client_error("publish_version", "InvalidParameterValueException", said)
        with pytest.raises(FunctionChangedError, match=f"the code of function {NAME}"):
            functions.publish(NAME, code_sha256="a=", description="")


class TestPoint:
    """`Functions.point`."""

    def test_names_the_revision_of_the_alias(self, functions: Functions, lambda_: Stubber) -> None:
        """And ends weights, which an update would keep otherwise."""
        sent = {
            "FunctionName": NAME,
            "Name": "live",
            "FunctionVersion": "7",
            "RoutingConfig": {"AdditionalVersionWeights": {}},
            "RevisionId": "a-1",
        }
        lambda_.add_response("update_alias", ALIAS, sent)
        assert functions.point(NAME, "live", "7", revision_id="a-1").revision_id == "a-2"

    def test_makes_an_alias_that_is_not_there(self, functions: Functions, lambda_: Stubber) -> None:
        """Which Lambda refuses if somebody else has made it."""
        sent = {
            "FunctionName": NAME,
            "Name": "live",
            "FunctionVersion": "7",
            "RoutingConfig": {"AdditionalVersionWeights": {"8": 0.1}},
        }
        lambda_.add_response("create_alias", ALIAS, sent)
        functions.point(NAME, "live", "7", weights={"8": 0.1}, revision_id=None)
        lambda_.add_client_error("create_alias", "ResourceConflictException", "there is one")
        lambda_.add_response("get_alias", ALIAS | {"FunctionVersion": "6"})
        with pytest.raises(FunctionChangedError):
            functions.point(NAME, "live", "7", revision_id=None)

    def test_is_done_when_the_answer_was_lost(self, functions: Functions, lambda_: Stubber) -> None:
        """Asked again, Lambda finds another revision: the one that this has made."""
        lambda_.add_client_error("update_alias", "PreconditionFailedException", "another revision")
        lambda_.add_response("get_alias", ALIAS)
        assert functions.point(NAME, "live", "7", revision_id="a-1").revision_id == "a-2"


class TestEnsureUrl:
    """`Functions.ensure_url`."""

    URL: Final = {
        "FunctionUrl": "https://x.lambda-url.eu-central-1.on.aws/",
        "FunctionArn": FUNCTION["FunctionArn"],
        "CreationTime": "2026-11-22T06:00:00Z",
    }
    ON: Final = {"FunctionName": NAME, "Qualifier": "live"}

    def test_lets_everybody_in_with_both_permissions(self, functions: Functions, lambda_: Stubber) -> None:
        """Each names the revision of the policy, from the one on that has one."""
        missing = "ResourceNotFoundException", "there is none"
        lambda_.add_client_error("get_function_url_config", *missing, expected_params=self.ON)
        made = self.URL | {"AuthType": "NONE"}
        lambda_.add_response("create_function_url_config", made, self.ON | {"AuthType": "NONE"})
        lambda_.add_client_error("get_policy", *missing, expected_params=self.ON)
        revision: dict[str, str] = {}
        for number, statement in enumerate(PUBLIC):
            sent = self.ON | {"Principal": "*"} | statement | revision
            lambda_.add_response("add_permission", {"Statement": "{}"}, sent)
            revision = {"RevisionId": f"p-{number}"}
            policy = {"Policy": json.dumps({"Statement": [{"Sid": "bough-url"}]})} | revision
            lambda_.add_response("get_policy", policy, self.ON)
        url = functions.ensure_url(NAME, "live", "NONE")
        assert (url.url, url.auth) == ("https://x.lambda-url.eu-central-1.on.aws", "NONE")

    def test_closes_a_public_url(self, functions: Functions, lambda_: Stubber) -> None:
        """And takes its permissions back; those of others stay."""
        dated = self.URL | {"LastModifiedTime": "2026-11-22T06:00:00Z"}
        lambda_.add_response("get_function_url_config", dated | {"AuthType": "NONE"}, self.ON)
        closed = dated | {"AuthType": "AWS_IAM"}
        lambda_.add_response("update_function_url_config", closed, self.ON | {"AuthType": "AWS_IAM"})
        names = ["bough-url", "bough-url-invoke", "another"]
        for number in range(3):
            policy = json.dumps({"Statement": [{"Sid": name} for name in names[number:]]})
            lambda_.add_response("get_policy", {"Policy": policy, "RevisionId": f"p-{number}"}, self.ON)
            if number < len(PUBLIC):
                sent = self.ON | {"StatementId": names[number], "RevisionId": f"p-{number}"}
                lambda_.add_response("remove_permission", {}, sent)
        assert functions.ensure_url(NAME, "live", "AWS_IAM").auth == "AWS_IAM"
