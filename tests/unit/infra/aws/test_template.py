"""What is found when templates are compared."""

from __future__ import annotations

from typing import Any

from infra.aws.template import Difference, differences


def template(memory: int = 512, key: str = "first/api.zip", **more: Any) -> dict[str, Any]:
    properties = {"Code": {"S3Bucket": "bucket", "S3Key": key}, "MemorySize": memory}
    function = {"Type": "AWS::Lambda::Function", "Properties": properties}
    return {"Description": "a service", "Resources": {"Api": function, **more}, "Outputs": {}}


def found(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [str(each) for each in differences(before, after)]


class TestDifferences:
    def test_code_is_no_difference(self) -> None:
        """Each packaging puts the code elsewhere, and releases change it anyway."""
        assert found(template(), template(key="second/api.zip")) == []

    def test_a_changed_property_is_named_with_both_values(self) -> None:
        """Who reads a plan sees what it was and what it will be."""
        assert found(template(512), template(1024)) == ["~ Api.MemorySize: 512 → 1024"]

    def test_resources_are_named_with_their_type(self) -> None:
        """What comes and goes is a line each, however much it holds."""
        role = {"Type": "AWS::IAM::Role", "Properties": {"Description": "reads"}}
        assert found(template(), template(Role=role)) == ["+ Role: AWS::IAM::Role"]
        assert found(template(Role=role), template()) == ["- Role: AWS::IAM::Role"]

    def test_everything_is_added_to_no_template(self) -> None:
        """A first deploy lists all that it makes, and no words that are no part of it."""
        after = template() | {"Outputs": {"Bucket": {"Value": "b"}}}
        assert found({}, after) == ["+ Api: AWS::Lambda::Function", '+ Outputs.Bucket: {"Value": "b"}']

    def test_values_are_kept_for_programs(self) -> None:
        """A plan in JSON needs them as they are."""
        (difference,) = differences(template(512), template(1024))
        assert difference == Difference(difference.action, "Api.MemorySize", 512, 1024)
