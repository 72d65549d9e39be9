"""What a transfer may say."""

from __future__ import annotations

from typing import Any, Final

import pytest
from pydantic import ValidationError

from api.credits.models import MAX_CREDITS
from api.credits.schemas import TransferBatch, TransferCreate

FROM: Final = "00000000-0000-7000-8000-000000000001"
TO: Final = "00000000-0000-7000-8000-000000000002"
ORDER: Final = {"from_account_id": FROM, "to_account_id": TO, "amount": 1}


class TestTransferCreate:
    """The body of a transfer, as the JSON parser made it."""

    @pytest.mark.parametrize("change", [{}, {"amount": MAX_CREDITS}, {"memo": "x" * 200}])
    def test_acceptable_value_is_taken(self, change: dict[str, Any]) -> None:
        """Up to the bounds, and ids from text."""
        assert (
            TransferCreate.model_validate(ORDER | change).model_dump(mode="json")
            == {"memo": ""} | ORDER | change
        )

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": 0},
            {"amount": -1},
            {"amount": 1.0},
            {"amount": "1"},
            {"amount": True},
            {"amount": MAX_CREDITS + 1},
            {"amount": 2**63},
            {"memo": "a\0b"},
            {"memo": "x" * 201},
            {"memo": None},
            {"to_account_id": "mine"},
            {"from_account_id": None},
            {"created_by_id": TO},
        ],
        ids=str,
    )
    def test_unacceptable_value_is_refused(self, change: dict[str, Any]) -> None:
        """Credits are whole and bounded; who asks is not the body's to say."""
        with pytest.raises(ValidationError):
            TransferCreate.model_validate(ORDER | change)


class TestTransferBatch:
    """The body of a batch."""

    @pytest.mark.parametrize(("count", "fits"), [(0, False), (1, True), (50, True), (51, False)])
    def test_size_is_bounded(self, count: int, fits: bool) -> None:  # noqa: FBT001  a parameter of the test
        """Each transfer costs statements of its own."""
        body = {"transfers": [ORDER] * count}
        if fits:
            assert len(TransferBatch.model_validate(body).transfers) == count
        else:
            with pytest.raises(ValidationError):
                TransferBatch.model_validate(body)
