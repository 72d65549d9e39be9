"""What of this repository a new project has: it must do without the rest."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from jinja2 import Template
from pathspec import PathSpec

from infra.kit.tailor import SAMPLE

ROOT = Path(__file__).parents[4]
IMPORT = re.compile(
    r"^ *from ((?:api|scripts|tests)[\w.]*) import ([\w, ]+|\((?:[^)]*)\))|^import (api[\w.]+)", re.MULTILINE
)


@cache
def project_files(*, sample: bool) -> frozenset[str]:
    """Return the names of the files that copier writes."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    patterns = yaml.safe_load((ROOT / "copier.yml").read_text())["_exclude"]
    spec = PathSpec.from_lines("gitignore", [Template(each).render(sample=sample) for each in patterns])
    return frozenset(
        name.removesuffix(".jinja")
        for name in names
        if (ROOT / name).exists() and not spec.match_file(name.removesuffix(".jinja"))
    )


def imported(name: str) -> set[str]:
    """Return the files of this repository that a file imports."""
    found = set()
    for module, names, package in IMPORT.findall((ROOT / name).read_text()):
        parts = [f"{module}.{each.split(' as ')[0].strip()}" for each in names.strip("() ").split(",")]
        for each in [*parts, module, package]:
            path = f"{each.replace('.', '/')}.py"
            if each and (ROOT / path).is_file():
                found.add(path)
    return found


#: Where `infra/kit/tailor.py` takes the lines out that name the sample domain.
TAILORED = {"api/app.py", "api/events.py", "api/models.py", "scripts/cli.py"}


#: By `make docs`, in the project.
WRITTEN = {f"docs/reference/{name}" for name in ("commands.md", "openapi.json", "settings.md")}


class TestProjectFiles:
    @pytest.mark.parametrize("sample", [True, False])
    def test_import_none_that_are_left_out(self, sample):
        """What a project has starts, and its tests are collected."""
        files = project_files(sample=sample)
        left_out = {
            (name, missing)
            for name in files
            if name.endswith(".py") and (ROOT / name).exists()
            # Another one stands for it.
            if not (ROOT / f"{name}.jinja").exists()
            for missing in imported(name) - files
        }
        assert {each for each in left_out if sample or each[0] not in TAILORED} == set()

    @pytest.mark.parametrize("sample", [True, False])
    def test_link_to_none_that_are_left_out(self, sample):
        """The guides lead somewhere in a project, too; what `make docs` writes is there as well."""
        files = project_files(sample=sample)
        there = {str(each) for name in files for each in (Path(name), *Path(name).parents)}
        broken = {
            (name, link)
            for name in files
            if name.endswith(".md") and not (ROOT / f"{name}.jinja").exists()
            for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text())
            if os.path.normpath(Path(name).parent / link) not in there | WRITTEN
        }
        assert broken == set()

    def test_name_no_resource_that_is_left_out(self):
        """As text too: routes and jobs are imported by their names."""
        module = re.compile(rf"\bapi\.({'|'.join(SAMPLE)})\b")
        code = [name for name in project_files(sample=False) if name.endswith(".py")]
        named = {name for name in code if (ROOT / name).exists() and module.search((ROOT / name).read_text())}
        assert named - TAILORED == set()

    def test_hold_nothing_of_the_kits_own(self):
        """Neither its proofs nor what only it is made from."""
        files = project_files(sample=True)
        assert "README.md" in files
        assert {"copier.yml", "CHANGELOG.md", "infra/kit/tailor.py"}.isdisjoint(files)
        assert not [name for name in files if name.startswith(("tests/e2e/", "tests/integration/infra/"))]

    def test_have_one_revision_without_the_sample_domain(self):
        """With it they have the kit's history."""
        for sample in (True, False):
            revisions = [
                name for name in project_files(sample=sample) if name.startswith("migrations/versions/")
            ]
            assert (revisions == ["migrations/versions/2026-11-21_users.py"]) is not sample
