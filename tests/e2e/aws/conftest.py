"""One project for all of these tests, whose production is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.deployed_shop import Ended, Shop
from tests.support.stacks import require_osls

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def first_deploy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Ended]]:
    """A new project and its first deploy."""
    require_osls()
    shop = Shop(tmp_path_factory.mktemp("aws") / "shop")
    try:
        yield shop, shop.deploy()
    finally:
        shop.end()


@pytest.fixture
def shop(first_deploy: tuple[Shop, Ended]) -> Iterator[Shop]:
    """The project; what a test leaves uncommitted is taken back."""
    yield first_deploy[0]
    first_deploy[0].restore()
