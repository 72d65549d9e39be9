"""A FastAPI project that knows nothing of bough, packaged by the command and served as Lambda would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.aws.target import Target
from tests.support.function_hosts import served

SHOP = Path(__file__).parents[1] / "projects" / "plain_fastapi"
BOUGH = Path(sys.executable).with_name("bough")


def bough(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run([str(BOUGH), *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns(".bough", "__pycache__"))
    return folder


class TestPackage:
    """`bough package`."""

    @pytest.mark.asyncio
    async def test_makes_a_zip_that_serves_the_app(self, shop: Path, tmp_path: Path) -> None:
        """Naming `app` is enough: JSON, bodies, binary answers and errors work as in development."""
        here = Target.this_machine()
        target = ("--runtime", here.runtime, "--architecture", here.architecture)
        done = bough(shop, "package", *target, "-o", "json")
        assert done.returncode == 0, done.stderr
        built = json.loads(done.stdout)
        assert (built["artifact"], built["head"]) == (str(shop / "dist/api.zip"), None)
        with zipfile.ZipFile(built["artifact"]) as archive:
            archive.extractall(tmp_path / "task")
        async with served(tmp_path / "task", built["handler"]) as it:
            item = await it.client.get("/items/a%20b", params={"size": 3})
            made = await it.client.post("/items", json={"name": "é"})
            picture = await it.client.get("/picture")
            missing = await it.client.get("/nothing")
            document = await it.client.get("/openapi.json")
        assert item.json() == {"name": "a b", "size": 3}
        assert (made.status_code, made.json()) == (201, {"name": "é"})
        assert (picture.content, picture.headers["content-type"]) == (bytes(range(256)), "image/png")
        assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
        assert document.json()["info"]["title"] == "Shop"

    def test_explains_what_is_wrong_and_exits_2(self, tmp_path: Path) -> None:
        """A misspelt key is named with the right one, without a traceback."""
        (tmp_path / "pyproject.toml").write_text('[tool.bough]\nap = "shop.main:app"\n')
        done = bough(tmp_path, "package", "--folder", str(tmp_path / "artifact"))
        assert done.returncode == 2
        assert "error[CONFIG_INVALID]" in done.stderr
        assert "did you mean 'app'?" in done.stderr
        assert "Traceback" not in done.stderr

    def test_loses_nothing_that_it_did_not_make(self, shop: Path, tmp_path: Path) -> None:
        """A folder with other files is refused and left alone."""
        (tmp_path / "notes.txt").write_text("mine")
        done = bough(shop, "package", "--folder", str(tmp_path))
        assert done.returncode == 1
        assert "error[NOT_AN_ARTIFACT]" in done.stderr
        assert (tmp_path / "notes.txt").read_text() == "mine"
