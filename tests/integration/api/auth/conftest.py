"""The app with another issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.auth.issuers import _key_set
from api.settings import get_settings
from tests.support.fake_issuer import AUDIENCE, FakeIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI


@pytest.fixture
def issuer(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIssuer]:
    """An issuer whose tokens the app accepts."""
    with FakeIssuer() as made:
        monkeypatch.setenv("BOUGH_ISSUER", made.url)
        monkeypatch.setenv("BOUGH_ISSUER_AUDIENCE", AUDIENCE)
        get_settings.cache_clear()
        _key_set.cache_clear()
        yield made
    _key_set.cache_clear()
