"""What the servers' account can reach."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from infra.local import home


@pytest.fixture
def strict_umask():
    """That of a process whose files are nobody else's business, such as the control plane."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="as a user, servers run straight from the wheel")
class TestPostgresPrograms:
    @pytest.mark.usefixtures("strict_umask")
    def test_copy_can_be_executed_whatever_the_umask(self, monkeypatch):
        """The first to copy the wheel may be any process."""
        root = home.ROOT.with_name("bough-umask-test")
        monkeypatch.setattr(home, "ROOT", root)
        try:
            account = home.Home.of(root / "server").account
            program = home.postgres_programs() / "postgres"
            done = subprocess.run(
                [program, "--version"], user=account.pw_uid, capture_output=True, text=True, check=True
            )
            assert "PostgreSQL" in done.stdout
        finally:
            shutil.rmtree(root)
