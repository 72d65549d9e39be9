"""CloudFormation templates compared: what a stack is made of, and never which code its functions run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Where the code of a function or layer is: it has another key at each packaging.
_CODE: Final = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}


class Action(StrEnum):
    """What is done to a part of a template."""

    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of a template that is not as it was.

    Args:
        action: What is done to it.
        path: Where it is, such as `ApiLambdaFunction.MemorySize`.
        before: Its value as it is deployed; `None` where it is added.
        after: Its value as it will be; `None` where it is removed.
    """

    action: Action
    path: str
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        """Put it in a line: `~ ApiLambdaFunction.MemorySize: 1024 → 2048`."""
        values = [_brief(value) for value in (self.before, self.after) if value is not None]
        return f"{self.action} {self.path}: {' → '.join(values)}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what has to be done to one template to make it the other, the code of functions left out."""
    old, new = _without_code(before), _without_code(after)
    found: list[Difference] = []
    for section in dict.fromkeys((*new, *old)):
        found += _differences((section,), old.get(section, {}), new.get(section, {}))
    return tuple(found)


def _without_code(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return a template's sections; its description and the version of its language are none."""
    resources = {}
    for name, resource in template.get("Resources", {}).items():
        properties = dict(resource.get("Properties", {}))
        properties.pop(_CODE.get(resource["Type"]), None)
        resources[name] = {**resource, "Properties": properties}
    sections = {name: section for name, section in template.items() if isinstance(section, dict)}
    return {**sections, "Resources": resources}


def _differences(
    path: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    for key in dict.fromkeys((*before, *after)):
        here = (*path, key)
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(here, old, new)
        elif old is None:
            yield Difference(Action.ADD, _dotted(here), after=new)
        elif new is None:
            yield Difference(Action.REMOVE, _dotted(here), before=old)
        else:
            yield Difference(Action.CHANGE, _dotted(here), old, new)


def _dotted(path: tuple[str, ...]) -> str:
    """Leave out what says nothing: `Resources` and `Properties`."""
    kept = path[1:] if path[0] == "Resources" else path
    return ".".join(name for name in kept if name != "Properties")


def _brief(value: Any) -> str:
    if isinstance(value, dict) and "Type" in value:
        return str(value["Type"])
    return json.dumps(value, ensure_ascii=False)
