"""Many client processes share few server connections without a failed request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import load

if TYPE_CHECKING:
    from infra.testing.databases import Database


class TestPoolerLoad:
    """Client processes, each with an engine of its own, on a pooler with five server connections."""

    @pytest.mark.parametrize(
        ("processes", "requests"),
        [pytest.param(4, 800, id="short"), pytest.param(16, 10_000, id="full", marks=pytest.mark.prove)],
    )
    def test_no_request_fails_and_no_write_is_lost(
        self, empty_database: Database, processes: int, requests: int
    ) -> None:
        """What was acknowledged is stored, once."""
        outcome = load.run(empty_database, "ours", processes=processes, requests=requests)
        assert outcome.failures == {}
        assert outcome.requests == requests
        assert outcome.stored == outcome.inserted > requests // 4

    @pytest.mark.prove
    def test_harness_sees_the_seeds_engine_fail(self, empty_database: Database) -> None:
        """The same load on the engine of the seed documents: the test above can fail."""
        outcome = load.run(empty_database, "seed", processes=4, requests=800)
        assert outcome.failed > 0
