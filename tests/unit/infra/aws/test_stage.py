"""Stages and what their things are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.aws.stage import Stage, StageNotFoundError, find_stage
from infra.config import Project
from infra.config_tables import AwsSettings, ConfigError, StageSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


def project(
    stages: Mapping[str, StageSettings] | None = None, name: str = "shop", service: str | None = None
) -> Project:
    return Project(
        root=Path("/shop"),
        name=name,
        aws=AwsSettings(service=service),
        **({"stages": stages} if stages else {}),
    )


class TestFindStage:
    """`find_stage`."""

    def test_takes_the_only_one_without_a_name(self) -> None:
        """By default that is production, of the service that is called like the project."""
        assert find_stage(project()) == Stage("shop", "production", StageSettings())

    def test_takes_the_one_that_is_named(self) -> None:
        """With what the project says of it."""
        stages = {"live": StageSettings("main"), "staging": StageSettings("next")}
        assert find_stage(project(stages, service="store"), "staging") == Stage(
            "store", "staging", StageSettings("next")
        )

    def test_refuses_to_guess_among_several(self) -> None:
        """All are named."""
        with pytest.raises(StageNotFoundError, match="several stages") as caught:
            find_stage(project({"live": StageSettings(), "staging": StageSettings()}))
        assert caught.value.hint == "name one of live, staging"

    @pytest.mark.parametrize(
        ("name", "hint"), [("stagin", "did you mean staging?"), ("qa", "its stages are live, staging")]
    )
    def test_refuses_one_that_is_not_there(self, name: str, hint: str) -> None:
        """The hint has the nearest name, else all."""
        with pytest.raises(StageNotFoundError, match=f"no stage '{name}'") as caught:
            find_stage(project({"live": StageSettings(), "staging": StageSettings()}), name)
        assert caught.value.hint == hint

    def test_refuses_a_name_that_functions_cannot_have(self) -> None:
        """The project's own name will not do everywhere."""
        with pytest.raises(ConfigError, match="'My_Shop' cannot begin the names of functions"):
            find_stage(project(name="My_Shop"))


class TestStage:
    """`Stage`."""

    def test_names_what_it_has_in_aws(self) -> None:
        """Stack and functions are called as osls and Serverless Framework call them."""
        stage = Stage("shop", "live", StageSettings())
        assert (stage.stack, stage.api, stage.migrate) == ("shop-live", "shop-live-api", "shop-live-migrate")
        assert stage.preview(12) == "shop-live-pr-12"
        assert stage.parameter("api", "DATABASE_URL") == "/bough/shop/live/api/DATABASE_URL"

    def test_names_fit_into_what_lambda_allows(self) -> None:
        """The longest service, stage and number of a pull request: 64 characters."""
        assert len(Stage("s" * 32, "t" * 16, StageSettings()).preview(999_999_999)) <= 64
