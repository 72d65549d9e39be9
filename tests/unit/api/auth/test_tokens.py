"""Access tokens and refresh tokens, without a database."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from api.auth.tokens import (
    TokenExpiredError,
    TokenInvalidError,
    issue_access_token,
    new_refresh_token,
    parse_refresh_token,
    read_access_token,
)
from api.database.base import uuid7
from api.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "0123456789abcdef" * 4
USER = uuid7()


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@db.example.com/app")
    monkeypatch.setenv("AUTH_SECRET", SECRET)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def token(secret: str = SECRET, algorithm: str = "HS256", typ: str = "at+jwt", **changes: Any) -> str:
    """Sign the claims of a good token, changed; `None` leaves one out."""
    now = datetime.now(UTC)
    claims = {
        "sub": str(USER),
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "iss": "bough",
        "aud": "bough-api",
        "jti": "1",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"typ": typ})


class TestIssueAccessToken:
    """What an access token says."""

    def test_names_the_user_for_fifteen_minutes(self) -> None:
        """And nothing that could change meanwhile, such as a role."""
        now = datetime.now(UTC).replace(microsecond=0)
        issued = issue_access_token(USER, now=now)
        claims = jwt.decode(issued, SECRET, algorithms=["HS256"], audience="bough-api")
        assert claims.pop("jti")
        assert claims == {
            "sub": str(USER),
            "iat": now.timestamp(),
            "exp": (now + timedelta(minutes=15)).timestamp(),
            "iss": "bough",
            "aud": "bough-api",
        }
        assert read_access_token(issued) == USER


class TestReadAccessToken:
    """Which tokens are believed."""

    def test_good_token_is(self) -> None:
        """The base of the changes below."""
        assert read_access_token(token()) == USER

    @pytest.mark.parametrize(
        "changes",
        [
            {"secret": "fedcba9876543210" * 4},
            {"algorithm": "HS512"},
            {"algorithm": "none", "secret": ""},
            {"typ": "JWT"},
            {"iss": "other"},
            {"aud": "other"},
            {"sub": "ada"},
            {"sub": 7},
            {"iat": 4102444800},
            *({claim: None} for claim in ("sub", "iat", "exp", "iss", "aud", "jti")),
        ],
        ids=str,
    )
    def test_changed_token_is_not(self, changes: dict[str, Any]) -> None:
        """Another key, algorithm, type, issuer, audience or subject, or a claim missing."""
        with pytest.raises(TokenInvalidError):
            read_access_token(token(**changes))

    @pytest.mark.parametrize("text", ["", ".", "a.b.c", "é", "x" * 10_000])
    def test_anything_else_is_not(self, text: str) -> None:
        """No input escapes as another exception."""
        with pytest.raises(TokenInvalidError):
            read_access_token(text)

    def test_tampered_payload_is_not(self) -> None:
        """The signature covers it."""
        header, _, signature = token().split(".")
        payload = urlsafe_b64encode(b'{"sub":"00000000-0000-0000-0000-000000000000"}').decode().rstrip("=")
        with pytest.raises(TokenInvalidError):
            read_access_token(f"{header}.{payload}.{signature}")

    def test_expired_token_is_told_apart(self) -> None:
        """After the five seconds by which clocks may differ."""
        now = datetime.now(UTC)
        assert read_access_token(token(exp=now - timedelta(seconds=2))) == USER
        with pytest.raises(TokenExpiredError):
            read_access_token(token(exp=now - timedelta(seconds=10)))


class TestRefreshToken:
    """Opaque tokens."""

    def test_text_is_parsed_back(self) -> None:
        """The digest too, which is what the database compares."""
        new = new_refresh_token(uuid7())
        assert parse_refresh_token(new.text) == new
        assert len(new.digest) == 32
        assert new.digest not in new.text.encode()

    def test_tokens_of_a_family_differ(self) -> None:
        """256 bits from the system each."""
        family = uuid7()
        assert len({new_refresh_token(family).secret for _ in range(50)}) == 50

    def test_secret_is_not_shown(self) -> None:
        """Neither as text nor as bytes."""
        new = new_refresh_token(uuid7())
        assert new.text not in repr(new)
        assert repr(new.secret) not in f"{new} {new!r}"

    @pytest.mark.parametrize("text", ["", "A" * 60, "A" * 68, "é" * 64, "*" * 64])
    def test_other_text_is_no_token(self, text: str) -> None:
        """Only 48 bytes in base64 can be one."""
        assert parse_refresh_token(text) is None


class TestChangingKeys:
    """Two keys in AUTH_SECRET."""

    @pytest.fixture(autouse=True)
    def _two_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.new, self.old = "fedcba9876543210" * 4, SECRET
        self.monkeypatch = monkeypatch

    def begin(self, seconds: float) -> None:
        """Have the new key sign from so many seconds from now on."""
        keys = [{"key": self.new, "signs_from": time.time() + seconds}, {"key": self.old}]
        self.monkeypatch.setenv("AUTH_SECRET", json.dumps({"keys": keys}))
        get_settings.cache_clear()

    def test_the_old_one_signs_until_the_new_one_begins(self) -> None:
        """Before that both are good, and an environment that knows only the old one reads all tokens."""
        self.begin(60)
        jwt.decode(issued := issue_access_token(USER), self.old, algorithms=["HS256"], audience="bough-api")
        assert [read_access_token(each) for each in (issued, token(self.new), token(self.old))] == [USER] * 3

    def test_what_the_old_one_signed_stays_good_for_its_life(self) -> None:
        """And no longer: after 15 minutes and the leeway it is refused, whatever it says of its end."""
        self.begin(-15 * 60)
        assert read_access_token(token(self.old)) == USER
        jwt.decode(issue_access_token(USER), self.new, algorithms=["HS256"], audience="bough-api")
        self.begin(-15 * 60 - 6)
        with pytest.raises(TokenInvalidError):
            read_access_token(token(self.old))

    def test_a_third_key_is_refused(self) -> None:
        """With two keys as with one."""
        self.begin(60)
        with pytest.raises(TokenInvalidError):
            read_access_token(token("0" * 64))

    def test_an_expired_token_of_the_old_one_has_expired(self) -> None:
        """The client is told to refresh it."""
        self.begin(60)
        with pytest.raises(TokenExpiredError):
            read_access_token(token(self.old, exp=datetime.now(UTC) - timedelta(minutes=1)))
