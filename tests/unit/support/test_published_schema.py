from __future__ import annotations

import json
import re

import pytest

from tests.support.published_schema import (
    DOCUMENTS,
    PublishedSchema,
    SchemaMismatchError,
    published_schema,
)

DOCUMENT = {
    "openapi": "3.0.3",
    "paths": {
        "/trees/{tree}": {
            "parameters": [
                {
                    "name": "tree",
                    "in": "path",
                    "required": True,
                    "schema": {"$ref": "#/components/schemas/Id"},
                }
            ],
            "get": {
                "parameters": [
                    {"name": "depth", "in": "query", "required": True, "schema": {"type": "integer"}},
                    {"name": "dead", "in": "query", "schema": {"type": "boolean"}},
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "allOf": [
                                        {"$ref": "#/components/schemas/Tree"},
                                        {"$ref": "#/components/schemas/Page"},
                                    ]
                                }
                            }
                        }
                    },
                    "default": {"$ref": "#/components/responses/Refusal"},
                },
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}},
                },
                "responses": {"204": {"description": "Planted"}},
            },
        },
        "/trees/oldest": {"get": {"responses": {"204": {"description": "None yet"}}}},
    },
    "components": {
        "schemas": {
            "Id": {"type": "string", "pattern": "^[a-z]+$"},
            "Tree": {
                "type": "object",
                "required": ["planted_at"],
                "properties": {
                    "planted_at": {"type": "string", "format": "date-time"},
                    "felled_at": {"type": "string", "format": "date-time", "nullable": True},
                    "height": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "parent": {"$ref": "#/components/schemas/Tree"},
                },
            },
            "Page": {"type": "object", "properties": {"next": {"type": "string"}}},
            "Error": {
                "type": "object",
                "required": ["message"],
                "properties": {"message": {"type": "string"}},
            },
        },
        "responses": {
            "Refusal": {
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            }
        },
    },
}

SCHEMA = PublishedSchema(DOCUMENT, undocumented_statuses={409})
TREE = {"planted_at": "2026-11-21T10:00:00Z"}


def check(method, path, query="", *, request=None, status=200, answer=None):
    body = b"" if answer is None else json.dumps(answer).encode()
    SCHEMA.check_exchange(
        method, path, query, json.dumps(request).encode() if request else None, status, body
    )


class TestAnswer:
    @pytest.mark.parametrize(
        "answer",
        [
            TREE,
            TREE | {"next": "b"},
            TREE | {"felled_at": None},
            TREE | {"felled_at": "2026-11-21T10:00:00.5+01:00"},
            TREE | {"labels": {"any": "name"}},
            TREE | {"parent": TREE | {"height": 1}},
        ],
    )
    def test_passes_what_is_documented(self, answer):
        """Nullable fields, maps, compositions and schemas that contain themselves are understood."""
        check("GET", "/trees/oak", "depth=1", answer=answer)

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ({}, "planted_at"),
            (TREE | {"planted_at": "yesterday"}, "planted_at"),
            (TREE | {"planted_at": None}, "planted_at"),
            (TREE | {"height": 0}, "height"),
            (TREE | {"hieght": 3}, "hieght"),
            (TREE | {"labels": {"a": 1}}, "labels/a"),
            (TREE | {"parent": TREE | {"next": "b"}}, "next"),
        ],
    )
    def test_is_refused_where_it_differs(self, answer, said):
        """A missing, mistyped, malformed or unknown field is named, however deep it lies."""
        with pytest.raises(SchemaMismatchError, match=said):
            check("GET", "/trees/oak", "depth=1", answer=answer)

    def test_never_quotes_a_value(self):
        """A connection string that is wrong does not end up in a test's log."""
        with pytest.raises(SchemaMismatchError) as refused:
            check("GET", "/trees/oak", "depth=1", answer=TREE | {"next": ["hunter2"]})
        assert "hunter2" not in str(refused.value)

    def test_of_a_refusal_has_the_documented_form(self):
        """The `default` answer stands for errors, and for nothing that succeeded."""
        check("GET", "/trees/oak", "depth=1", status=503, answer={"message": "busy"})
        with pytest.raises(SchemaMismatchError, match="message"):
            check("GET", "/trees/oak", "depth=1", status=503, answer={"detail": "busy"})
        with pytest.raises(SchemaMismatchError, match="no answer 201"):
            check("GET", "/trees/oak", "depth=1", status=201, answer=TREE)

    def test_without_documented_body_has_none(self):
        """A success of which no content is documented is empty."""
        check("POST", "/trees/oak", request=TREE, status=204)
        with pytest.raises(SchemaMismatchError, match="no body"):
            check("POST", "/trees/oak", request=TREE, status=204, answer=TREE)

    def test_with_a_status_that_is_known_though_undocumented_passes(self):
        """Providers leave refusals out of their documents."""
        check("POST", "/trees/oak", request=TREE, status=409, answer={"message": "planted already"})
        with pytest.raises(SchemaMismatchError, match="no answer 410"):
            check("POST", "/trees/oak", request=TREE, status=410)


class TestRequest:
    @pytest.mark.parametrize(
        ("path", "query", "said"),
        [
            ("/trees/oak", "", "'depth' is required"),
            ("/trees/oak", "depth=deep", "query depth"),
            ("/trees/oak", "depth=1&dead=yes", "query dead"),
            ("/trees/oak", "depth=1&deth=2", "'deth' is not documented"),
            ("/trees/Oak", "depth=1", "path tree"),
            ("/bushes/oak", "", "no such operation"),
        ],
    )
    def test_with_wrong_parameters_is_refused_where_it_was_answered(self, path, query, said):
        """What a server overlooks, such as a misspelt filter, is found."""
        with pytest.raises(SchemaMismatchError, match=said):
            check("GET", path, query, answer=TREE)

    def test_with_a_wrong_body_is_refused_where_it_was_answered(self):
        """A field that the document does not know is an error; so is a missing body, or one too many."""
        check("POST", "/trees/oak", request=TREE, status=204)
        for body in (None, {"planted_at": 1}, TREE | {"name": "oak"}):
            with pytest.raises(SchemaMismatchError):
                check("POST", "/trees/oak", request=body, status=204)
        with pytest.raises(SchemaMismatchError, match="no body for this request"):
            check("GET", "/trees/oldest", request=TREE, status=204)

    def test_that_was_refused_need_not_be_right(self):
        """A server that says 400 to nonsense does what it should."""
        check("GET", "/trees/Oak", "deth=1", status=400, answer={"message": "no"})
        check("GET", "/bushes/oak", status=404, answer={"message": "no"})

    def test_takes_the_literal_path_before_a_template(self):
        """`/trees/oldest` is not the tree of that name."""
        check("GET", "/trees/oldest", status=204)


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason=f"the providers' documents are not in {DOCUMENTS}")
class TestPublishedSchema:
    @pytest.mark.parametrize("provider", ["neon", "supabase"])
    def test_reads_the_provider_s_document(self, provider):
        """Both documents are at hand, so the exchanges of all tests are checked against them."""
        assert published_schema(provider) is not None

    def test_passes_the_document_s_own_examples(self):
        """What Neon publishes as the answer of its branch routes passes; nothing is read too strictly."""
        schema = published_schema("neon")
        document = json.loads((DOCUMENTS / "neon-openapi.json").read_text())
        checked = 0
        for path, item in document["paths"].items():
            documented = item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
            example = documented.get("application/json", {}).get("example")
            if "/branches" in path and example is not None:
                answer = json.dumps(example).encode()
                filled = re.sub(r"{(\w+)}", lambda name: name[1].replace("_", "-"), path)
                query = "db_name=app" if "schema" in path else ""
                schema.check_exchange("GET", filled, query, None, 200, answer)
                checked += 1
        assert checked >= 5
