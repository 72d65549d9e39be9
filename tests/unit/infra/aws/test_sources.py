"""Which files ship, and which revisions they were built at."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import pytest
from alembic.script import ScriptDirectory

from infra.aws.contents import HANDLER_REQUIREMENTS
from infra.aws.distributions import normalized
from infra.aws.sources import KIT_API, Revisions, RevisionsError, own_files, revisions
from infra.config import Project
from infra.config_tables import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, *names: str) -> None:
    """Write empty files, with their folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def revision(folder: Path, name: str, down: str | tuple[str, ...] | None, phase: str = "expand") -> None:
    """Write a revision as Alembic's template does, importing what this environment lacks."""
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    text = f"from __future__ import annotations\nrevision: str = {name!r}\ndown_revision = {down!r}\n"
    text += f"phase = {phase!r}\n"
    (folder / "versions" / f"2026_{name}.py").write_text(text)


class TestOwnFiles:
    """`own_files`."""

    def test_takes_the_packages_of_app_and_handler(self, tmp_path: Path) -> None:
        """Both top-level packages ship whole, the rest of the project stays."""
        write(tmp_path, "shop/main.py", "shop/deep/page.html", "entry.py", "other/x.py", "setup.py")
        project = Project(tmp_path, "shop", app="shop.main:app", handler="entry.run")
        assert list(own_files(project)) == ["entry.py", "shop/deep/page.html", "shop/main.py"]

    def test_finds_a_src_layout(self, tmp_path: Path) -> None:
        """A package below src/ ships at the top, where it is imported from."""
        write(tmp_path, "src/shop/main.py", "src/extra/data.json")
        project = Project(
            tmp_path, "shop", app="shop.main:app", handler="shop.main.run", include=("src/extra",)
        )
        assert list(own_files(project)) == ["extra/data.json", "shop/main.py"]

    def test_leaves_out_secrets_tests_and_what_is_not_imported(self, tmp_path: Path) -> None:
        """Hidden files never ship, nor do tests, bytecode, stubs and C sources."""
        write(
            tmp_path,
            *("shop/main.py", "shop/.env", "shop/.git/config", "shop/tests/test_main.py"),
            *("shop/__pycache__/main.cpython-311.pyc", "shop/main.pyi", "shop/fast.c"),
        )
        project = Project(tmp_path, "shop", app="shop.main:app", handler="shop.main.run")
        assert list(own_files(project)) == ["shop/main.py"]

    def test_includes_what_patterns_match(self, tmp_path: Path) -> None:
        """A file, a folder and a glob each bring their files."""
        write(tmp_path, "main.py", "one.txt", "two/a/b.txt", "three/x.html", "three/x.css")
        project = Project(
            tmp_path, "shop", app="main:app", handler="main.run", include=("one.txt", "two", "three/*.html")
        )
        assert list(own_files(project)) == ["main.py", "one.txt", "three/x.html", "two/a/b.txt"]

    def test_refuses_a_pattern_without_a_match(self, tmp_path: Path) -> None:
        """A misspelt include is not ignored."""
        write(tmp_path, "main.py")
        project = Project(tmp_path, "shop", app="main:app", handler="main.run", include=("templats",))
        with pytest.raises(ConfigError, match="'templats' matches nothing"):
            own_files(project)

    @pytest.mark.parametrize("key", ["app", "handler"])
    def test_refuses_a_package_that_is_not_there(self, tmp_path: Path, key: str) -> None:
        """The error names the key, the module and where it was looked for."""
        write(tmp_path, "main.py")
        app, handler = ("x.y:z", "main.run") if key == "app" else ("main:app", "x.y")
        with pytest.raises(ConfigError, match=f"{key} = .*: no package or module 'x' in"):
            own_files(Project(tmp_path, "shop", app=app, handler=handler))

    def test_adds_the_default_handler_where_there_is_none(self, tmp_path: Path) -> None:
        """A foreign project gets this kit's handler beside its code, and no more of this kit."""
        write(tmp_path, "shop/main.py")
        files = own_files(Project(tmp_path, "shop", app="shop.main:app"))
        assert files == {
            "api/__init__.py": KIT_API / "__init__.py",
            "api/handler.py": KIT_API / "handler.py",
            "api/metrics.py": KIT_API / "metrics.py",
            "api/parameters.py": KIT_API / "parameters.py",
            "shop/main.py": tmp_path / "shop/main.py",
        }

    def test_keeps_the_projects_own_handler(self, tmp_path: Path) -> None:
        """A project's own api/handler.py is not replaced."""
        write(tmp_path, "api/handler.py", "api/app.py")
        assert own_files(Project(tmp_path, "shop"))["api/handler.py"] == tmp_path / "api/handler.py"

    def test_refuses_a_module_named_api(self, tmp_path: Path) -> None:
        """api.py and the default handler's package api cannot both be imported."""
        write(tmp_path, "api.py")
        with pytest.raises(ConfigError, match=r"api\.py hides"):
            own_files(Project(tmp_path, "shop", app="api:app"))

    def test_refuses_a_build_module_of_the_projects_own(self, tmp_path: Path) -> None:
        """The generated api/build.py does not silently replace a source file."""
        write(tmp_path, "api/build.py", "api/app.py")
        with pytest.raises(ConfigError, match="would be overwritten"):
            own_files(Project(tmp_path, "shop"))


class TestRevisions:
    """`revisions`."""

    def test_is_empty_without_a_folder(self, tmp_path: Path) -> None:
        """A project without migrations has no head."""
        assert revisions(tmp_path / "migrations") == Revisions()

    def test_agrees_with_alembic(self, tmp_path: Path) -> None:
        """Head and ids are those that Alembic finds by running the files."""
        for name, down in [("c3", "b2"), ("a1", None), ("b2", "a1")]:
            revision(tmp_path, name, down)
        alembic = ScriptDirectory(str(tmp_path))
        known = tuple(sorted(script.revision for script in alembic.walk_revisions()))
        found = revisions(tmp_path)
        assert (found.head, found.known) == (alembic.get_current_head(), known)
        assert found == Revisions("c3", "c3", ("a1", "b2", "c3"))

    def test_reads_without_running(self, tmp_path: Path) -> None:
        """A revision may import what only the project's environment holds."""
        revision(tmp_path, "a1", None)
        file = tmp_path / "versions" / "2026_a1.py"
        file.write_text("import not_installed_here\n" + file.read_text())
        assert revisions(tmp_path) == Revisions("a1", "a1", ("a1",))

    @pytest.mark.parametrize(
        ("phases", "needed"), [("ee", "r1"), ("eecc", "r1"), ("ece", "r2"), ("c", None), ("", None)]
    )
    def test_needs_the_newest_expand(self, tmp_path: Path, phases: str, needed: str | None) -> None:
        """The contracts after it wait for this code, so it cannot wait for them."""
        for number, phase in enumerate(phases):
            down = f"r{number - 1}" if number else None
            revision(tmp_path, f"r{number}", down, {"e": "expand", "c": "contract"}[phase])
        assert revisions(tmp_path).needed == needed

    def test_needs_a_contract_that_is_a_merge(self, tmp_path: Path) -> None:
        """Behind it are two histories, both of them needed."""
        revision(tmp_path, "a1", None)
        revision(tmp_path, "b2", None)
        revision(tmp_path, "c3", ("a1", "b2"), "contract")
        assert revisions(tmp_path).needed == "c3"

    def test_joins_a_merge(self, tmp_path: Path) -> None:
        """A merge revision has two parents and is the one head."""
        for name, down in [("a1", None), ("b2", None), ("c3", ("a1", "b2"))]:
            revision(tmp_path, name, down)
        assert revisions(tmp_path).head == "c3"

    def test_refuses_two_heads(self, tmp_path: Path) -> None:
        """History is linear; the error names the heads."""
        for name in ("a1", "b2"):
            revision(tmp_path, name, None)
        with pytest.raises(RevisionsError, match="2 heads: a1, b2"):
            revisions(tmp_path)

    def test_refuses_what_is_not_python(self, tmp_path: Path) -> None:
        """A broken revision names its file."""
        revision(tmp_path, "a1", None)
        (tmp_path / "versions" / "2026_a1.py").write_text("revision = ")
        with pytest.raises(RevisionsError, match=r"2026_a1\.py cannot be read"):
            revisions(tmp_path)


class TestHandlerRequirements:
    """`HANDLER_REQUIREMENTS`."""

    def test_cover_what_the_handler_imports(self) -> None:
        """A foreign project gets every third-party package that api/handler.py imports."""
        imported = set()
        for node in ast.walk(ast.parse((KIT_API / "handler.py").read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
        tops = {normalized(name.split(".")[0]) for name in imported} - {"api"}
        third_party = tops - {normalized(name) for name in sys.stdlib_module_names}
        assert third_party == set(HANDLER_REQUIREMENTS)
