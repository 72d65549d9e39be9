"""`bough up --aws`: osls deploys this repository to an AWS on this machine, and what it deployed answers."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import httpx2
import psutil
import pytest

from infra.local.aws import server
from tests.support.bough_up import REPOSITORY, BoughUp, bough, copy_kit, remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.prove


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """What of this repository is deployed, in a project of the test's own."""
    root = tmp_path / "shop"
    root.mkdir()
    copy_kit(root)
    shutil.copy(REPOSITORY / "serverless.yml", root)
    shutil.copytree(REPOSITORY / "infra" / "aws" / "resources", root / "infra" / "aws" / "resources")
    (root / "node_modules").symlink_to(REPOSITORY / "node_modules")
    yield root
    remove(root)


class TestUpAws:
    def test_serves_what_was_deployed_until_it_is_ended(self, project: Path) -> None:
        """The port answers with the database's state; the log has it; nothing is left at the end."""
        with BoughUp(project, "--aws") as up:
            ready = httpx2.get(f"http://127.0.0.1:{up.port}/readyz", timeout=30)
            assert (ready.status_code, ready.json()["status"]) == (200, "ready")
            again = bough(project, "deploy", "--local", "--dry-run")
            assert again.returncode == 0, again.stderr
            logged = bough(project, "logs", "--local", "--since", "5m")
            assert "REPORT RequestId" in logged.stdout, logged.stderr
            status = bough(project, "status", "-o", "json")
            assert '"aws": "http://127.0.0.1:' in status.stdout
            assert f'"api_url": "http://127.0.0.1:{up.port}"' in status.stdout
            up.end(signal.SIGINT)
        assert server.find(project) is None
        assert not [each for each in psutil.process_iter(["cmdline"]) if str(project) in _line(each)]


def _line(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or ())
