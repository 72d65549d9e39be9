from __future__ import annotations

import psycopg

from infra.doctor.checks import Status
from infra.doctor.prepared import prepared_statements
from tests.support.doctor import pooled_target


class TestPreparedStatements:
    def test_of_the_engine_are_safe_and_named_ones_are_lost(self, pooled):
        """Our pooler keeps no named statements, the stricter case: the engine does not need them."""
        finding = prepared_statements(pooled)
        assert finding.status is Status.OK
        assert "unnamed" in finding.found
        assert "named ones are lost" in finding.found

    def test_named_ones_hold_without_a_pooler(self, cluster, world, shared_database):
        """On a connection of its own the probe finds its statement again."""
        url = shared_database.pooled.replace(port=cluster.port)
        assert "named ones hold too" in prepared_statements(pooled_target(url)).found

    def test_leaves_nothing_behind(self, database):
        """No statement of the probe's is on a server process that other clients get."""
        target = pooled_target(database.pooled)
        prepared_statements(target)
        with psycopg.connect(database.pooled.libpq(), autocommit=True, prepare_threshold=None) as client:
            left = client.execute("SELECT name FROM pg_prepared_statements").fetchall()
        assert [name for (name,) in left if name.startswith("bough_doctor")] == []
