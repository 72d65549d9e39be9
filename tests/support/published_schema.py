"""Whether what goes over the wire is what a provider's published OpenAPI document allows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, unquote

import jsonschema_rs

from tests.support.openapi_schema import DOCUMENT_URI, resolve, translate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The documents are the providers', so they lie beside the project and not in it.
DOCUMENTS = Path(__file__).parents[3] / "shared" / "specs"


class SchemaMismatchError(AssertionError):
    """A request or an answer is not what the document allows; one line for each point."""


@cache
def published_schema(provider: Literal["neon", "supabase"]) -> PublishedSchema | None:
    """Return the schema of a provider's API, `None` where its document is not at hand."""
    file = DOCUMENTS / f"{provider}-openapi.json"
    if not file.exists():
        return None
    # Supabase documents none of the refusals of its branch routes.
    refusals = {400, 401, 403, 404, 409, 422, 429} if provider == "supabase" else set()
    return PublishedSchema(json.loads(file.read_text(encoding="utf-8")), undocumented_statuses=refusals)


@dataclass(frozen=True, slots=True)
class _Operation:
    """A method of a path; `segments` are the path's, a template's as `None`."""

    name: str
    segments: tuple[str | None, ...]
    parameters: Mapping[tuple[str, str], Mapping[str, Any]]
    definition: Mapping[str, Any]

    def matches(self, segments: Sequence[str]) -> bool:
        return len(segments) == len(self.segments) and all(
            own in {None, other} for own, other in zip(self.segments, segments, strict=True)
        )


class PublishedSchema:
    """The operations of an OpenAPI 3.0 document."""

    def __init__(self, document: Mapping[str, Any], *, undocumented_statuses: set[int] | None = None) -> None:
        """Read the document.

        Args:
            document: The parsed document, whose paths are what `check_exchange` takes.
            undocumented_statuses: Refusals that the API is known to answer though no route lists them.
        """
        self._document = document
        self._undocumented_statuses = undocumented_statuses or set()
        schemas = document.get("components", {}).get("schemas", {})
        # Every use of a schema closes it (see `translate`), the schema itself is part of many.
        contents = {
            "components": {
                "schemas": {name: translate(document, each, closed=False) for name, each in schemas.items()}
            }
        }
        self._registry = jsonschema_rs.Registry([(DOCUMENT_URI, contents)])
        self._operations = self._read_operations()
        self._validators: dict[tuple[str, ...], Any] = {}

    def check_exchange(  # noqa: PLR0917  an exchange has these parts
        self,
        method: str,
        path: str,
        query: str,
        request_body: bytes | None,
        status: int,
        response_body: bytes,
    ) -> None:
        """Check a request and its answer.

        A request that was refused (4xx) need not be right: its answer must.

        Args:
            method: In any case.
            path: As the document has it, without the server's own prefix.
            query: Raw, without the question mark.
            request_body: Raw; `None` or empty for none.
            status: Of the answer.
            response_body: Raw.

        Raises:
            SchemaMismatchError: Something is not as documented.
        """
        operation = self._find(method.lower(), path)
        problems = []
        if operation is None:
            if status != 404:
                problems.append("the document has no such operation")
        else:
            if not 400 <= status < 500:
                problems += self._parameter_problems(operation, path, query)
                problems += self._request_problems(operation, request_body)
            problems += self._answer_problems(operation, status, response_body)
        if problems:
            lines = [f"{method.upper()} {path}{'?' + query if query else ''} -> {status}", *problems]
            raise SchemaMismatchError("\n  ".join(lines))

    def _read_operations(self) -> dict[str, list[_Operation]]:
        operations: dict[str, list[_Operation]] = {}
        for path, item in self._document["paths"].items():
            segments = tuple(None if "{" in each else each for each in path.strip("/").split("/"))
            for method in ("get", "put", "post", "delete", "patch", "head"):
                if method not in item:
                    continue
                listed = [*item.get("parameters", []), *item[method].get("parameters", [])]
                resolved = [self._resolved(each) for each in listed]
                parameters = {(each["in"], each["name"]): each for each in resolved}
                operation = _Operation(f"{method} {path}", segments, parameters, item[method])
                operations.setdefault(method, []).append(operation)
        for listed in operations.values():
            # A literal segment beats a template in the same place.
            listed.sort(key=lambda each: [segment is None for segment in each.segments])
        return operations

    def _find(self, method: str, path: str) -> _Operation | None:
        segments = path.strip("/").split("/")
        return next((each for each in self._operations.get(method, ()) if each.matches(segments)), None)

    def _parameter_problems(self, operation: _Operation, path: str, query: str) -> list[str]:
        sent: dict[tuple[str, str], list[str]] = {}
        for name, text in parse_qsl(query, keep_blank_values=True):
            # Some write a list as `name[]`.
            key = ("query", name.removesuffix("[]"))
            sent.setdefault(key, []).append(text)
        names = re.findall(r"\{(.+?)\}", operation.name)
        templates = [i for i, segment in enumerate(operation.segments) if segment is None]
        segments = path.strip("/").split("/")
        for name, i in zip(names, templates, strict=True):
            sent["path", name] = [unquote(segments[i])]
        problems = [
            f"{place} parameter {name!r} is required"
            for (place, name), parameter in operation.parameters.items()
            if place == "query" and parameter.get("required") and (place, name) not in sent
        ]
        for (place, name), texts in sent.items():
            known = operation.parameters.get((place, name))
            if known is None:
                problems.append(f"{place} parameter {name!r} is not documented")
                continue
            value = _read(texts, self._resolved(known["schema"]), self._resolved)
            problems += self._problems(
                (operation.name, place, name), known["schema"], value, f"{place} {name}"
            )
        return problems

    def _request_problems(self, operation: _Operation, body: bytes | None) -> list[str]:
        documented = operation.definition.get("requestBody")
        if not body:
            return ["a body is required"] if documented and self._resolved(documented).get("required") else []
        if documented is None:
            return ["the document has no body for this request"]
        content = self._resolved(documented)["content"]
        return self._body_problems((operation.name, "request"), content, body)

    def _answer_problems(self, operation: _Operation, status: int, body: bytes) -> list[str]:
        answers = operation.definition["responses"]
        documented = answers.get(str(status), answers.get("default") if status >= 400 else None)
        if documented is None:
            return [] if status in self._undocumented_statuses else [f"no answer {status} is documented"]
        content = self._resolved(documented).get("content")
        if content is None:
            # A success without content has none; of a refusal's nothing is said.
            return ["no body is documented for this answer"] if body and status < 400 else []
        return self._body_problems((operation.name, str(status)), content, body)

    def _body_problems(self, key: tuple[str, ...], content: Mapping[str, Any], body: bytes) -> list[str]:
        documented = content.get("application/json")
        if documented is None:
            return []
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"{key[-1]}: the body is not JSON: {error}"]
        return self._problems(key, documented["schema"], value, key[-1])

    def _problems(self, key: tuple[str, ...], schema: Mapping[str, Any], value: Any, what: str) -> list[str]:
        validator = self._validators.get(key)
        if validator is None:
            validator = self._validators[key] = jsonschema_rs.Draft202012Validator(
                translate(self._document, schema),
                registry=self._registry,
                validate_formats=True,
                # It may be a connection string.
                mask="it",
            )
        return [
            f"{what} {'/'.join(map(str, error.instance_path)) or '(all of it)'}: {error.message}"
            for error in validator.iter_errors(value)
        ]

    def _resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        return resolve(self._document, part["$ref"]) if "$ref" in part else part


def _read(texts: list[str], schema: Mapping[str, Any], resolved: Any) -> Any:
    """Return a parameter's value as its schema means its text; text that does not read so stays text."""
    kind = schema.get("type")
    if kind == "array":
        parts = [part for text in texts for part in text.split(",")]
        return [_read([part], resolved(schema.get("items", {})), resolved) for part in parts]
    text = texts[-1]
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind in {"integer", "number"}:
        try:
            return int(text) if kind == "integer" else float(text)
        except ValueError:
            return text
    return text
