"""Limits, and the clock that they are measured by."""

from __future__ import annotations

import asyncio

import pytest

from api.database.timeouts import Timeouts, deadline, remaining


class TestTimeouts:
    def test_settings_are_in_milliseconds(self):
        """PostgreSQL is told milliseconds, whatever unit its own default is."""
        assert Timeouts(statement=1.5, lock=0.25, idle_in_transaction=60).settings() == {
            "statement_timeout": "1500ms",
            "lock_timeout": "250ms",
            "idle_in_transaction_session_timeout": "60000ms",
        }

    @pytest.mark.parametrize("value", [0, -1, 0.0004, 2_147_484, float("inf"), float("nan")])
    @pytest.mark.parametrize("name", ["statement", "lock", "idle_in_transaction"])
    def test_no_limit_is_refused(self, name, value):
        """PostgreSQL reads 0 as no limit at all, what rounds to 0 too, and knows no infinity."""
        with pytest.raises(ValueError, match=name):
            Timeouts(**{name: value})


class TestRemaining:
    def test_nothing_is_remaining_without_a_deadline(self):
        """Outside an invocation nothing is limited, and no loop is needed to say so."""
        assert remaining() is None

    @pytest.mark.asyncio
    async def test_remaining_counts_down_to_below_zero(self):
        """Seconds until the deadline by the loop's clock; negative once it passed."""
        token = deadline.set(asyncio.get_running_loop().time() + 10)
        try:
            assert 9 < remaining() <= 10
            deadline.set(asyncio.get_running_loop().time() - 1)
            assert -2 < remaining() < 0
        finally:
            deadline.reset(token)
