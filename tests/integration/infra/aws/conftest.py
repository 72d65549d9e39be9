"""The AWS of this machine, one for all tests of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.aws.account import Account, connect
from infra.config_tables import AwsSettings
from tests.support.local_aws import local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Its account; tests keep apart by the names of their stages."""
    with local_aws(tmp_path_factory.mktemp("aws")) as access:
        yield connect(AwsSettings(), access)
