"""Neon's own clients for Node, as npm installs them: the CLI, and scripts over the API client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_CLI = _ROOT / "node_modules" / "neon" / "dist" / "cli.js"
_LOOPBACK_ONLY = Path(__file__).with_name("loopback_only.cjs")


def require_node() -> str:
    """Return Node's path; skip the test where it or the packages are missing, fail in CI."""
    node = shutil.which("node")
    if node is not None and _CLI.exists():
        return node
    reason = "Neon's own clients are not installed: `make test` does so where there is npm"
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(reason)
    pytest.skip(reason)


class NodeClients:
    """Runs them against one API, in a folder and a home of their own, on loopback alone."""

    def __init__(self, folder: Path, *, base_url: str, api_key: str, project_id: str) -> None:
        """Prepare the folder.

        Args:
            folder: Empty; no file of the user's is read or written.
            base_url: Of the API.
            api_key: Its bearer key.
            project_id: What `neon` is told with every command that takes it.
        """
        self._node = require_node()
        self._folder = folder
        self._refused = folder / "refused"
        self._project_id = project_id
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            # No update check, no questions.
            "CI": "1",
            "NODE_OPTIONS": f"--require {_LOOPBACK_ONLY}",
            "REFUSED_CONNECTIONS": str(self._refused),
            "NEON_API_HOST": base_url,
            "NEON_API_KEY": api_key,
            "NEON_PROJECT_ID": project_id,
        }

    def neon(self, *arguments: str) -> Any:
        """Run a command of the CLI and return what it printed, read as JSON."""
        return json.loads(self.neon_text(*arguments, "--output", "json"))

    def neon_text(self, *arguments: str) -> str:
        """Run a command of the CLI and return its standard output."""
        done = self.run_neon(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_neon(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the CLI to its end, however it ends."""
        project = () if arguments[0] == "projects" else ("--project-id", self._project_id)
        return self._run(str(_CLI), *arguments, *project, "--no-analytics", "--no-color")

    def script(self, source: str) -> Any:
        """Run an ES module that may import `@neondatabase/api-client`; return what it printed, as JSON."""
        done = self._run("--input-type=module", "--eval", source, folder=_ROOT)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused_connections(self) -> list[str]:
        """Return where the clients wanted to connect outside of this machine."""
        return self._refused.read_text().split() if self._refused.exists() else []

    def _run(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [self._node, *arguments]
        return subprocess.run(
            command,
            cwd=folder or self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
