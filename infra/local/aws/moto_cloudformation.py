"""CloudFormation as a deployment needs it, where moto 5.2.5 lacks it.

Templates are valid; an update changes what was there before it adds what depends on that, and replaces what
moto cannot change.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import moto.cloudformation.urls
from moto.cloudformation import models, parsing
from moto.cloudformation.models import CloudFormationBackend, cloudformation_backends

from infra.local.aws import moto_resources

_logger: Final = logging.getLogger(__name__)


class CloudFormation(CloudFormationBackend):
    """moto's, where templates are valid."""

    @property
    def _url_module(self) -> Any:
        return moto.cloudformation.urls

    def validate_template(self, template: str) -> list[Any]:
        """Find no fault: moto raises for any remark of cfn-lint, where AWS reads syntax."""
        del template
        return []

    def delete_stack(self, name_or_stack_id: str) -> None:
        """Delete one whose update added exports, too: moto knows those of a stack's creation alone."""
        for stack in self.stacks.values():
            if name_or_stack_id in {stack.name, stack.stack_id}:
                for export in stack.exports:
                    self.exports.setdefault(export.name, export)
        super().delete_stack(name_or_stack_id)


class Resources(parsing.ResourceMap):
    """moto's, with an update that really is one."""

    def update(self, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        """Remove, then change, then add: moto publishes a new version before it changes the function."""
        changes = self.build_resource_diff(template, parameters)
        earlier = self._resource_json_map
        for name in changes["Remove"]:
            if earlier[name].get("DeletionPolicy") != "Retain" and name in self._parsed_resources:
                self._delete_resource(self._parsed_resources[name], earlier[name])
            self._parsed_resources.pop(name, None)
        self._template = template
        self._resource_json_map = template["Resources"]
        if parameters:
            self.input_parameters = parameters
        self.load_mapping()
        self.load_parameters()
        self.load_conditions()
        # What refers to a new version makes that: by then the function must be the new one.
        for name in sorted(changes["Modify"], key=lambda name: self._type(name) != "AWS::Lambda::Function"):
            self._change(name, earlier[name])
        for name in changes["Add"]:
            _ = self[name]

    def delete(self) -> None:
        """Delete them, and remember what they were: moto makes anew what a deleted stack's outputs name."""
        made = dict(self._parsed_resources)
        super().delete()
        self._parsed_resources.update(made)

    def _change(self, name: str, earlier: dict[str, Any]) -> None:
        # Until that is known, others still find what is there.
        changed: Any = parsing.parse_and_update_resource(
            name, self._resource_json_map[name], self, self._account_id, self._region_name
        )
        if changed is not None:
            self._parsed_resources[name] = changed
        elif self._parsed_resources.get(name) is not None:
            _logger.info("replacing %s (%s)", name, self._type(name))
            self._delete_resource(self._parsed_resources.pop(name), earlier)
            _ = self[name]

    def _type(self, name: str) -> str:
        type_: str = self._resource_json_map[name]["Type"]
        return type_


def mend(endpoint: str) -> None:
    """Put this into moto's place; before the first request, which the endpoint answers."""
    moto_resources.register(endpoint)
    models.ResourceMap = Resources  # type: ignore[attr-defined]
    cloudformation_backends.backend = CloudFormation
