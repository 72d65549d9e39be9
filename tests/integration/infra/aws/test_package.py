"""The zip, built for real with uv from its cache."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from infra.aws.package import build_package
from infra.aws.target import Target
from infra.config import Project, load_project

SHOP = Path(__file__).parents[3] / "projects" / "plain_fastapi"
HERE = Target.this_machine()


def copied(folder: Path) -> Project:
    """Return a copy of the foreign project."""
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns(".bough", "__pycache__"))
    return load_project(folder)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose compiled dependencies are kept between this module's tests."""
    return copied(tmp_path_factory.mktemp("projects") / "shop")


class TestBuildPackage:
    """`build_package`."""

    def test_says_what_is_in_the_zip(self, shop: Project, tmp_path: Path) -> None:
        """What serverless.yml and Lambda are told is what was built."""
        built = build_package(shop, tmp_path / "dist", target=HERE)
        content = built.zip.read_bytes()
        record = json.loads((tmp_path / "dist/api.json").read_text())
        assert built.zip == tmp_path / "dist/api.zip"
        assert built.sha256 == record["sha256"] == hashlib.sha256(content).hexdigest()
        assert built.code_sha256 == base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert built.size == len(content)
        assert (record["handler"], record["runtime"], record["architecture"], record["head"]) == (
            *("api.handler.handler", HERE.runtime, HERE.architecture, None),
        )
        with zipfile.ZipFile(built.zip) as archive:
            assert built.unzipped == sum(entry.file_size for entry in archive.infolist())
            names = archive.namelist()
        assert {"shop/main.py", "api/build.py", "fastapi/__init__.py", "mangum/__init__.py"} <= set(names)
        assert names == sorted(names)

    def test_does_nothing_when_nothing_changed(self, shop: Project, tmp_path: Path) -> None:
        """A second build leaves the very same files."""
        first = build_package(shop, tmp_path, target=HERE)
        before = first.zip.stat().st_ino
        assert build_package(shop, tmp_path, target=HERE) == first
        assert first.zip.stat().st_ino == before

    def test_builds_again_what_was_changed_or_lost(self, shop: Project, tmp_path: Path) -> None:
        """A zip that was cut short or removed is not taken for the one that was built."""
        first = build_package(shop, tmp_path, target=HERE)
        first.zip.write_bytes(b"cut short")
        assert build_package(shop, tmp_path, target=HERE) == first
        (tmp_path / "api.json").write_text("{")
        assert build_package(shop, tmp_path, target=HERE) == first
        assert sorted(path.name for path in tmp_path.iterdir()) == ["api.json", "api.zip"]
