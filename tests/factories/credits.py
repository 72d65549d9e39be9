"""Accounts and what moves between them."""

from __future__ import annotations

from api.credits.models import Account, Transfer
from infra.testing.factories import Factory


class AccountFactory(Factory[Account]):
    """Empty."""


class TransferFactory(Factory[Transfer]):
    """Credits that an admin gives; the balance is not touched."""

    amount = 10
