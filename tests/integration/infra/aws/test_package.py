"""The zip, built for real with uv from its cache."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from infra.aws import explain, interpreters
from infra.aws.artifact import ArtifactError
from infra.aws.checks import SecretInPackageError, WrongTargetError
from infra.aws.dependencies import BUILDING
from infra.aws.explain import ImportFailedError
from infra.aws.package import Kind, Package, build_package
from infra.aws.target import Target
from infra.config import Project, load_project
from infra.config_tables import ConfigError

SHOP = Path(__file__).parents[3] / "projects" / "plain_fastapi"
ROOT = Path(__file__).parents[4]
HERE = Target.this_machine()


def copied(folder: Path) -> Project:
    """Return a copy of the foreign project."""
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns(".bough", "__pycache__"))
    return load_project(folder)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose compiled dependencies are kept between this module's tests."""
    return copied(tmp_path_factory.mktemp("projects") / "shop")


@pytest.fixture(scope="module")
def built(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Return the project's package, built once."""
    return build_package(shop, tmp_path_factory.mktemp("packages") / "dist", target=HERE)


class TestBuildPackage:
    """`build_package`."""

    def test_says_what_is_in_the_zip(self, built: Package) -> None:
        """What serverless.yml and Lambda are told is what was built."""
        content = built.zip.read_bytes()
        record = json.loads(built.zip.with_name("api.json").read_text())
        assert built.zip.parts[-2:] == ("dist", "api.zip")
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
        assert len(names) == len(set(names))
        assert (built.compiled_by, built.warning) == (platform.python_version(), None)

    @pytest.mark.prove
    def test_gives_equal_bytes_for_equal_inputs(self, built: Package, tmp_path: Path) -> None:
        """Another copy, under other settings of the user, gives the same zip and so the same hash."""
        project = copied(tmp_path / "elsewhere" / "shop")
        for file in project.root.rglob("*.py"):
            os.utime(file, (0, 0))
            file.chmod(0o600)
        target = ("--runtime", HERE.runtime, "--architecture", HERE.architecture)
        code = "import sys; from scripts.cli import main; sys.exit(main())"
        done = subprocess.run(
            [
                "sh",
                "-c",
                'umask 077; exec "$@"',
                "-",
                sys.executable,
                "-c",
                code,
                "package",
                "-o",
                "json",
                *target,
            ],
            cwd=project.root,
            env=os.environ
            | {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sha256"] == built.sha256

    def test_does_nothing_when_nothing_changed(self, shop: Project, built: Package) -> None:
        """A second build leaves the very same files."""
        before = built.zip.stat().st_ino
        assert build_package(shop, built.zip.parent, target=HERE) == built
        assert built.zip.stat().st_ino == before

    def test_builds_again_what_was_changed_or_lost(self, shop: Project, built: Package) -> None:
        """A zip that was cut short is not taken for the one that was built, nor one without its record."""
        built.zip.write_bytes(b"cut short")
        assert build_package(shop, built.zip.parent, target=HERE) == built
        built.zip.with_name("api.json").write_text("{")
        assert build_package(shop, built.zip.parent, target=HERE) == built
        assert sorted(path.name for path in built.zip.parent.iterdir()) == ["api.json", "api.zip"]

    @pytest.mark.prove
    def test_ships_the_projects_own_file_once(self, shop: Project, built: Package, tmp_path: Path) -> None:
        """A file that a dependency has as well is the project's: a zip must not hold both."""
        own = shop.root / "typing_extensions.py"
        own.write_text("mine = True\n")
        try:
            other = build_package(replace(shop, include=("typing_extensions.py",)), tmp_path, target=HERE)
        finally:
            own.unlink()
        with zipfile.ZipFile(other.zip) as archive:
            assert archive.namelist().count("typing_extensions.py") == 1
            assert archive.read("typing_extensions.py") == b"mine = True\n"

    def test_keeps_the_earlier_zip_when_a_secret_would_ship(self, built: Package, tmp_path: Path) -> None:
        """It is found before anything is installed or written."""
        project = copied(tmp_path / "shop")
        (project.root / "shop/keys.py").write_text("\nNEON = 'napi_" + "a1b2c3d4" * 8 + "'\n")
        with pytest.raises(
            SecretInPackageError, match=r"shop/keys\.py, line 2: this looks like an API key of Neon"
        ):
            build_package(project, built.zip.parent, target=HERE)
        assert hashlib.sha256(built.zip.read_bytes()).hexdigest() == built.sha256
        assert not list((project.root / ".bough").glob("dependencies-*"))

    def test_refuses_what_the_target_cannot_load(self, shop: Project, tmp_path: Path) -> None:
        """A library that was built for another Python is found before Lambda would fail to import it."""
        fast = shop.root / "shop/fast.cpython-310-x86_64-linux-gnu.so"
        fast.write_bytes(b"\x7fELF" + bytes(60))
        try:
            with pytest.raises(WrongTargetError, match=r"fast\.cpython-310.* is for Python 3\.10"):
                build_package(shop, tmp_path / "dist", target=HERE)
        finally:
            fast.unlink()
        assert list((tmp_path / "dist").iterdir()) == []

    def test_refuses_what_is_edited_meanwhile(
        self, shop: Project, built: Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not what was searched for secrets. What a killed build left behind is gone, too."""
        main = shop.root / "shop/main.py"
        before = main.read_bytes()
        left_behind = shop.root / ".bough" / f"{BUILDING}killed"
        left_behind.mkdir()
        monkeypatch.setattr("infra.aws.contents.compile_folder", lambda *_: main.write_bytes(before + b"\n"))
        try:
            with pytest.raises(ArtifactError, match="changed while they were packaged"):
                build_package(replace(shop, handler="shop.main.application"), built.zip.parent, target=HERE)
        finally:
            main.write_bytes(before)
        assert hashlib.sha256(built.zip.read_bytes()).hexdigest() == built.sha256
        assert not left_behind.exists()

    def test_says_what_it_costs_when_no_python_can_compile(
        self, shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is built all the same: bytecode of another minor version would be of no use."""
        monkeypatch.setattr(interpreters, "find", lambda _: None)
        built = build_package(shop, tmp_path, target=HERE)
        with zipfile.ZipFile(built.zip) as archive:
            assert not [name for name in archive.namelist() if name.endswith(".pyc")]
        assert built.warning is not None
        assert "about three times as long" in built.warning
        assert f"uv python install {HERE.python}" in built.warning

    def test_wants_the_group_that_migrates(self, shop: Project, tmp_path: Path) -> None:
        """A project without migrations, or without what applies them, is told so."""
        with pytest.raises(ConfigError, match="no folder migrations"):
            build_package(shop, tmp_path, target=HERE, kind=Kind.MIGRATE)
        (shop.root / "migrations").mkdir()
        try:
            with pytest.raises(ConfigError, match="no dependency group 'migrate'") as caught:
                build_package(shop, tmp_path, target=HERE, kind=Kind.MIGRATE)
        finally:
            (shop.root / "migrations").rmdir()
        assert "uv add --group migrate alembic psutil 'psycopg[binary]'" in str(caught.value.hint)


class TestExplain:
    """`weights` and `import_times`."""

    def test_says_where_bytes_and_time_go(self, built: Package) -> None:
        """Sizes add up to the zip's files; imports begin with the handler's and hold their children."""
        heaviest = explain.weights(built)
        assert sum(weight.unzipped for weight in heaviest) == built.unzipped
        assert {"pydantic_core", "shop", "(metadata)", "typing_extensions"} <= {it.package for it in heaviest}
        assert heaviest[0].zipped == max(weight.zipped for weight in heaviest)
        assert explain.why_not_run(built) is None
        times = explain.import_times(built)
        assert (times[0].module, times[0].depth) == ("api.handler", 0)
        assert "fastapi" in {each.module for each in times}
        assert sum(each.total for each in times if each.depth == 1) <= times[0].total

    def test_says_why_there_are_no_times(self, built: Package) -> None:
        """What another processor would need cannot be measured here."""
        other = "arm64" if HERE.architecture == "x86_64" else "x86_64"
        foreign = replace(built, target=Target(HERE.runtime, other))
        assert f"it is for {other}" in (explain.why_not_run(foreign) or "")
        with pytest.raises(ImportFailedError, match="cannot be run here"):
            explain.import_times(foreign)

    def test_says_why_a_handler_cannot_be_imported(self, built: Package) -> None:
        """Python's own last line is the reason."""
        with pytest.raises(ImportFailedError, match=r"No module named 'shop\.nothing'"):
            explain.import_times(replace(built, handler="shop.nothing.handler"))
