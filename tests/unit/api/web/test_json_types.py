"""Dates, times, ids and decimals, read from one form of text."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from api.web.json_types import (  # noqa: TC001  pydantic resolves annotations at run time
    JsonDate,
    JsonDatetime,
    JsonDecimal,
    JsonTime,
    JsonUuid,
)


class Thing(BaseModel):
    model_config = ConfigDict(strict=True)

    day: JsonDate | None = None
    at: JsonTime | None = None
    moment: JsonDatetime | None = None
    id: JsonUuid | None = None
    price: JsonDecimal | None = None


KEY = "0190a6a4-0000-7000-8000-000000000001"


class TestJsonTypes:
    """A strict model's fields."""

    @pytest.mark.parametrize(
        ("field", "text", "value"),
        [
            ("day", "2024-02-29", date(2024, 2, 29)),
            ("at", "16:30", time(16, 30)),
            ("at", "16:30:05", time(16, 30, 5)),
            ("moment", "2026-11-21T16:30:05Z", datetime(2026, 11, 21, 16, 30, 5, tzinfo=UTC)),
            ("moment", "2026-11-21T16:30:05.25+01:00", datetime(2026, 11, 21, 15, 30, 5, 250_000, UTC)),
            ("id", KEY, UUID(KEY)),
            ("id", KEY.upper(), UUID(KEY)),
            ("price", "19.90", Decimal("19.90")),
            ("price", "-1", Decimal(-1)),
        ],
    )
    def test_text_and_value_are_taken(self, field: str, text: str, value: Any) -> None:
        """What JSON has, and what Python has."""
        assert getattr(Thing.model_validate({field: text}), field) == value
        assert getattr(Thing.model_validate({field: value}), field) == value

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("day", "2026-02-30"),
            ("day", "20260221"),
            ("day", "2026-W08-1"),
            ("day", "2026-02-21T00:00:00"),
            ("day", "٢٠٢٦-٠٢-٢١"),
            ("day", "9999-12-31"),
            ("day", "0001-01-01"),
            ("day", 0),
            ("day", "0"),
            ("at", "24:00"),
            ("at", "16:30Z"),
            ("at", "16:30:00+01:00"),
            ("at", 59400),
            ("moment", "2026-11-21"),
            ("moment", "2026-11-21T16:30:05"),
            ("moment", "2026-11-21 16:30:05Z"),
            ("moment", "2026-11-21T25:30:05Z"),
            ("moment", "0001-01-01T00:00:00+01:00"),
            ("moment", "9999-12-31T23:59:59-01:00"),
            ("moment", "0.5"),
            ("moment", 0.5),
            ("id", KEY.replace("-", "")),
            ("id", "-" * 36),
            ("id", 1),
            ("price", 19.9),
            ("price", 19),
            ("price", True),
            ("price", "NaN"),
            ("price", "Infinity"),
            ("price", "1e5"),
            ("price", "1_000"),
            ("price", " 1"),
            ("price", "1\n"),
            ("price", "9" * 31),
            ("price", []),
            ("day", {}),
        ],
    )
    def test_anything_else_is_refused(self, field: str, value: Any) -> None:
        """Numbers too: seconds are no date, and a float is no price."""
        with pytest.raises(ValidationError):
            Thing.model_validate({field: value})

    def test_schema_says_the_type(self) -> None:
        """Clients see a date, not just any text."""
        properties = Thing.model_json_schema()["properties"]
        assert properties["day"]["anyOf"][0] == {"type": "string", "format": "date"}
