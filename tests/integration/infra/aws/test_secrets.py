"""A stage's secrets, as parameters of a real server."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber

from infra.aws.secrets import MAX_BYTES, SecretError, SecretExistsError, Secrets
from infra.aws.stage import Stage
from infra.config_tables import StageSettings

if TYPE_CHECKING:
    from infra.aws.account import Account

_numbers = itertools.count()


@pytest.fixture
def secrets(account: Account) -> Secrets:
    """Those of a stage of the test's own."""
    return Secrets(account, Stage("shop", f"s{next(_numbers)}", StageSettings()))


class TestPut:
    """`Secrets.put`."""

    def test_writes_an_encrypted_parameter(self, secrets: Secrets, account: Account) -> None:
        """Its tags say whose it is; a further value is a further version."""
        assert [secrets.put("api", "STRIPE_KEY", value) for value in ("one", "two")] == [1, 2]
        assert secrets.get("api", "STRIPE_KEY") == "two"
        name = secrets.list()[0].parameter
        raw = account.parameters.get_parameter(Name=name)["Parameter"]
        assert (raw["Type"], raw["Value"]) == ("SecureString", "kms:alias/aws/ssm:two")
        tags = account.parameters.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
        assert {tag["Key"]: tag["Value"] for tag in tags["TagList"]}["bough:service"] == "shop"

    def test_keeps_what_must_not_be_replaced(self, secrets: Secrets) -> None:
        """A deploy fills in what is missing, and nothing else."""
        secrets.put("api", "AUTH_SECRET", "one", replace=False)
        with pytest.raises(SecretExistsError, match="AUTH_SECRET is set already"):
            secrets.put("api", "AUTH_SECRET", "two", replace=False)
        assert secrets.get("api", "AUTH_SECRET") == "one"

    @pytest.mark.parametrize(
        ("name", "value"), [("KEY", ""), ("key", "v"), ("A/B", "v"), ("KEY", "ü" * MAX_BYTES)]
    )
    def test_refuses_what_no_parameter_holds(self, secrets: Secrets, name: str, value: str) -> None:
        """Before AWS is asked; the value is not in the message."""
        with pytest.raises(SecretError) as caught:
            secrets.put("api", name, value)
        assert "ü" not in str(caught.value)
        assert secrets.list() == []

    def test_sends_tags_only_where_it_does_not_overwrite(self, secrets: Secrets, account: Account) -> None:
        """AWS refuses both together."""
        name, tags = "/bough/shop/stubbed/api/KEY", [("bough:service", "shop"), ("bough:stage", "stubbed")]
        base = {"Name": name, "Value": "v", "Type": "SecureString", "KeyId": "alias/shop"}
        stage = Stage("shop", "stubbed", StageSettings(kms_alias="alias/shop"))
        with Stubber(account.parameters) as stub:
            tagged = {**base, "Tags": [{"Key": key, "Value": value} for key, value in tags]}
            stub.add_client_error("put_parameter", "ParameterAlreadyExists", expected_params=tagged)
            stub.add_response("put_parameter", {"Version": 2}, {**base, "Overwrite": True})
            assert Secrets(account, stage).put("api", "KEY", "v") == 2
            stub.assert_no_pending_responses()


class TestList:
    """`Secrets.list`."""

    def test_tells_owners_names_and_versions(self, secrets: Secrets) -> None:
        """More than a page of them, and of one owner alone."""
        for number in range(11):
            secrets.put("api", f"KEY_{number:02}", "value")
        secrets.put("preview/pr-12", "DATABASE_URL", "value")
        found = secrets.list()
        assert [(each.owner, each.name) for each in found[-2:]] == [
            ("api", "KEY_10"),
            ("preview/pr-12", "DATABASE_URL"),
        ]
        assert len(found) == 12
        assert [each.name for each in secrets.list("preview/pr-12")] == ["DATABASE_URL"]
        assert "value" not in repr(found)


class TestDelete:
    """`Secrets.delete` and `Secrets.clear`."""

    def test_deletes_one_and_all_of_an_owner(self, secrets: Secrets) -> None:
        """What is gone already is no error."""
        for owner, name in (("api", "A"), ("api", "B"), ("preview/pr-1", "A"), ("preview/pr-12", "A")):
            secrets.put(owner, name, "value")
        assert [secrets.delete("api", "A"), secrets.delete("api", "A")] == [True, False]
        assert secrets.clear("preview/pr-1") == 1
        assert [(each.owner, each.name) for each in secrets.list()] == [("api", "B"), ("preview/pr-12", "A")]
        assert secrets.clear() == 2
        assert secrets.list() == []
        assert secrets.get("api", "B") is None
