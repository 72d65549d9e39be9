"""What goes in and out of the routes of credits."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic resolves annotations at run time
from typing import Annotated, Final
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.credits.models import MAX_CREDITS
from api.web.json_types import JsonUuid  # noqa: TC001
from api.web.text import NO_NUL, NOT_BLANK, STRIPPED

#: Each costs three statements, one after the other.
_MAX_BATCH: Final = 50

_Amount = Annotated[int, Field(ge=1, le=MAX_CREDITS, description="Whole credits.", examples=[250])]
_Memo = Annotated[
    str,
    StringConstraints(max_length=200, pattern=NO_NUL),
    Field(description="What it is for.", examples=["Review of chapter 3"]),
]


class AccountCreate(BaseModel):
    """A new account."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=100, pattern=NOT_BLANK),
        STRIPPED,
        Field(description="Unique among your accounts, regardless of case.", examples=["Travel"]),
    ]


class AccountRead(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    owner_id: UUID
    name: str = Field(examples=["Travel"])
    balance: int = Field(description="Whole credits, never below zero.", examples=[1000])
    created_at: datetime
    updated_at: datetime


class DepositCreate(BaseModel):
    """Credits to be issued."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: _Amount
    memo: _Memo = ""


class TransferCreate(BaseModel):
    """Credits to be moved from one account to another."""

    model_config = ConfigDict(extra="forbid", strict=True)

    from_account_id: JsonUuid = Field(description="Your own.")
    to_account_id: JsonUuid = Field(
        description="Anyone's, and another one.", examples=["0190a6a4-0000-7000-8000-000000000002"]
    )
    amount: _Amount
    memo: _Memo = ""


class TransferRead(BaseModel):
    """A transfer that was made."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    from_account_id: UUID | None = Field(description="Null where an admin issued the credits.")
    to_account_id: UUID
    amount: int = Field(examples=[250])
    memo: str = Field(examples=["Review of chapter 3"])
    created_by_id: UUID = Field(description="The user who asked for it.")
    created_at: datetime


class TransferBatch(BaseModel):
    """Transfers to be made one after the other."""

    model_config = ConfigDict(extra="forbid", strict=True)

    transfers: list[TransferCreate] = Field(
        min_length=1, max_length=_MAX_BATCH, description="Each is made by itself, in this order."
    )


class TransferOutcome(BaseModel):
    """What became of one transfer of a batch: either it was made, or there is a code."""

    transfer: TransferRead | None = Field(default=None, description="Null where it was not made.")
    code: str | None = Field(
        default=None, description="Why it was not made, for programs.", examples=["INSUFFICIENT_CREDITS"]
    )
    detail: str | None = Field(default=None, description="Why it was not made, for people.")


class TransferBatchRead(BaseModel):
    """What became of a batch, in its order."""

    outcomes: list[TransferOutcome] = Field(description="One for each transfer.")
