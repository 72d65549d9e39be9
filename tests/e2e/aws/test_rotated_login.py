"""Secrets of a deployed API, under AWS's own runtime client and beside the extension."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from api.database.engine import IDLE_THRESHOLD
from infra.aws.functions import Functions
from tests.support.deployed_shop import FUNCTION, PATIENCE

if TYPE_CHECKING:
    from tests.support.deployed_shop import Shop

pytestmark = pytest.mark.prove

ROTATE = ("secrets", "rotate", "database", "--stage", "production", "--local")
#: Beside the one that the migration function reads.
DIRECT = "/bough/shop/production/migrate/ANOTHER_URL_UNPOOLED"


class TestRotation:
    def test_reaches_a_warm_function_without_a_failed_request(self, shop: Shop) -> None:
        """It knows the old password alone, and learns the new one in the request that is refused."""
        ask = f"{shop.url}/readyz"
        assert httpx2.get(ask, timeout=PATIENCE).status_code == 200
        shop.bough(*ROTATE)
        shop.bough(*ROTATE, "--finish", "--now", "--yes")
        # Older, its connection is replaced.
        time.sleep(IDLE_THRESHOLD + 1)
        assert [httpx2.get(ask, timeout=PATIENCE).status_code for _ in range(3)] == [200] * 3
        since = ("--since", f"{IDLE_THRESHOLD + 60:.0f}s")
        said = shop.bough("logs", "production", "--local", *since, "-o", "json").stdout
        lines = [json.loads(json.loads(line)["message"]) for line in said.splitlines() if "Requests" in line]
        assert [(each["status"], each["database_connections"]) for each in lines][-3:] == [
            (200, 2),
            (200, 0),
            (200, 0),
        ]
        # For another stage, whose first deploy logs in as the application role itself.
        shop.bough("branch", "adopt", "main")


class TestRole:
    def test_of_the_api_cannot_read_the_direct_url(self, shop: Shop) -> None:
        """Also where its function names the parameter."""
        account = shop.account
        account.parameters.put_parameter(Name=DIRECT, Value="postgresql://x", Type="SecureString")
        functions = Functions(account)
        found = account.functions.get_function_configuration(FunctionName=FUNCTION)
        variables = found["Environment"]["Variables"]
        request = {"method": "GET", "path": "/readyz", "sourceIp": "127.0.0.1"}
        event = json.dumps({"version": "2.0", "headers": {}, "requestContext": {"http": request}})
        account.functions.update_function_configuration(
            FunctionName=FUNCTION, Environment={"Variables": variables | {"DATABASE_URL_PARAMETER": DIRECT}}
        )
        try:
            called = functions.invoke(FUNCTION, "$LATEST", event.encode())
        finally:
            account.parameters.delete_parameter(Name=DIRECT)
            account.functions.update_function_configuration(
                FunctionName=FUNCTION, Environment={"Variables": variables}
            )
        assert json.loads(called.result)["statusCode"] == 503
        assert f"the parameter {DIRECT} cannot be read: AccessDeniedException" in called.log
