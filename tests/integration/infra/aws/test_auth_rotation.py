"""A new key of access tokens beside the old one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from api.auth_keys import accepted_keys, read_auth_keys, signing_key
from infra.aws.rotation import SPREAD, RotationError, rotate_auth
from infra.aws.secrets import Secrets
from infra.aws.stage import Stage
from infra.config_tables import StageSettings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account


@pytest.fixture
def secrets(account: Account, tmp_path: Path) -> Secrets:
    """Those of a stage without a database."""
    return Secrets(account, Stage("shop", tmp_path.name, StageSettings()))


class TestRotateAuth:
    """`rotate_auth`."""

    def test_the_new_key_signs_once_all_have_read_it(self, secrets: Secrets) -> None:
        """What the application reads of it: first both are good, at last only the new one."""
        secrets.put("api", "AUTH_SECRET", "old" * 20)
        begins = rotate_auth(secrets, now=1000.0)
        keys = read_auth_keys(secrets.get("api", "AUTH_SECRET") or "")
        assert begins == 1000 + SPREAD
        assert signing_key(keys, begins - 1) == "old" * 20
        assert signing_key(keys, begins) == keys[0].key != "old" * 20
        assert accepted_keys(keys, begins + 900, 900) == [keys[0].key, "old" * 20]
        assert accepted_keys(keys, begins + 901, 900) == [keys[0].key]

    def test_one_rotation_waits_for_the_other(self, secrets: Secrets) -> None:
        """Else environments would be without the key that signs; what the first has signed stays good."""
        secrets.put("api", "AUTH_SECRET", "old" * 20)
        begins = rotate_auth(secrets, now=1000.0)
        with pytest.raises(RotationError, match="begins to sign in 60 s"):
            rotate_auth(secrets, now=begins - 60)
        second = json.loads(secrets.get("api", "AUTH_SECRET") or "")["keys"][0]
        rotate_auth(secrets, now=begins)
        keys = json.loads(secrets.get("api", "AUTH_SECRET") or "")["keys"]
        assert [len(keys), keys[1]] == [3, second]
        assert accepted_keys(read_auth_keys(json.dumps({"keys": keys})), begins + 1, 900)[-1] == "old" * 20

    def test_at_once_the_new_key_is_the_only_one(self, secrets: Secrets) -> None:
        """And so is the first key of all."""
        rotate_auth(secrets, now=1000.0)
        first = secrets.get("api", "AUTH_SECRET")
        rotate_auth(secrets, at_once=True, now=1001.0)
        second = secrets.get("api", "AUTH_SECRET") or ""
        assert second != first
        assert [each.key for each in read_auth_keys(second)] == [second]

    def test_refuses_what_is_no_list_of_keys(self, secrets: Secrets) -> None:
        """The way out is in the hint, and nothing of it in the message."""
        secrets.put("api", "AUTH_SECRET", '{"keys": "hidden"}')
        with pytest.raises(RotationError, match="is no list of keys") as raised:
            rotate_auth(secrets)
        assert "hidden" not in f"{raised.value}{raised.value.__context__!r}"
