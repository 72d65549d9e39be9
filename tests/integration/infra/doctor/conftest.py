"""The two connection strings of a migrated database, which no test may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.doctor import direct_target, pooled_target

if TYPE_CHECKING:
    from infra.doctor.target import Direct, Pooled
    from infra.testing.databases import Database


@pytest.fixture
def pooled(shared_database: Database) -> Pooled:
    """The application role's."""
    return pooled_target(shared_database.pooled)


@pytest.fixture
def direct(shared_database: Database) -> Direct:
    """The owner's."""
    return direct_target(shared_database.direct)
