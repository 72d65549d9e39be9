"""`bough destroy` of a whole stage: nothing of it is left, and everything of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.deployed_shop import Shop

pytestmark = pytest.mark.prove


class TestDestroy:
    def test_leaves_nothing(self, shop: Shop) -> None:
        """Functions, versions, URL, stack, roles, alarms, bucket, parameters, logs: all that came is gone."""
        before, answering = shop.names(), shop.answering()
        shop.bough("deploy", "staging", "--local")
        shop.bough("call", "/readyz", "--stage", "staging", "--local")
        assert {"shop-staging", "shop-staging-api", "/aws/lambda/shop-staging-api"} <= shop.names() - before
        shop.bough("destroy", "staging", "--local", code=2)
        shop.bough("destroy", "staging", "--yes", "--local")
        assert shop.names() == before
        assert shop.answering() == answering
        assert "has nothing in AWS" in shop.bough("destroy", "staging", "--yes", "--local").stderr
