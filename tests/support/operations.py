"""The operations of the application, as its own OpenAPI document has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from api.app import create_app


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Return the OpenAPI document; making it takes longer than most tests."""
    return create_app().openapi()


@dataclass(frozen=True)
class Operation:
    """A method of a path."""

    method: str
    path: str
    definition: dict[str, Any]

    @property
    def id(self) -> str:
        """Its operation id."""
        return str(self.definition["operationId"])

    @property
    def needs_user(self) -> bool:
        """Whether it declares that a token must be sent."""
        return {} not in self.definition.get("security", [{}])

    @property
    def body(self) -> Any:
        """The documented example of a body; `None` when it takes none."""
        content = self.definition.get("requestBody", {}).get("content", {})
        return example(content["application/json"]["schema"]) if content else None

    def query(self, *, only_required: bool = False) -> dict[str, Any]:
        """Return the documented examples of parameters of the query."""
        return {
            parameter["name"]: example(parameter["schema"])
            for parameter in self.parameters("query")
            if parameter["required"] or (not only_required and "examples" in str(parameter["schema"]))
        }

    def parameters(self, place: str) -> list[dict[str, Any]]:
        """Return its parameters in `path`, `query` or `header`."""
        return [item for item in self.definition.get("parameters", ()) if item["in"] == place]

    def response(self, status: int) -> dict[str, Any]:
        """Return the schema of a JSON response, references followed; empty when there is none."""
        content = self.definition["responses"].get(str(status), {}).get("content", {})
        return resolve(content.get("application/json", {}).get("schema", {}))


def operations() -> list[Operation]:
    """Return all operations."""
    return [
        Operation(method.upper(), path, definition)
        for path, methods in document()["paths"].items()
        for method, definition in methods.items()
    ]


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference into the document."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**document()["components"]["schemas"][name], **schema} if name else schema


def example(schema: dict[str, Any]) -> Any:
    """Compose the example of a schema from those that its parts document.

    Raises:
        ValueError: A part has none.
    """
    schema = resolve(schema)
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0])
    if "properties" in schema:
        return {name: example(part) for name, part in schema["properties"].items()}
    if schema.get("type") == "array":
        return [example(schema["items"])]
    if schema.get("type") == "boolean":
        return True
    if "default" in schema:
        return schema["default"]
    message = f"no example: {schema}"
    raise ValueError(message)
