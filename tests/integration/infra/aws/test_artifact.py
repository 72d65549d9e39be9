"""The artifact folder, built for real with uv from its cache."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Never

import pytest

from infra.aws.artifact import ArtifactFolderError, build_folder
from infra.aws.uv import DependenciesError
from infra.config import Project, load_project
from infra.disk import DiskFullError

SHOP = Path(__file__).parents[3] / "projects" / "plain_fastapi"


def copied(folder: Path) -> Project:
    """Return a copy of the foreign project."""
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns(".bough", "__pycache__"))
    return load_project(folder)


def copied_with_dependencies(shop: Project, folder: Path) -> Project:
    """Return a copy of a project that need not install anything."""
    build_folder(shop, folder.with_name("artifact"))
    shutil.copytree(shop.root, folder)
    return load_project(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose compiled dependencies are kept between this module's tests."""
    return copied(tmp_path_factory.mktemp("projects") / "shop")


class TestBuildFolder:
    """`build_folder`."""

    def test_holds_dependencies_code_and_the_generated_module(self, shop: Project, tmp_path: Path) -> None:
        """Everything that the function imports is there."""
        built = build_folder(shop, tmp_path / "artifact")
        names = contents(built.folder).keys()
        assert {"shop/main.py", "api/handler.py", "fastapi/__init__.py", "mangum/__init__.py"} <= names
        assert (built.folder / "api/build.py").read_text().splitlines()[2:] == [
            "APP: str = 'shop.main:application'",
            "HEAD: str | None = None",
            "NEEDED: str | None = None",
            "REVISIONS: tuple[str, ...] = ()",
        ]

    @pytest.mark.prove
    def test_holds_the_extras_that_are_named(self, shop: Project, tmp_path: Path) -> None:
        """The requirements of a chosen extra ship too; choosing it gives another fingerprint."""
        without = build_folder(shop, tmp_path / "artifact")
        assert not (without.folder / "iniconfig").exists()
        chosen = build_folder(replace(shop, extras=("ini",)), tmp_path / "artifact")
        assert (chosen.folder / "iniconfig/__init__.py").is_file()
        assert chosen.fingerprint != without.fingerprint
        assert build_folder(shop, tmp_path / "artifact").fingerprint == without.fingerprint
        assert not (without.folder / "iniconfig").exists()

    def test_holds_nothing_else(self, shop: Project, tmp_path: Path) -> None:
        """No SDK, tool, script, installer's record, test, stub or C source."""
        names = contents(build_folder(shop, tmp_path / "artifact").folder).keys()
        tops = {name.split("/")[0].split("-")[0] for name in names}
        assert not tops & {"boto3", "botocore", "alembic", "pytest", "bin", "include", "infra", "scripts"}
        unwanted = (".pyi", ".c", ".h", ".pyx", "RECORD", "INSTALLER", ".env", ".lock")
        assert not [name for name in names if name.endswith(unwanted) or "/tests/" in name]
        assert "fastapi/routing.py" in names

    def test_has_unchecked_bytecode_for_every_module(self, shop: Project, tmp_path: Path) -> None:
        """Each .pyc is for this Python, unoptimized, and says that its source is never looked at."""
        folder = build_folder(shop, tmp_path / "artifact").folder
        sources = [path for path in folder.rglob("*.py") if path.read_bytes()]
        assert len(sources) > 300
        for source in sources:
            head = Path(importlib.util.cache_from_source(str(source), optimization="")).read_bytes()[:8]
            # PEP 552: the magic number, then flags: hash-based without a check.
            assert head == importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little"), source

    def test_names_files_as_lambda_does(self, shop: Project, tmp_path: Path) -> None:
        """No path of the build machine is in the bytecode; tracebacks name the task root."""
        folder = build_folder(shop, tmp_path / "artifact").folder
        compiled = next(folder.glob("shop/__pycache__/main.*.pyc")).read_bytes()
        assert b"/var/task/shop/main.py" in compiled
        assert str(tmp_path).encode() not in compiled
        assert str(shop.root).encode() not in compiled

    @pytest.mark.prove
    def test_gives_equal_bytes_for_equal_inputs(self, shop: Project, tmp_path: Path) -> None:
        """Another copy of the project, installed and compiled anew, gives the same artifact."""
        again = copied(tmp_path / "elsewhere" / "shop")
        first = build_folder(shop, tmp_path / "first")
        second = build_folder(again, tmp_path / "second")
        assert first.fingerprint == second.fingerprint
        assert contents(first.folder) == contents(second.folder)

    def test_does_nothing_when_nothing_changed(self, shop: Project, tmp_path: Path) -> None:
        """A second build leaves the very same folder."""
        first = build_folder(shop, tmp_path / "artifact")
        before = first.folder.stat().st_ino
        assert build_folder(shop, tmp_path / "artifact") == first
        assert first.folder.stat().st_ino == before

    def test_builds_again_when_a_source_changes(self, shop: Project, tmp_path: Path) -> None:
        """An edit gives another fingerprint and reaches the artifact, bytecode included."""
        project = copied_with_dependencies(shop, tmp_path / "shop")
        first = build_folder(project, tmp_path / "artifact")
        (project.root / "shop/main.py").write_text("application = 'edited'\n")
        second = build_folder(project, tmp_path / "artifact")
        assert first.fingerprint != second.fingerprint
        compiled = next(second.folder.glob("shop/__pycache__/main.*.pyc")).read_bytes()
        assert b"edited" in compiled

    def test_records_the_head_revision(self, shop: Project, tmp_path: Path) -> None:
        """The code knows which revisions it was built at."""
        project = copied_with_dependencies(shop, tmp_path / "shop")
        versions = project.root / "migrations/versions"
        versions.mkdir(parents=True)
        (versions / "a.py").write_text("revision = 'a1'\ndown_revision = None\n")
        built = build_folder(project, tmp_path / "artifact")
        assert built.revisions.head == "a1"
        assert "REVISIONS: tuple[str, ...] = ('a1',)" in (built.folder / "api/build.py").read_text()

    def test_refuses_a_folder_of_someone_else(self, shop: Project, tmp_path: Path) -> None:
        """A folder with files that were not built here stays as it is."""
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/cat.jpg").write_text("cat")
        with pytest.raises(ArtifactFolderError, match="not made by"):
            build_folder(shop, tmp_path / "photos")
        assert contents(tmp_path / "photos") == {"cat.jpg": b"cat"}

    @pytest.mark.parametrize("inside", ["", "shop"])
    def test_refuses_the_project_itself(self, shop: Project, inside: str) -> None:
        """A slip of the path does not replace the sources."""
        with pytest.raises(ArtifactFolderError, match="own files"):
            build_folder(shop, shop.root / inside)
        assert (shop.root / "shop/main.py").is_file()

    def test_takes_an_empty_folder(self, shop: Project, tmp_path: Path) -> None:
        """There is nothing to lose in an empty folder."""
        (tmp_path / "artifact").mkdir()
        assert (build_folder(shop, tmp_path / "artifact").folder / "shop/main.py").is_file()

    @pytest.mark.parametrize("step", ["contents.compile_folder", "artifact._replace"])
    def test_keeps_the_earlier_artifact_when_the_disk_is_full(
        self, shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        """A build that fails half-way changes nothing and leaves nothing behind."""

        def full(*_: object) -> Never:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        build_folder(shop, tmp_path / "artifact")
        before = contents(tmp_path)
        monkeypatch.setattr(f"infra.aws.{step}", full)
        with pytest.raises(DiskFullError, match="is full"):
            build_folder(replace(shop, handler="shop.main.application"), tmp_path / "artifact")
        assert contents(tmp_path) == before

    def test_recovers_from_a_build_that_was_killed(self, shop: Project, tmp_path: Path) -> None:
        """What a killed build leaves is no obstacle: a partial folder, a half-done swap."""
        folder = tmp_path / "artifact"
        build_folder(shop, folder)
        (tmp_path / ".artifact.new").mkdir()
        (tmp_path / ".artifact.new/part").write_text("")
        folder.rename(tmp_path / ".artifact.old")
        (tmp_path / "artifact.fingerprint").write_text("building\n")
        build_folder(shop, folder)
        assert (folder / "shop/main.py").is_file()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact", "artifact.fingerprint"]

    def test_says_what_uv_says(self, tmp_path: Path) -> None:
        """A lock that cannot be installed here is explained in uv's words."""
        project = copied(tmp_path / "shop")
        lock = (project.root / "uv.lock").read_text()
        (project.root / "uv.lock").write_text(lock.replace("version = 1\n", "version = 99\n"))
        with pytest.raises(DependenciesError, match=r"uv could not read the lock of .*: .*99"):
            build_folder(project, tmp_path / "artifact")
        assert not (tmp_path / "artifact").exists()

    def test_refuses_a_lock_that_is_out_of_date(self, shop: Project, tmp_path: Path) -> None:
        """What pyproject.toml asks for meanwhile would be missing, although nothing else has changed."""
        project = copied_with_dependencies(shop, tmp_path / "shop")
        pyproject = project.root / "pyproject.toml"
        pyproject.write_text(
            pyproject.read_text().replace("dependencies = [", 'dependencies = ["iniconfig", ', 1)
        )
        with pytest.raises(DependenciesError, match=r"needs to be updated.*uv lock"):
            build_folder(project, tmp_path / "artifact")

    def test_names_a_missing_lock(self, tmp_path: Path) -> None:
        """Without uv.lock nothing says what to ship."""
        project = copied(tmp_path / "shop")
        (project.root / "uv.lock").unlink()
        with pytest.raises(DependenciesError, match=r"no uv\.lock"):
            build_folder(project, tmp_path / "artifact")

    def test_imports_alone(self, shop: Project, tmp_path: Path) -> None:
        """The app and its handler load from the artifact with no other package in reach."""
        folder = build_folder(shop, tmp_path / "artifact").folder
        code = "import api.handler, shop.main, sys; assert 'pytest' not in sys.modules; import pytest"
        done = subprocess.run(
            [sys.executable, "-S", "-W", "error", "-c", code],
            cwd=folder,
            env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.strip().splitlines()[-1] == "ModuleNotFoundError: No module named 'pytest'"
