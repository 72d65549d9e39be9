"""`docs/reference/preview_policy.json`: enough for previews, whose workflow runs what nobody has reviewed."""

from __future__ import annotations

import ast
import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from infra.aws import functions, log_groups, url_access
from infra.aws.stage import Stage
from infra.config_tables import StageSettings
from tests.unit.docs.test_deployer_policy import RIGHTS, _operations, allowed

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
STATEMENTS = json.loads((REFERENCE / "preview_policy.json").read_text())["Statement"]
SHOP = Stage("SERVICE", "STAGE", StageSettings())

#: Of what is done to functions, no preview has versions and aliases.
OF_RELEASES = {
    f"lambda:{each}"
    for each in ("CreateAlias", "GetAlias", "ListAliases", "ListVersionsByFunction", "PublishVersion")
} | {"lambda:UpdateAlias"}


def may(action: str, resource: str) -> bool:
    """Say whether the policy allows it."""
    return any(
        action in statement["Action"] and fnmatchcase(resource, statement["Resource"])
        for statement in STATEMENTS
    )


class TestPreviewPolicy:
    @pytest.mark.parametrize("module", [functions, log_groups, url_access])
    def test_allows_what_is_done_to_previews(self, module) -> None:
        """A preview that lacks a right fails half-way."""
        actions = {action for statement in STATEMENTS for action in statement["Action"]}
        asked = {
            right
            for operation, _ in _operations(ast.parse(Path(module.__file__).read_text()))
            for right in RIGHTS.get(operation, {operation})
        }
        assert asked - actions - OF_RELEASES == set()

    def test_allows_less_than_a_deployer_has(self) -> None:
        """Whoever may push a git branch may use it."""
        assert {action for statement in STATEMENTS for action in statement["Action"]} < allowed()

    @pytest.mark.parametrize("function", [SHOP.api, SHOP.migrate])
    def test_reaches_no_function_of_the_stage(self, function: str) -> None:
        """Neither its code nor what it answers."""
        arn = "arn:aws:lambda:*:ACCOUNT:function:"
        for action in (
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
            "InvokeFunction",
            "DeleteFunction",
        ):
            assert not may(f"lambda:{action}", arn + function)
            assert may(f"lambda:{action}", arn + SHOP.preview(12))

    @pytest.mark.parametrize("owner", ["api", "migrate"])
    def test_reads_no_secret_of_the_stage(self, owner: str) -> None:
        """Previews have their own."""
        arn = "arn:aws:ssm:*:ACCOUNT:parameter"
        assert not may("ssm:GetParameter", arn + SHOP.parameter(owner, "DATABASE_URL"))
        assert may("ssm:GetParameter", arn + SHOP.parameter("preview/pr-12", "DATABASE_URL"))
