"""OpenAPI 3.0's dialect of JSON Schema, put into the 2020-12 one that validators speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Under which references in translated schemas look for the document.
DOCUMENT_URI = "urn:document"

_ANNOTATIONS = {"description", "example", "default", "deprecated", "title", "discriminator"}


def translate(
    document: Mapping[str, Any], schema: Mapping[str, Any], *, closed: bool = True
) -> dict[str, Any]:
    """Return a schema as JSON Schema.

    A field that no schema names is a mistake on either side, and one that would never be seen: a
    misspelt one is ignored. Objects that list their fields are therefore closed, unless the document
    says that others may follow.

    Args:
        document: What its references lead into.
        schema: From that document.
        closed: Whether it stands alone; a part of an `allOf` cannot be closed without the others.
    """
    if "$ref" in schema:
        # In OpenAPI 3.0 what stands beside a reference counts for nothing.
        translated: dict[str, Any] = {"$ref": DOCUMENT_URI + schema["$ref"]}
    else:
        translated = {
            key: _translate_keyword(document, key, value)
            for key, value in schema.items()
            if key not in _ANNOTATIONS and key != "nullable" and not key.startswith("x-")
        }
        _translate_bounds(translated)
    if closed and _lists_its_fields(document, schema):
        translated["unevaluatedProperties"] = False
    if schema.get("nullable") and "$ref" not in schema:
        return {"anyOf": [{"type": "null"}, translated]}
    return translated


def _translate_keyword(document: Mapping[str, Any], key: str, value: Any) -> Any:
    if key == "properties":
        return {name: translate(document, field) for name, field in value.items()}
    if key in {"items", "additionalProperties", "not"} and isinstance(value, dict):
        return translate(document, value)
    if key in {"allOf", "anyOf", "oneOf"}:
        return [translate(document, part, closed=False) for part in value]
    return value


def _translate_bounds(schema: dict[str, Any]) -> None:
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(exclusive) is True:
            schema[exclusive] = schema.pop(bound)
        elif schema.get(exclusive) is False:
            del schema[exclusive]


def _lists_its_fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    if "$ref" in schema:
        return _lists_its_fields(document, resolve(document, schema["$ref"]))
    if schema.get("additionalProperties") is not None:
        return False
    parts = [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
    return bool(schema.get("properties")) or any(_lists_its_fields(document, part) for part in parts)


def resolve(document: Mapping[str, Any], reference: str) -> Any:
    """Return what a reference such as `#/components/schemas/Branch` leads to."""
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name.replace("~1", "/").replace("~0", "~")]
    return found
