"""What the catalog takes and what it refuses, before anything reaches a database."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from api.catalog.schemas import ImportCreate, ItemImport, ItemPut, ItemQuery, ItemUpdate, RepriceCreate

ITEM: Final = {"name": "Red T-shirt", "price": "19.90"}


def refused(model: type[BaseModel], sent: dict[str, Any]) -> bool:
    try:
        model.model_validate(sent)
    except ValidationError:
        return True
    return False


class TestItemPut:
    """A whole item."""

    def test_what_is_not_sent_is_empty(self) -> None:
        """A replacement leaves nothing of what was there."""
        rest = ItemPut.model_validate(ITEM).model_dump(exclude={"name", "price"})
        assert rest == {
            "description": "",
            "attributes": {},
            "labels": [],
            "barcode": None,
            "available_from": None,
            "available_until": None,
            "order_cutoff": None,
        }

    def test_labels_are_sorted_and_each_is_kept_once(self) -> None:
        """They are a set."""
        assert ItemPut.model_validate(ITEM | {"labels": ["b", "a", "b"]}).labels == ["a", "b"]

    @given(st.decimals(0, "9999999999.99", places=2))
    def test_price_goes_through_exactly(self, price: Decimal) -> None:
        """As text, both ways."""
        item = ItemPut.model_validate(ITEM | {"price": f"{price:f}"})
        assert item.price == price
        assert json.loads(item.model_dump_json())["price"] == f"{price:f}"

    @pytest.mark.parametrize(
        "change",
        [
            {"price": 19.9},
            {"price": 19},
            {"price": "19.901"},
            {"price": "-0.01"},
            {"price": "10000000000"},
            {"price": "NaN"},
            {"price": None},
            {"name": " "},
            {"name": "a\0"},
            {"name": "\ud800"},
            {"name": None},
            {"description": "x" * 10_001},
            {"attributes": {"Color": "red"}},
            {"attributes": {"color": None}},
            {"attributes": {"color": [[[["red"]]]]}},
            {"attributes": {"color": {"a": {"b": [{}]}}}},
            {"attributes": ["red"]},
            {"labels": ["Summer"]},
            {"labels": [f"l{number}" for number in range(21)]},
            {"barcode": "123"},
            {"barcode": "١٢٣٤٥٦٧٨"},
            {"available_from": "2026-02-30"},
            {"available_from": 0},
            {"order_cutoff": "16:30Z"},
            {"sku": "OTHER"},
        ],
        ids=str,
    )
    def test_unacceptable_value_is_refused(self, change: dict[str, Any]) -> None:
        """A price that is a JSON number too: it was a float on its way."""
        assert refused(ItemPut, ITEM | change)

    @pytest.mark.parametrize("sku", ["tee", "-TEE", "T" * 65, "T E", "T\n", "Ä", ""])
    def test_sku_in_another_spelling_is_refused(self, sku: str) -> None:
        """An item has one address."""
        assert refused(ItemImport, ITEM | {"sku": sku})
        assert not refused(ItemImport, ITEM | {"sku": "T-1.2_3"})


class TestItemUpdate:
    """A change."""

    def test_only_what_was_sent_is_a_change(self) -> None:
        """Null is one where a field may be empty."""
        sent = {"price": "1.50", "barcode": None, "attributes": {"color": None}}
        changes = ItemUpdate.model_validate(sent).changes()
        assert changes == {"price": Decimal("1.50"), "barcode": None, "attributes": {"color": None}}

    @pytest.mark.parametrize(
        "sent", [{"name": None}, {"price": 1}, {"labels": None}, {"sku": "OTHER"}], ids=str
    )
    def test_unacceptable_change_is_refused(self, sent: dict[str, Any]) -> None:
        """Null is not "not sent"."""
        assert refused(ItemUpdate, sent)


class TestItemQuery:
    """The conditions of a list."""

    @pytest.mark.parametrize(
        ("sent", "contained"),
        [
            ("color:red", "red"),
            ("color:", ""),
            ("color:a:b", "a:b"),
            ("color:42", 42),
            ('color:"42"', "42"),
            ("color:true", True),
            ("color:null", None),
            ('color:["M"]', ["M"]),
            ("color:NaN", "NaN"),
            ("color:-Infinity", "-Infinity"),
            ("color:1e999", "1e999"),
            ("color:" + "[" * 190, "[" * 190),
        ],
    )
    def test_value_is_json_where_it_can_be(self, sent: str, contained: Any) -> None:
        """What PostgreSQL's JSON has no word for is text."""
        assert ItemQuery.model_validate({"attribute": [sent]}).contained() == [{"color": contained}]

    @given(st.from_regex(r"\A[a-z]:[^\x00]{0,190}\Z"))
    def test_any_value_becomes_json(self, sent: str) -> None:
        """Whatever the text; what JSON can say and JSONB cannot hold is the server's to refuse."""
        json.dumps(ItemQuery.model_validate({"attribute": [sent]}).contained(), allow_nan=False)

    @pytest.mark.parametrize(
        "sent",
        [
            {"attribute": ["color"]},
            {"attribute": ["Color:red"]},
            {"attribute": ["color:\0"]},
            {"attribute": ["color:" + "x" * 195]},
            {"attribute": ["a:1"] * 11},
            {"label": ["Kitchen"]},
            {"min_price": "1e3"},
            {"max_price": "-1"},
            {"available_on": "today"},
            {"barcode": "1"},
            {"sort": "sku"},
            {"limit": "0"},
            {"colour": "red"},
        ],
        ids=lambda sent: str(sent)[:40],
    )
    def test_unusable_condition_is_refused(self, sent: dict[str, Any]) -> None:
        """One of no such name too: a condition that is ignored answers another question."""
        assert refused(ItemQuery, sent)


class TestBulk:
    """Imports and changes of many prices."""

    def test_import_is_bounded(self) -> None:
        """One item at least, 500 at most."""
        items = [ITEM | {"sku": f"S{number}"} for number in range(501)]
        assert [refused(ImportCreate, {"items": items[:n]}) for n in (0, 1, 500, 501)] == [
            True,
            False,
            False,
            True,
        ]

    @pytest.mark.parametrize("percent", ["-100", "1000.01", "1.001", "NaN", 5, 5.5, ""])
    def test_percentage_out_of_reach_is_refused(self, percent: Any) -> None:
        """Nothing becomes free, or eleven times as dear, by a slip."""
        assert refused(RepriceCreate, {"percent": percent, "labels": ["a"]})
        assert not refused(RepriceCreate, {"percent": "-99.99", "labels": ["a"]})
        assert not refused(RepriceCreate, {"percent": "1000", "labels": ["a"]})

    def test_prices_are_never_changed_without_a_label(self) -> None:
        """The whole catalog is nobody's wish."""
        assert refused(RepriceCreate, {"percent": "1", "labels": []})
