"""SQL is divided where PostgreSQL divides it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.migrate.linting.scanner import scan, source, split

#: Pieces of statements in which a semicolon, a quote or a comment's sign means nothing.
PIECES = st.sampled_from(
    [
        *("word", "Wörd$1", "1.5e3", "$1", "::", "<>", "(a; b)", "=", "$"),
        *("'it''s; -- /*'", "E'\\'; '", '"a;""b"', "$$;'$$", "$a$ $$; $b$ $a$", "U&'\\0061;'", "B'1;'"),
        *("-- ; ' \" $$\n", "/* ; /* ' */ $$ */", "case when a then b end"),
    ]
)
STATEMENTS = st.lists(PIECES, min_size=1, max_size=6).map(" ".join)


def texts(script: str) -> list[str]:
    """Return the statements' own text."""
    return [source(script, tokens) for tokens in split(script)]


class TestScan:
    """`scan`."""

    @given(st.text(alphabet="aE'\"$;-*/()\\ \n1é:"))
    def test_takes_any_text(self, text: str) -> None:
        """Tokens stand in order, apart from each other, as they are in the text."""
        at = 0
        for token in scan(text):
            assert token.start >= at
            assert token.text == text[token.start : token.end]
            assert token.text.strip()
            at = token.end

    @pytest.mark.parametrize(
        ("text", "name"),
        [("Users", "users"), ('"Us""ers"', 'Us"ers'), ('U&"users"', "users"), ('"open', "open")],
    )
    def test_names_as_the_catalog_does(self, text: str, name: str) -> None:
        """Quoted or not."""
        (token,) = scan(text)
        assert token.name == name


class TestSplit:
    """`split`."""

    @given(st.lists(STATEMENTS, max_size=5))
    def test_ends_statements_at_their_semicolons_only(self, statements: list[str]) -> None:
        """Not at one in a string, a name, a comment or a parenthesis."""
        apart = [text for statement in statements for text in texts(statement)]
        assert len(apart) == sum(bool(list(scan(statement))) for statement in statements)
        assert texts(";\n".join(statements)) == apart

    @pytest.mark.parametrize(
        ("script", "count"),
        [
            ("", 0),
            (";; -- nothing\n;", 0),
            (
                "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; SELECT 3",
                2,
            ),
            ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3", 2),
            ("BEGIN; SELECT 1; END", 3),
            ("SELECT 'open; SELECT 2", 1),
            ("SELECT $$open; SELECT 2", 1),
            ("SELECT 1) ; SELECT 2", 2),
        ],
    )
    def test_knows_what_else_holds_semicolons(self, script: str, count: int) -> None:
        """Bodies of functions, rules, and what is never closed."""
        assert len(texts(script)) == count
