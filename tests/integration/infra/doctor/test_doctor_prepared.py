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

    def test_named_ones_are_found_lost_though_other_processes_are_free(self, pooled):
        """Clients before it left several processes: whichever it gets, it is another one that counts."""
        with pooled.connected() as one, pooled.connected() as other:
            for client in (one, other):
                client.execute("BEGIN")
                client.execute("SELECT 1")
            for client in (one, other):
                client.execute("ROLLBACK")
            assert "named ones are lost" in prepared_statements(pooled).found

    def test_named_ones_hold_without_a_pooler(self, cluster, world, shared_database):
        """Each client finds its statement again on a process of its own."""
        url = shared_database.pooled.replace(port=cluster.port)
        assert "so named ones hold" in prepared_statements(pooled_target(url)).found

    def test_leaves_nothing_behind(self, database):
        """No statement of the probe's is on a server process that other clients get."""
        target = pooled_target(database.pooled)
        prepared_statements(target)
        with psycopg.connect(database.pooled.libpq(), autocommit=True, prepare_threshold=None) as client:
            left = client.execute("SELECT name FROM pg_prepared_statements").fetchall()
        assert [name for (name,) in left if name.startswith("bough_doctor")] == []
