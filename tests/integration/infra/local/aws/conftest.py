"""One AWS of this machine for the tests of a worker: it takes a second or more to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.deployed_functions import Deployer
from tests.support.local_aws import local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Deploys to an AWS that the tests of this folder share; names are each test's own."""
    with local_aws(tmp_path_factory.mktemp("aws")) as access:
        yield Deployer.of(access)
