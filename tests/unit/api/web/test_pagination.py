"""Cursors: made by us, taken back by us, and nothing else."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import BigInteger, DateTime, Numeric, SmallInteger, TypeDecorator, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.web.pagination import Cursor, InvalidCursorError, cut, keyset


class Base(DeclarativeBase):
    """Of this module's own, so that its table never meets the application's."""


class Own(TypeDecorator[datetime]):
    """A type of an application's own, as SQLModel makes for every datetime."""

    impl = DateTime(timezone=True)
    cache_ok = True


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    local: Mapped[datetime] = mapped_column(DateTime())
    own: Mapped[datetime] = mapped_column(Own)
    day: Mapped[date]
    price: Mapped[Decimal]
    exact: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    name: Mapped[str]
    number: Mapped[int]
    big: Mapped[int] = mapped_column(BigInteger)
    small: Mapped[int] = mapped_column(SmallInteger)


ID = UUID("0190a6a4-0000-7000-8000-000000000001")
AT = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def token(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(text).decode().rstrip("=")


def bound(statement: Any) -> list[Any]:
    """Return the values that the statement sends, the limit left out."""
    return list(statement.compile(dialect=postgresql.dialect()).params.values())[:-1]


def cursor_of(columns: Any, **values: Any) -> str:
    row = SimpleNamespace(**values)
    page, cursor = cut([row, row], columns, 1)
    assert len(page) == 1
    assert cursor is not None
    return cursor


class TestKeyset:
    """The statement."""

    def test_first_page_has_order_and_limit_only(self) -> None:
        """Without a cursor there is no condition; one row more than asked for is fetched."""
        sql = str(
            keyset(select(Thing.id), (Thing.at, Thing.id), None, 20).compile(dialect=postgresql.dialect())
        )
        assert "WHERE" not in sql
        assert "ORDER BY thing.at ASC, thing.id ASC" in sql

    @pytest.mark.parametrize("value", ["9999999999.99", "-9999999999.99", "0.001"])
    def test_decimal_within_its_column_is_taken(self, value: str) -> None:
        """Up to the last cent."""
        statement = keyset(select(Thing.id), (Thing.exact,), token([value]), 20)
        assert bound(statement) == [Decimal(value)]

    def test_type_of_the_applications_own_is_read_as_what_it_stores(self) -> None:
        """The cursor of such a column comes back as its value, and refuses another's."""
        columns = (Thing.own, Thing.id)
        cursor = cursor_of(columns, own=AT, id=ID)
        assert bound(keyset(select(Thing.id), columns, cursor, 20)) == [AT, ID]
        with pytest.raises(InvalidCursorError):
            keyset(select(Thing.id), columns, token(["2026-11-21", str(ID)]), 20)

    @pytest.mark.parametrize(("descending", "sign", "order"), [(True, "<", "DESC"), (False, ">", "ASC")])
    def test_next_page_compares_rows(self, descending: bool, sign: str, order: str) -> None:  # noqa: FBT001
        """A row comparison, which one index serves, in the order's direction."""
        columns = (Thing.at, Thing.id)
        cursor = cursor_of(columns, at=AT, id=ID)
        statement = keyset(select(Thing.id), columns, cursor, 20, descending=descending)
        sql = str(statement.compile(dialect=postgresql.dialect()))
        assert f"(thing.at, thing.id) {sign} (" in sql
        assert f"thing.at {order}, thing.id {order}" in sql
        assert bound(statement) == [AT, ID]

    @given(
        # Short of the last year's end, which has no moment left for another time zone.
        at=st.datetimes(
            max_value=AT.replace(year=9999, tzinfo=None),
            timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))]),
        ),
        local=st.datetimes(),
        day=st.dates(),
        price=st.decimals(allow_nan=False, allow_infinity=False, places=4),
        key=st.uuids(),
        name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        number=st.integers(-(2**31), 2**31 - 1),
        big=st.integers(-(2**63), 2**63 - 1),
    )
    def test_values_come_back_equal(  # noqa: PLR0917  hypothesis passes them by name
        self,
        at: datetime,
        local: datetime,
        day: date,
        price: Decimal,
        key: UUID,
        name: str,
        number: int,
        big: int,
    ) -> None:
        """Whatever the row holds is what the next page's statement sends."""
        values = {"at": at, "local": local, "day": day, "price": price, "id": key}
        values |= {"name": name, "number": number, "big": big}
        columns = tuple(getattr(Thing, column) for column in values)
        cursor = cursor_of(columns, **values)
        assert bound(keyset(select(Thing.id), columns, cursor, 1)) == list(values.values())

    @pytest.mark.parametrize(
        ("column", "cursor"),
        [
            (Thing.id, ""),
            (Thing.id, "not a cursor"),
            (Thing.id, "é"),
            (Thing.id, token(b"\xff")),
            (Thing.id, token(None)),
            (Thing.id, token({})),
            (Thing.id, token([])),
            (Thing.id, token([str(ID), 1])),
            (Thing.id, token(["nope"])),
            (Thing.id, token([1])),
            (Thing.id, token(b"[" * 700)),
            (Thing.id, token(b"1" * 700)),
            (Thing.at, token(["2026-11-21T12:00:00"])),
            (Thing.local, token(["2026-11-21T12:00:00+00:00"])),
            (Thing.at, token(["yesterday"])),
            (Thing.at, token(["9999-12-31T23:59:59-14:00"])),
            (Thing.at, token(["0001-01-01T00:00:00+14:00"])),
            (Thing.day, token(["2026-11-21T12:00:00"])),
            (Thing.day, token([20261121])),
            (Thing.price, token(["NaN"])),
            (Thing.price, token(["Infinity"])),
            (Thing.price, token(["1E+9999"])),
            (Thing.price, token([1.5])),
            (Thing.exact, token(["10000000000"])),
            (Thing.exact, token(["-9999999999.991"])),
            (Thing.name, token(["nul \0"])),
            (Thing.name, token(b'["\\ud800"]')),
            (Thing.name, token([1])),
            (Thing.number, token([2**31])),
            (Thing.number, token([True])),
            (Thing.number, token([1.5])),
            (Thing.number, token(["1"])),
            (Thing.big, token([2**63])),
            (Thing.small, token([2**15])),
        ],
    )
    def test_foreign_cursor_is_refused(self, column: Any, cursor: str) -> None:
        """What we did not make, and what PostgreSQL would choke on, is INVALID_CURSOR."""
        with pytest.raises(InvalidCursorError) as caught:
            keyset(select(Thing.id), (column,), cursor, 20)
        assert (caught.value.status, caught.value.code) == (400, "INVALID_CURSOR")

    @given(st.text(max_size=60))
    def test_any_text_is_refused_or_taken(self, cursor: str) -> None:
        """No text makes it fail otherwise."""
        with suppress(InvalidCursorError):
            keyset(select(Thing.id), (Thing.name,), cursor, 20)


class TestCut:
    """The page."""

    def test_last_page_has_no_cursor(self) -> None:
        """As many rows as asked for, and none more: the end."""
        rows = [SimpleNamespace(id=ID)] * 2
        assert cut(rows, (Thing.id,), 2) == (rows, None)

    def test_extra_row_is_cut_off(self) -> None:
        """The row beyond the page is the next page's; the cursor is the last row's before it."""
        rows = [SimpleNamespace(id=UUID(int=number)) for number in range(3)]
        page, cursor = cut(rows, (Thing.id,), 2)
        assert page == rows[:2]
        assert cursor == token([str(UUID(int=1))])

    @pytest.mark.parametrize("character", ["a", '"', "\x01", "\u00e9", "\U0001f600"])
    def test_cursor_of_a_long_name_is_one_that_is_taken(self, character: str) -> None:
        """Lists are ordered by names of 200 characters; the parameter's limit must let them through."""
        cursor = cursor_of((Thing.name, Thing.id), name=character * 200, id=ID)
        assert TypeAdapter(Cursor).validate_python(cursor) == cursor
