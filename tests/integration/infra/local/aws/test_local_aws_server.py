"""The AWS of this machine as a process: started once, found again, ended without a trace."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.aws.account import connect
from infra.config_tables import AwsSettings
from infra.local.aws import server

if TYPE_CHECKING:
    from pathlib import Path


class TestEnsureRunning:
    def test_starts_one_process_for_commands_that_come_at_once(self, tmp_path: Path) -> None:
        """Two commands that need it at once share one; it is found until it is stopped."""
        said: list[str] = []
        try:
            with ThreadPoolExecutor() as threads:
                found = [threads.submit(server.ensure_running, tmp_path, announce=said.append) for _ in "ab"]
            first, second = (each.result() for each in found)
            assert first == second == server.find(tmp_path)
            assert len(said) == 1
            assert "memory" in said[0]
            assert connect(AwsSettings(), first).id == "123456789012"
        finally:
            ended = server.stop(tmp_path)
        assert ended == ["AWS of this machine"]
        assert server.find(tmp_path) is None
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", urlsplit(first.endpoint).port)) != 0

    def test_nothing_is_stopped_where_none_runs(self, tmp_path: Path) -> None:
        """A folder in which nothing was ever started stays empty."""
        assert server.stop(tmp_path) == []
        assert server.find(tmp_path) is None
        assert list(tmp_path.iterdir()) == []
