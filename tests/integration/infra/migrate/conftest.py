"""What tests of migrations share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.throwaway import throwaway_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.postgres import PostgresCluster


@pytest.fixture(scope="session")
def throwaway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """One server for what a command would start its own for."""
    with throwaway_cluster(tmp_path_factory.mktemp("throwaway")) as started:
        yield started
