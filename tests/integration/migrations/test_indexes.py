"""The indexes of the migrated database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.histories import query

if TYPE_CHECKING:
    from infra.testing.databases import Database

_KINDS = """
SELECT method.amname, class.opcname, cardinality(index.indkey::int2[]) > 1 AS composite,
       0 = ANY (index.indkey) AS expression, index.indpred IS NOT NULL AS partial, index.indisunique
FROM pg_index index
JOIN pg_class name ON name.oid = index.indexrelid AND name.relnamespace = 'public'::regnamespace
JOIN pg_am method ON method.oid = name.relam
JOIN pg_opclass class ON class.oid = index.indclass[0]
"""
_UNCOVERED = """
SELECT key.conname FROM pg_constraint key
WHERE key.contype = 'f' AND key.connamespace = 'public'::regnamespace AND NOT EXISTS (
    SELECT FROM pg_index index
    WHERE index.indrelid = key.conrelid AND index.indkey[0] = ANY (key.conkey) AND index.indpred IS NULL
)
"""


class TestIndexes:
    """Of all tables."""

    def test_every_kind_has_an_example(self, database: Database) -> None:
        """B-tree, hash, GIN on text, arrays and JSONB; partial, unique, of expressions, composite."""
        found = query(database.direct, _KINDS)
        kinds = {(method, opclass) for method, opclass, *_ in found}
        assert {"btree", "hash"} <= {method for method, _ in kinds}
        assert {("gin", "tsvector_ops"), ("gin", "array_ops"), ("gin", "jsonb_path_ops")} <= kinds
        for trait in range(2, 6):
            assert any(row[trait] for row in found), trait

    def test_every_foreign_key_is_covered(self, database: Database) -> None:
        """An index begins with one of its columns: deleting what it refers to reads no whole table."""
        assert query(database.direct, _UNCOVERED) == []
