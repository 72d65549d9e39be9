"""Which statements write, told by their text."""

from __future__ import annotations

import pytest

from api.database.reading import writing_word


class TestWritingWord:
    """The word by which a statement writes."""

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT 1",
            "\n  select 'insert into item'",
            "(SELECT 1) UNION ALL (SELECT 2)",
            "/* route: list (insert) */ -- why\nSELECT updated_at FROM item",
            "WITH old AS (SELECT 1) SELECT * FROM old JOIN item ON (updated_at > 1)",
            "VALUES (1)",
            "TABLE item",
            "SHOW statement_timeout",
            "EXPLAIN (ANALYZE) SELECT 1",
            "SAVEPOINT a",
            "ROLLBACK TO SAVEPOINT a",
            "RELEASE SAVEPOINT a",
        ],
    )
    def test_reading_statement_has_none(self, statement: str) -> None:
        """Where it stands in its own text does not matter."""
        assert writing_word(statement) is None

    @pytest.mark.parametrize(
        ("statement", "word"),
        [
            ("INSERT INTO item VALUES (1)", "INSERT"),
            ("  update item SET id = 2", "UPDATE"),
            ("/* SELECT */ DELETE FROM item", "DELETE"),
            ("WITH new AS (INSERT INTO item VALUES (1) RETURNING 1) SELECT 1", "INSERT"),
            ("WITH new AS MATERIALIZED ( \n delete FROM item RETURNING 1) SELECT 1", "DELETE"),
            ("WITH old AS (SELECT 1) INSERT INTO item SELECT * FROM old", "INSERT"),
            ("WITH a AS (WITH b AS (SELECT 1) MERGE INTO item USING b ON true) SELECT 1", "MERGE"),
            ("EXPLAIN ANALYZE UPDATE item SET id = 2", "UPDATE"),
            ("EXPLAIN (ANALYZE, BUFFERS) DELETE FROM item", "DELETE"),
            ("CALL work()", "CALL"),
            ("DO $$ BEGIN END $$", "DO"),
            ("SET statement_timeout = 0", "SET"),
            ("COMMIT", "COMMIT"),
            ("ROLLBACK", "ROLLBACK"),
            ("SELECTED", "SELECTED"),
            ("", "an empty statement"),
        ],
    )
    def test_any_other_is_named(self, statement: str, word: str) -> None:
        """What is not known to read is taken to write."""
        assert writing_word(statement) == word
