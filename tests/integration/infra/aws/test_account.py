"""Who asks AWS, and what is refused before anything is asked of it that changes something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.aws.account import LocalAccess, connect
from infra.aws.errors import (
    AwsUnreachableError,
    CredentialsExpiredError,
    CredentialsInvalidError,
    CredentialsMissingError,
    RegionError,
    WrongAccountError,
)
from infra.config_tables import AwsSettings
from tests.support.scripted_api import Reply, ScriptedApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.errors import InfraError

IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/ann</Arn>"
    "<UserId>A</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def refusal(code: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>No entry.</Message></Error></ErrorResponse>"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedApi]:
    """AWS on this machine, and an environment that leads there and nowhere else."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never-shown")
    server = ScriptedApi(lambda _: Reply(body=IDENTITY))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    yield server
    server.stop()


class TestConnect:
    """`connect`."""

    def test_knows_the_account_and_region_of_the_credentials(self, answers: ScriptedApi) -> None:
        """After one request."""
        account = connect(AwsSettings(region="eu-central-1", account="111122223333"))
        assert (account.id, account.region, account.partition) == ("111122223333", "eu-central-1", "aws")
        assert account.arn("lambda", "function:a") == "arn:aws:lambda:eu-central-1:111122223333:function:a"
        assert len(answers.received) == 1
        assert "never-shown" not in repr(account)

    def test_refuses_another_account(self, answers: ScriptedApi) -> None:
        """Both are named."""
        with pytest.raises(WrongAccountError, match=r"111122223333 .*belongs to 444455556666") as caught:
            connect(AwsSettings(region="eu-central-1", account="444455556666"))
        assert caught.value.exit_code == 4

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("ExpiredToken", CredentialsExpiredError),
            ("InvalidClientTokenId", CredentialsInvalidError),
            ("SignatureDoesNotMatch", CredentialsInvalidError),
        ],
    )
    def test_says_what_is_wrong_with_credentials(
        self, answers: ScriptedApi, code: str, error: type[InfraError]
    ) -> None:
        """In AWS's own words, with exit code 4."""
        answers.script = lambda _: Reply(403, refusal(code))
        with pytest.raises(error, match=r"could not ask AWS who you are: No entry\.") as caught:
            connect(AwsSettings(region="eu-central-1"))
        assert caught.value.exit_code == 4

    def test_says_that_there_are_no_credentials(
        self, answers: ScriptedApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is asked."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(CredentialsMissingError, match="there are no credentials for AWS"):
            connect(AwsSettings(region="eu-central-1"))
        assert answers.received == []

    def test_refuses_a_profile_that_does_not_exist(
        self, answers: ScriptedApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is named."""
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        with pytest.raises(CredentialsMissingError, match="nobody"):
            connect(AwsSettings(region="eu-central-1"))

    @pytest.mark.parametrize(
        ("settings", "variable", "complaint"),
        [
            (None, None, "no region was named"),
            ("eu-central-1", "us-east-1", "AWS_REGION is us-east-1, and the project belongs to eu-central-1"),
            ("eu-centrel-1", None, "there is no region eu-centrel-1"),
        ],
    )
    def test_refuses_a_wrong_region(
        self,
        answers: ScriptedApi,
        monkeypatch: pytest.MonkeyPatch,
        settings: str | None,
        variable: str | None,
        complaint: str,
    ) -> None:
        """None, another one than the project's, or one that does not exist; nothing is asked."""
        if variable:
            monkeypatch.setenv("AWS_REGION", variable)
        with pytest.raises(RegionError, match=complaint) as caught:
            connect(AwsSettings(region=settings))
        assert (caught.value.exit_code, answers.received) == (4, [])

    def test_says_that_aws_cannot_be_reached(self, answers: ScriptedApi) -> None:
        """That may be different later."""
        answers.stop()
        with pytest.raises(AwsUnreachableError) as caught:
            connect(AwsSettings(region="eu-central-1"))
        assert caught.value.retryable

    def test_takes_this_machines_aws_without_asking_the_environment(
        self, answers: ScriptedApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A pinned account is not meant there, nor anybody's profile; no proxy is asked."""
        monkeypatch.setenv("AWS_REGION", "us-west-2")
        monkeypatch.setenv("AWS_PROFILE", "missing")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        account = connect(AwsSettings(account="444455556666"), LocalAccess(answers.url))
        assert account.environment() == {
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL": answers.url,
        }
