"""What goes in and out of the catalog's routes."""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003  pydantic resolves annotations at run time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
)

from api.web.json_types import JsonDate, JsonDecimal, JsonTime
from api.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from api.web.text import NO_NUL, NOT_BLANK, STRIPPED

#: Items of one import: one statement, well within a request's time.
MAX_IMPORT: Final = 500
_MAX_DEPTH: Final = 3
_ATTRIBUTE_NAME: Final = r"[a-z][a-z0-9_]{0,49}"
#: Pydantic describes the names that a dict may have, and not that it may have no others.
_NO_OTHER_NAMES: Final[dict[str, JsonValue]] = {"additionalProperties": False}
_PERCENT: Final = r"^((-[0-9]{1,2}|[0-9]{1,3})(\.[0-9]{1,2})?|1000(\.00?)?)$"
_AMOUNT: Final = {"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,2})?$", "examples": ["19.90"]}


class ItemSort(StrEnum):
    """The order of a list."""

    NAME = "name"
    PRICE = "price"
    PRICE_DESCENDING = "-price"


def _depth(value: object) -> int:
    """Return how deep lists and objects are nested in a value; 0 for a plain one."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_depth, inside), default=0)


def _shallow(value: JsonValue) -> JsonValue:
    if _depth(value) > _MAX_DEPTH:
        message = f"lists and objects may be nested {_MAX_DEPTH} deep"
        raise ValueError(message)
    return value


def _present(value: JsonValue) -> JsonValue:
    if value is None:
        message = "leave the attribute out instead of sending null"
        raise ValueError(message)
    return value


def _unique(labels: list[str]) -> list[str]:
    return sorted(set(labels))


Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$"), Field(examples=["TEE-RED-M"])]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK),
    STRIPPED,
    Field(examples=["Red T-shirt"]),
]
Description = Annotated[
    str, StringConstraints(max_length=10_000, pattern=NO_NUL), Field(examples=["Cotton, pre-washed."])
]
#: As text, both ways: a JSON number would have been a float on its way.
Price = Annotated[
    JsonDecimal,
    Field(ge=Decimal(0), max_digits=12, decimal_places=2),
    WithJsonSchema(_AMOUNT),
]
Percent = Annotated[
    JsonDecimal,
    Field(gt=Decimal(-100), le=Decimal(1000), decimal_places=2),
    WithJsonSchema({"type": "string", "pattern": _PERCENT, "examples": ["-12.5"]}),
]
AttributeName = Annotated[str, StringConstraints(pattern=rf"^{_ATTRIBUTE_NAME}$")]
AttributeValue = Annotated[JsonValue, AfterValidator(_shallow)]
_PresentValue = Annotated[
    AttributeValue,
    AfterValidator(_present),
    WithJsonSchema({"type": ["string", "number", "boolean", "array", "object"]}),
]
Attributes = Annotated[
    dict[AttributeName, _PresentValue],
    Field(
        description="Any values but null, nested 3 deep at most; together at most 16 KiB of text.",
        examples=[{"color": "red", "sizes": ["S", "M"], "weight_g": 180}],
        json_schema_extra=_NO_OTHER_NAMES,
    ),
]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]
Labels = Annotated[
    list[Label], AfterValidator(_unique), Field(max_length=20, examples=[["clothing", "summer"]])
]
Barcode = Annotated[
    str,
    StringConstraints(pattern=r"^([0-9]{8}|[0-9]{12,14})$"),
    Field(description="A GTIN: 8, 12, 13 or 14 digits.", examples=["4006381333931"]),
]
_From = Annotated[
    JsonDate | None, Field(description="The first day on offer; null: since ever.", examples=["2026-06-01"])
]
_Until = Annotated[
    JsonDate | None, Field(description="The last day on offer; null: for good.", examples=["2026-08-31"])
]
_Cutoff = Annotated[
    JsonTime | None,
    Field(description="Orders until this time of day, where the stock is, ship the same day."),
]


class ItemPut(BaseModel):
    """All of an item but its SKU; what is not sent is empty afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name
    description: Description = ""
    price: Price
    attributes: Attributes = Field(default_factory=dict)
    labels: Labels = Field(default_factory=list)
    barcode: Barcode | None = None
    available_from: _From = None
    available_until: _Until = None
    order_cutoff: _Cutoff = None


class ItemImport(ItemPut):
    """An item of an import."""

    sku: Sku


class ItemUpdate(BaseModel):
    """A change of some fields; what is not sent stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The defaults stand for "not sent" and are never read.
    name: Name = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    price: Price = Field(default_factory=Decimal)
    attributes: dict[AttributeName, AttributeValue] = Field(
        default_factory=dict,
        description="Each attribute sent replaces that one; null takes it away; the others stay.",
        examples=[{"color": "blue", "sizes": None}],
        json_schema_extra=_NO_OTHER_NAMES,
    )
    labels: Labels = Field(default_factory=list, description="All labels; the others are taken off.")
    barcode: Barcode | None = None
    available_from: _From = None
    available_until: _Until = None
    order_cutoff: _Cutoff = None

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        return self.model_dump(exclude_unset=True)


class ItemRead(BaseModel):
    """An item."""

    model_config = ConfigDict(from_attributes=True)

    sku: str = Field(examples=["TEE-RED-M"])
    name: str = Field(examples=["Red T-shirt"])
    description: str
    price: Decimal = Field(description="In the catalog's one currency, exact.", examples=["19.90"])
    attributes: dict[str, JsonValue] = Field(
        description="What else there is to know of it.", examples=[{"color": "red", "weight_g": 180}]
    )
    labels: list[str] = Field(examples=[["clothing", "summer"]])
    barcode: str | None = Field(description="A GTIN; null: there is none.", examples=["4006381333931"])
    available_from: _From
    available_until: _Until
    order_cutoff: _Cutoff
    created_at: datetime
    updated_at: datetime


class ItemQuery(BaseModel):
    """What to list; conditions of several kinds hold together."""

    model_config = ConfigDict(extra="forbid")

    attribute: list[
        Annotated[str, StringConstraints(pattern=rf"^{_ATTRIBUTE_NAME}:[^\x00]*$", max_length=200)]
    ] = Field(
        default_factory=list,
        max_length=10,
        description=(
            "`name:value`, for each attribute that items must have. The value is JSON where it can be read as"
            ' such, else text: `weight_g:180` is the number, `weight_g:"180"` the text. A list or an object'
            ' matches items whose own contains it: `sizes:["M"]`.'
        ),
        examples=[["color:red", 'sizes:["M"]']],
    )
    label: list[Label] = Field(
        default_factory=list, max_length=10, description="Only items with all of these labels."
    )
    min_price: Price | None = Field(default=None, description="This price or more.")
    max_price: Price | None = Field(default=None, description="This price or less.")
    available_on: JsonDate | None = Field(default=None, description="Only items on offer on this day.")
    barcode: Barcode | None = Field(default=None, description="Only items with this barcode.")
    sort: ItemSort = Field(default=ItemSort.NAME, description="The order; `-price`: the dearest first.")
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT

    def contained(self) -> list[dict[str, JsonValue]]:
        """Return what the attributes of each item must contain."""
        pairs = (pair.partition(":") for pair in self.attribute)
        return [{name: _json_or_text(value)} for name, _, value in pairs]


class ImportCreate(BaseModel):
    """Items to create or to replace, each SKU once."""

    model_config = ConfigDict(extra="forbid", strict=True)

    items: list[ItemImport] = Field(
        min_length=1, max_length=MAX_IMPORT, description="All are written, or none."
    )


class ImportRead(BaseModel):
    """What an import did."""

    created: int = Field(description="How many items are new.")
    replaced: int = Field(description="How many were there before.")


class RepriceCreate(BaseModel):
    """A change of many prices."""

    model_config = ConfigDict(extra="forbid", strict=True)

    percent: Percent = Field(description="Added to each price; below zero, taken off.")
    labels: Labels = Field(min_length=1, description="The items that have all of these.")


class RepriceRead(BaseModel):
    """What a change of many prices did."""

    repriced: int = Field(description="How many items matched.")


def _json_or_text(value: str) -> JsonValue:
    """Return a value that JSON can hold, or the text itself: `NaN` and `1e999` are none."""
    try:
        read: JsonValue = json.loads(value)
        json.dumps(read, allow_nan=False)
    except (ValueError, RecursionError):
        return value
    return read
