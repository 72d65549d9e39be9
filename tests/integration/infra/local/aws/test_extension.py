"""The Parameters and Secrets extension, as a function of the AWS of this machine finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.deployed_functions import EXTENSION, LOGS

if TYPE_CHECKING:
    from tests.support.deployed_functions import Deployer

pytestmark = pytest.mark.prove

_READS = """
    import json, os, urllib.error, urllib.parse, urllib.request

    def read(name, token):
        query = urllib.parse.urlencode({"name": name, "withDecryption": "true"})
        port = os.environ["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"]
        url = f"http://localhost:{port}/systemsmanager/parameters/get?{query}"
        request = urllib.request.Request(url, headers={"X-Aws-Parameters-Secrets-Token": token})
        try:
            with urllib.request.urlopen(request) as answer:
                return [answer.status, json.load(answer)["Parameter"]["Value"]]
        except urllib.error.HTTPError as error:
            return [error.code, error.read().decode()]

    early = read("/bough/shop/production/api/KEY", os.environ["AWS_SESSION_TOKEN"])

    def handler(event, context):
        if event == "early":
            return early
        return read(event["name"], event.get("token", os.environ["AWS_SESSION_TOKEN"]))
"""
_OWN = {
    "Effect": "Allow",
    "Action": "ssm:GetParameter",
    "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/bough/shop/production/api/*",
}
_NAME = "/bough/shop/production/api/KEY"


def _reader(deployer: Deployer, name: str, **variables: str) -> None:
    deployer.function(
        name,
        _READS,
        Role=deployer.role(name, (LOGS, _OWN)),
        Layers=[EXTENSION],
        Environment={"Variables": {"PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": "2773", **variables}},
    )


def _put(deployer: Deployer, name: str, value: str) -> None:
    deployer.account.parameters.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


def _read(deployer: Deployer, function: str, event: Any) -> Any:
    return deployer.invoke(function, event)["Payload"]


class TestExtension:
    def test_serves_what_the_role_may_read(self, deployer: Deployer) -> None:
        """The value comes decrypted; other parameters, and missing ones, are refused by name of the error."""
        _put(deployer, _NAME, "s3cret")
        _put(deployer, "/bough/shop/production/migrate/KEY", "other")
        _reader(deployer, "reads")
        assert _read(deployer, "reads", {"name": _NAME}) == [200, "s3cret"]
        status, why = _read(deployer, "reads", {"name": "/bough/shop/production/migrate/KEY"})
        assert status == 400
        assert "AccessDeniedException" in why
        assert "other" not in why
        status, why = _read(deployer, "reads", {"name": f"{_NAME}S"})
        assert status == 400
        assert "ParameterNotFound" in why

    def test_answers_during_invocations_and_to_its_own_function_alone(self, deployer: Deployer) -> None:
        """While the code is imported it is not ready; another's token is nobody's."""
        _put(deployer, _NAME, "s3cret")
        _reader(deployer, "asks")
        assert _read(deployer, "asks", "early") == [400, "not ready to serve traffic, please wait"]
        assert _read(deployer, "asks", {"name": _NAME, "token": "made up"})[0] == 401

    def test_keeps_what_it_read(self, deployer: Deployer) -> None:
        """A new value is seen after the time to live, which the function's settings say."""
        _put(deployer, _NAME, "old")
        _reader(deployer, "keeps")
        _reader(deployer, "asks-again", SSM_PARAMETER_STORE_TTL="0")
        for function in ("keeps", "asks-again"):
            assert _read(deployer, function, {"name": _NAME}) == [200, "old"]
        _put(deployer, _NAME, "new")
        assert _read(deployer, "keeps", {"name": _NAME}) == [200, "old"]
        assert _read(deployer, "asks-again", {"name": _NAME}) == [200, "new"]
