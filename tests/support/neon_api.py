"""A control plane of the test's own: the real process, on its own folder, with faults.

Every exchange with it is held to the API's published document, where that is at hand.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from infra.local import control_plane
from infra.local.own_folder import folder as own_folder
from infra.local.own_folder import read_secrets
from tests.support.published_schema import published_schema
from tests.support.recording_proxy import RecordingProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROJECT = Path(__file__).parents[2]
_LOCKED = 423


@dataclass
class NeonApi:
    """A control plane's process and a client of its API.

    Args:
        root: The project's folder, which holds `.bough/`.
        arguments: More of the process's own, such as `--limits`.
    """

    root: Path
    arguments: list[str] = field(default_factory=list)
    proxy: RecordingProxy | None = None

    def start(self) -> None:
        """Start the process; return when it answers."""
        address = own_folder(self.root) / "neon" / "address.json"
        self.api_key = read_secrets(self.root).neon_api_key
        log = own_folder(self.root) / "neon.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "infra.local.neon_api",
                    *("--folder", str(own_folder(self.root)), "--faults", *self.arguments),
                ],
                cwd=_PROJECT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not self._is_ours(address):
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.01)
        self.upstream: str = json.loads(address.read_text())["base_url"]
        if self.proxy is None:
            self.proxy = RecordingProxy(self.upstream, published_schema("neon"))
        self.base_url = self.proxy.url
        headers = {"Authorization": f"Bearer {self.api_key}"}
        self.client = httpx2.Client(base_url=self.base_url, headers=headers, timeout=30)

    def _is_ours(self, address: Path) -> bool:
        return address.exists() and json.loads(address.read_text())["pid"] == self.process.pid

    def kill(self) -> None:
        """Kill the process at once; its servers run on."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.client.close()

    def stop(self) -> None:
        """End the process in order."""
        self.client.close()
        self.process.terminate()
        assert self.process.wait(60) == 0

    def call(
        self, method: str, path: str, body: Any = None, *, status: int | None = None, **query: Any
    ) -> Any:
        """Send a request below `/api/v2`, expect success or this status, and return the answer's document.

        423 is asked again where it is not expected, as all clients must: a compute may just be suspended.
        """
        deadline = time.monotonic() + 60
        while True:
            response = self.client.request(method, path.lstrip("/"), json=body, params=query)
            if response.status_code != _LOCKED or status == _LOCKED or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        expected = (status,) if status else (200, 201, 204)
        assert response.status_code in expected, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def done(self, answer: Any) -> Any:
        """Wait until the answer's operations have finished; return the answer."""
        for operation in answer["operations"]:
            path = f"/projects/{operation['project_id']}/operations/{operation['id']}"
            deadline = time.monotonic() + 60
            while (now := self.call("GET", path)["operation"])["status"] in ("scheduling", "running"):
                assert time.monotonic() < deadline, now
                time.sleep(0.01)
            assert now["status"] == "finished", now
        return answer

    def new_project(self, **settings: Any) -> str:
        """Make a project as the local world has it: database `app`, owner `bough_owner`; return its id."""
        branch = {"name": "main", "database_name": "app", "role_name": "bough_owner"}
        made = self.call("POST", "/projects", {"project": {"name": "local", "branch": branch, **settings}})
        return self.done(made)["project"]["id"]

    def new_branch(
        self, project_id: str, name: str, *, compute: bool = False, **options: Any
    ) -> dict[str, Any]:
        """Make a branch and return the finished answer."""
        endpoints = [{"type": "read_write"}] if compute else []
        body = {"branch": {"name": name, **options}, "endpoints": endpoints}
        answer: dict[str, Any] = self.done(self.call("POST", f"/projects/{project_id}/branches", body))
        return answer

    def fault(self, **rule: Any) -> None:
        """Let requests meet a fault; see `infra.local.neon_api.faults`."""
        response = self.client.post(self.base_url.removesuffix("/api/v2") + "/faults", json=rule)
        assert response.status_code == 201, response.text


@contextmanager
def neon_api(root: Path, *arguments: str) -> Iterator[NeonApi]:
    """Run a control plane while the block runs; afterwards nothing of it is left, nor its data."""
    api = NeonApi(root, list(arguments))
    try:
        api.start()
        yield api
        if api.process.poll() is None:
            api.stop()
    finally:
        if api.proxy:
            api.client.close()
            api.proxy.stop()
        if hasattr(api, "process"):
            api.process.kill()
            api.process.wait()
        # Kills its servers: nothing of them is needed any more, and checkpoints take time.
        control_plane.delete(api.root)  # where a test has moved it
