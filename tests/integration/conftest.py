"""What several kinds of integration tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.aws.account import Account, connect
from infra.config_tables import AwsSettings
from tests.support.histories import History, empty_history
from tests.support.local_aws import local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A project without revisions, of the test's own."""
    with empty_history(tmp_path) as project:
        yield project


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The AWS of this machine, one for all tests of a worker: their stages' names keep them apart."""
    with local_aws(tmp_path_factory.mktemp("aws")) as access:
        yield connect(AwsSettings(), access)
