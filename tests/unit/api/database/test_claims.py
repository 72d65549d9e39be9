"""Claims as one plain word."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.database.begin import begin_message
from api.database.claims import MAX_BYTES, SETTING, ClaimsError, encode

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


class TestEncode:
    """From JSON to hex."""

    @given(ANY_JSON)
    def test_whatever_is_accepted_rides_on_begin_and_comes_back(self, value: Any) -> None:
        """Nothing in a claim ends the quotes around it; what PostgreSQL could not hold is refused."""
        try:
            encoded = encode({"token": value})
        except ClaimsError:
            return
        message = begin_message(None, readonly=True, deferrable=False, settings={SETTING: encoded})
        assert re.fullmatch(r"BEGIN READ ONLY; SET LOCAL bough\.claims = '[0-9a-f]*'", message)
        assert json.loads(bytes.fromhex(encoded)) == {"token": value}

    @pytest.mark.parametrize(
        "value",
        ["a\0b", {"a\0b": 1}, ["\\\0"], "\ud800", {"\udfff": 1}, float("nan"), float("-inf"), 1e400],
        ids=ascii,
    )
    def test_what_postgresql_cannot_hold_is_refused(self, value: Any) -> None:
        """A NUL, half a character, no number."""
        with pytest.raises(ClaimsError, match="PostgreSQL cannot"):
            encode({"token": value})

    @pytest.mark.parametrize(
        "value", ["\\u0000", "a\\\\u0000", "'; DROP TABLE users; --", "\x01\x7f"], ids=ascii
    )
    def test_what_only_looks_dangerous_is_not(self, value: str) -> None:
        """A backslash before `u0000` is text."""
        assert json.loads(bytes.fromhex(encode({"token": value}))) == {"token": value}

    def test_size_is_counted_in_bytes(self) -> None:
        """As they travel, before hex doubles them."""
        frame = len(b'{"a":""}')
        encode({"a": "x" * (MAX_BYTES - frame)})
        with pytest.raises(ClaimsError, match=f"take {MAX_BYTES + 1} bytes, more than {MAX_BYTES}"):
            encode({"a": "x" * (MAX_BYTES - frame - 1) + "é"})

    def test_nesting_without_end_is_refused(self) -> None:
        """Not an exception of Python's."""
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        with pytest.raises(ClaimsError):
            encode({"token": value})
