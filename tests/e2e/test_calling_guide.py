"""`docs/guides/calling.md`, run as it is printed: curl, httpx2 and the generated client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.aws.artifact import build_folder
from infra.config import load_project
from tests.support.function_hosts import served
from tests.support.people import People
from tests.support.transcripts import blocks, play_in_shell

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.transcripts import Block

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/calling.md"
OPENAPI = ROOT / "docs/reference/openapi.json"
OPERATIONS = 71

pytestmark = pytest.mark.prove


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a client that was generated as `make client` does, without a warning."""
    folder = tmp_path_factory.mktemp("clients") / "python"
    names = (
        "--path",
        OPENAPI,
        "--config",
        ROOT / "clients/config.yml",
        "--meta",
        "uv",
        "--output-path",
        folder,
    )
    tools = Path(sys.executable).parent
    subprocess.run(
        [tools / "openapi-python-client", "generate", *names, "--fail-on-warning"],
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        check=True,
    )
    return folder


class TestClient:
    def test_every_operation_is_typed(self, client: Path) -> None:
        """A function for each, and nothing in it that a strict type checker does not know."""
        functions = [file for file in client.glob("bough_client/api/*/*.py") if file.name != "__init__.py"]
        assert len(functions) == OPERATIONS
        mypy = [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file",
            os.devnull,
            client / "bough_client",
        ]
        done = subprocess.run(mypy, cwd=client, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


class TestGuide:
    @pytest.mark.asyncio
    async def test_blocks_do_and_print_what_they_say(
        self, database: Database, client: Path, tmp_path: Path
    ) -> None:
        """Against the function that would be deployed, under AWS's runtime client."""
        People(database).add("grace", role="admin")
        build_folder(load_project(ROOT), tmp_path / "artifact")
        variables = {
            "DATABASE_URL": database.pooled.libpq(),
            "BOUGH_ENVIRONMENT": "test",
            "AUTH_SECRET": "0123456789abcdef" * 4,
            "BOUGH_CORS_ORIGINS": "https://app.example.com",
        }
        found = list(blocks(GUIDE.read_text()))
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PYTHONPATH": str(client),
        }
        async with served(tmp_path / "artifact", "api.handler.handler", environment=variables) as it:
            environment |= {"API": it.host.url}
            console = [block for block in found if block.language == "console"]
            await asyncio.to_thread(play_in_shell, console, environment)
            code, said = (_joined(found, language) for language in ("python", "text"))
            assert await asyncio.to_thread(_printed_by, code, environment) == said


def _joined(found: list[Block], language: str) -> str:
    return "".join(block.text for block in found if block.language == language)


def _printed_by(code: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
