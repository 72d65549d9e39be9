from __future__ import annotations

from tests.support.node_clients import NodeClients


class TestNodeClients:
    def test_refuse_connections_that_would_leave_this_machine(self, tmp_path):
        """The guard that the other tests trust stops Neon's CLI short of Neon."""
        clients = NodeClients(
            tmp_path, base_url="https://console.neon.tech/api/v2", api_key="key", project_id="a-b-1"
        )
        refused = clients.run_neon("branches", "list")
        assert refused.returncode == 1
        assert "Could not reach the Neon API" in refused.stderr
        assert clients.refused_connections() == ["console.neon.tech:443"]
