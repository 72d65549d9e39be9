"""What this project itself ships by default: to Graviton and Python 3.13, whatever machine builds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from infra.aws import interpreters
from infra.aws.package import Kind, Package, build_package
from infra.aws.target import Target
from infra.aws.uv import find_uv
from infra.config import Project, load_project

ROOT = Path(__file__).parents[4]
SHIPPED = ("api", "infra", "migrations", "pyproject.toml", "uv.lock")
pytestmark = pytest.mark.prove


def copied(folder: Path) -> Project:
    """Return a copy of what ships of this project."""
    folder.mkdir(parents=True)
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    return load_project(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a copy whose dependencies are kept between this module's tests."""
    return copied(tmp_path_factory.mktemp("projects") / "kit")


@pytest.fixture(scope="module")
def api(project: Project) -> Package:
    """Return the API's package."""
    return build_package(project, project.root / "dist", target=Target.of(project))


def names(package: Package) -> list[str]:
    """Return the paths in a package."""
    with zipfile.ZipFile(package.zip) as archive:
        return archive.namelist()


def tops(package: Package) -> set[str]:
    """Return the packages and modules in it."""
    return {PurePosixPath(name).parts[0].partition(".")[0] for name in names(package)}


class TestApi:
    """The API's package."""

    def test_is_small(self, api: Package) -> None:
        """Without the extra for Supabase's storage; smaller packages start sooner."""
        assert (api.target, api.kind) == (Target("python3.13", "arm64"), Kind.API)
        assert api.size <= 22_000_000
        assert api.unzipped <= 75_000_000

    def test_holds_what_graviton_loads(self, api: Package) -> None:
        """All compiled code is of the target, although another processor may have built it."""
        shared = [name for name in names(api) if name.endswith(".so")]
        assert len(shared) > 10
        assert all("cpython-313-aarch64" in name or ".abi3." in name for name in shared)

    def test_holds_no_tools(self, api: Package) -> None:
        """Migrations are another function's, Lambda has an SDK; nothing reads tests, stubs or C."""
        unwanted = {
            "alembic",
            "psycopg",
            "boto3",
            "botocore",
            "infra",
            "migrations",
            "scripts",
            "bin",
            "include",
        }
        assert not tops(api) & unwanted
        suffixes = (".pyi", ".c", ".h", ".cpp", ".hpp", ".pyx", ".pxd", ".env", "RECORD", "direct_url.json")
        assert not [name for name in names(api) if name.endswith(suffixes) or "/tests/" in name]
        assert [
            name for name in names(api) if "opentelemetry_api" in name and name.endswith("entry_points.txt")
        ]

    def test_has_bytecode_of_its_own_python_alone(self, api: Package) -> None:
        """For every module, where this machine has that Python; of another one it would be of no use."""
        compiled = [name for name in names(api) if name.endswith(".pyc")]
        assert all(name.endswith(".cpython-313.pyc") for name in compiled)
        assert bool(compiled) == (interpreters.find("3.13") is not None)

    def test_is_the_same_from_another_cache_of_uv(
        self, project: Project, api: Package, tmp_path: Path
    ) -> None:
        """What is installed and packed by another user elsewhere has the same hash."""
        found = subprocess.run([find_uv(), "cache", "dir"], capture_output=True, text=True, check=True)
        # A copy of what is there, so that nothing need be downloaded; not in memory, it may be large.
        with tempfile.TemporaryDirectory(prefix="bough-uv-", dir="/var/tmp") as cache:
            shutil.copytree(found.stdout.strip(), cache, symlinks=True, dirs_exist_ok=True)
            other = copied(tmp_path / "elsewhere" / "kit")
            code = "import sys; from scripts.cli import main; sys.exit(main())"
            done = subprocess.run(
                [sys.executable, "-c", code, "package", "-o", "env"],
                cwd=other.root,
                env=os.environ | {"UV_CACHE_DIR": cache, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        assert f"SHA256={api.sha256}" in done.stdout.splitlines()
        assert (other.root / "dist/api.zip").read_bytes() == api.zip.read_bytes()

    @pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
    def test_is_packed_alike_by_every_python(self, api: Package, tmp_path: Path, python: str) -> None:
        """Which one runs the command changes no byte."""
        found = interpreters.find(python)
        if found is None:
            pytest.skip(f"no Python {python} here")
        with zipfile.ZipFile(api.zip) as archive:
            archive.extractall(tmp_path / "task")
        code = (
            "import pathlib, sys; sys.path.insert(0, sys.argv[1]); from infra.aws.zipping import write_zip; "
            "task, zip = map(pathlib.Path, sys.argv[2:]); "
            "write_zip(zip, {str(p.relative_to(task)): p for p in task.rglob('*') if p.is_file()})"
        )
        packed = []
        for number, executable in enumerate((Path(sys.executable), found.executable)):
            packed.append(tmp_path / f"{number}.zip")
            command = [executable, "-S", "-c", code, ROOT, tmp_path / "task", packed[-1]]
            subprocess.run([str(part) for part in command], check=True)
        assert packed[0].read_bytes() == packed[1].read_bytes()


class TestMigrate:
    """The migration function's package."""

    def test_holds_what_migrates(self, project: Project, api: Package) -> None:
        """The revisions, what applies them, and the models that they may import."""
        package = build_package(project, api.zip.parent, target=Target.of(project), kind=Kind.MIGRATE)
        assert (package.zip.name, package.handler) == ("migrate.zip", "infra.migrate.function.handler")
        assert {
            "alembic",
            "psycopg",
            "psutil",
            "sqlalchemy",
            "api",
            "infra",
            "migrations",
            "pyproject",
        } <= tops(package)
        assert not tops(package) & {"boto3", "botocore", "moto", "rich", "typer", "scripts", "tests"}
        assert "migrations/env.py" in names(package)
        assert api.zip.is_file()

    def test_imports_alone(self, project: Project, tmp_path: Path) -> None:
        """What applies revisions needs nothing that is not in it."""
        package = build_package(project, tmp_path, target=Target.this_machine(), kind=Kind.MIGRATE)
        with zipfile.ZipFile(package.zip) as archive:
            archive.extractall(tmp_path / "task")
        done = subprocess.run(
            [
                sys.executable,
                "-S",
                "-W",
                "error",
                "-c",
                "import infra.migrate.runner, api.models, psycopg.pq",
            ],
            cwd=tmp_path / "task",
            env={"PYTHONPATH": str(tmp_path / "task"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
