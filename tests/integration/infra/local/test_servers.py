"""Servers found by the files that they run on."""

from __future__ import annotations

import subprocess
import sys

from infra.local import processes, servers
from infra.local.home import Home
from infra.local.pooler import Pooler
from infra.local.postgres import PostgresCluster


class TestRunningBelow:
    def test_servers_are_found_and_removed_however_deep(self, tmp_path):
        """Nobody needs to know who started them; another folder's, and other programs, are left alone."""
        folder = tmp_path / "project" / "neon"
        deep = folder / "branches" / "br-1"
        cluster = PostgresCluster.start(deep / "postgres", durable=False)
        pooler = Pooler.start(deep / "pooler", postgres=cluster, users={})
        reader = subprocess.Popen([sys.executable, "-c", "input()", str(deep / "log")], stdin=subprocess.PIPE)
        home = Home.of(deep / "postgres").path
        try:
            found = servers.running_below(folder)
            assert sorted((each.name, each.pid) for each in found) == [
                ("pgbouncer", pooler.pid),
                ("postgres", cluster.pid),
            ]
            assert servers.running_below(tmp_path / "project" / "neo") == []
            servers.remove_below(folder)
            assert servers.running_below(folder) == []
            assert not processes.is_running(cluster.pid)
            assert not folder.exists()
            assert not home.exists()
            assert reader.poll() is None
        finally:
            reader.communicate(b"\n")

    def test_folder_that_is_not_there_has_none(self, tmp_path):
        """To ask makes nothing."""
        assert servers.running_below(tmp_path / "none") == []
        servers.remove_below(tmp_path / "none")
        assert list(tmp_path.iterdir()) == []
