"""The message that opens a transaction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.database.begin import begin_message


class TestBeginMessage:
    def test_message_is_plain_without_settings(self):
        """Nothing asked, nothing said."""
        assert begin_message(None, readonly=False, deferrable=False, settings={}) == "BEGIN"

    def test_message_carries_everything_at_once(self):
        """Isolation, mode and settings travel together: one round trip."""
        message = begin_message(
            "repeatable_read",
            readonly=True,
            deferrable=True,
            settings={"statement_timeout": "5000ms", "request.claims": "7b7d"},
        )
        assert message == (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE; "
            "SET LOCAL statement_timeout = '5000ms'; SET LOCAL request.claims = '7b7d'"
        )

    @pytest.mark.parametrize("value", ["1'; DROP TABLE users; --", "a b", "\\", '"', "é", "1\n2"])
    def test_value_is_refused_unless_a_plain_word(self, value):
        """What could end the literal never reaches the server."""
        with pytest.raises(ValueError, match="plain words"):
            begin_message(None, readonly=False, deferrable=False, settings={"a.b": value})

    @pytest.mark.parametrize("name", ["a b", "a;b", "A", "", "a.", "1a", "a'"])
    def test_name_is_refused_unless_a_plain_word(self, name):
        """A name is a parameter's name and nothing else."""
        with pytest.raises(ValueError, match="plain words"):
            begin_message(None, readonly=False, deferrable=False, settings={name: "1"})

    @given(st.text())
    def test_whatever_passes_has_no_quote_and_no_semicolon(self, value):
        """For any text: refused, or harmless inside a literal."""
        try:
            message = begin_message(None, readonly=False, deferrable=False, settings={"a.b": value})
        except ValueError:
            return
        assert message == f"BEGIN; SET LOCAL a.b = '{value}'"
        assert not set(value) & set("';\\\n\0")
