"""What is changed in the kit's files for a project, on copies of them as they are now."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from infra.config import load_project
from infra.kit.tailor import SAMPLE, TailorError, tailor

ROOT = Path(__file__).parents[4]
FILES = (
    "pyproject.toml",
    "uv.lock",
    "Makefile",
    "api/app.py",
    "api/events.py",
    "api/models.py",
    "clients/config.yml",
    "docs/guides/calling.md",
    "scripts/cli.py",
)
ANSWERS = {"name": "shop", "service": "shop", "provider": "local", "region": "", "sample": True}


@pytest.fixture
def project(tmp_path):
    """The files that are changed, as copier leaves them."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


class TestTailor:
    def test_lock_has_the_name_in_the_place_where_uv_wants_it(self, project):
        """The order is uv's own: by name."""
        tailor(project, **ANSWERS)
        names = [each["name"] for each in tomllib.loads((project / "uv.lock").read_text())["package"]]
        assert "shop" in names
        assert "bough" not in names
        assert names == sorted(names)
        ours = (ROOT / "uv.lock").read_text().splitlines()
        assert sorted((project / "uv.lock").read_text().splitlines()) == sorted(
            'name = "shop"' if line == 'name = "bough"' else line for line in ours
        )

    def test_settings_are_what_was_answered(self, project):
        """What is usual is not written."""
        tailor(project, **ANSWERS)
        assert "aws" not in tomllib.loads((project / "pyproject.toml").read_text())["tool"]["bough"]

    def test_other_settings_are_read_by_the_commands(self, project):
        """The service, its region and whose branches it works on."""
        tailor(project, **ANSWERS | {"service": "shop-api", "region": "eu-central-1", "provider": "neon"})
        read = load_project(project)
        assert (read.aws.service, read.aws.region, read.branches.provider) == (
            "shop-api",
            "eu-central-1",
            "neon",
        )

    def test_client_of_the_api_has_the_projects_name(self, project):
        """As the guide says it, too."""
        tailor(project, **ANSWERS | {"name": "web-shop"})
        config, guide = (
            (project / name).read_text() for name in ("clients/config.yml", "docs/guides/calling.md")
        )
        assert "project_name_override: web-shop-client\npackage_name_override: web_shop_client\n" in config
        assert "bough_client" not in guide

    def test_commands_of_make_are_the_kits_but_for_its_benchmarks(self, project):
        """`make bench` measures the kit."""
        tailor(project, **ANSWERS)
        ours, theirs = (
            subprocess.run(
                ["make", "-s", "help"], cwd=each, capture_output=True, text=True, check=True
            ).stdout
            for each in (ROOT, project)
        )
        assert theirs.splitlines() == [
            line for line in ours.splitlines() if not line.startswith("make bench")
        ]

    def test_nothing_names_the_sample_domain_that_is_left_out(self, project):
        """Neither imports nor routes nor rules about them, and what is left can be read."""
        tailor(project, **ANSWERS | {"sample": False})
        for name in FILES:
            text = (project / name).read_text()
            assert (
                name.endswith(".md") or [resource for resource in SAMPLE if f"api.{resource}" in text] == []
            )
            if name.endswith(".py"):
                compile(text, name, "exec")
        assert "seed" not in (project / "scripts" / "cli.py").read_text()
        tomllib.loads((project / "pyproject.toml").read_text())

    def test_file_that_has_changed_is_an_error(self, project):
        """A project with half of the changes would be worse than none."""
        (project / "api" / "app.py").write_text("app = None\n")
        with pytest.raises(TailorError, match="title"):
            tailor(project, **ANSWERS)
