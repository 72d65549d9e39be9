"""What artifacts are built for."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.aws.target import Target
from infra.config import Project
from infra.config_tables import AwsSettings


class TestTarget:
    """`Target`."""

    def test_is_that_of_the_project(self) -> None:
        """Its pyproject.toml says runtime and architecture, as Lambda names them."""
        project = Project(Path("/"), "shop", aws=AwsSettings(runtime="python3.12", architecture="x86_64"))
        assert Target.of(project) == Target("python3.12", "x86_64")
        assert Target.of(Project(Path("/"), "shop")) == Target()

    def test_names_what_wheels_are_for(self) -> None:
        """Uv asks for a minor version and a platform."""
        assert (Target().python, Target().platform) == ("3.13", "aarch64-manylinux_2_28")
        assert Target(architecture="x86_64").platform == "x86_64-manylinux_2_28"

    def test_is_this_python_on_this_machine(self) -> None:
        """What is built for here can be run here."""
        target = Target.this_machine()
        assert target.python == f"{sys.version_info[0]}.{sys.version_info[1]}"
