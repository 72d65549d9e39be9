"""Which tokens of another issuer are believed."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth.issuers import AnonymousTokenError, _key_set, is_foreign, read_foreign_token
from api.auth.keys import IssuerUnavailableError
from api.auth.tokens import TokenExpiredError, TokenInvalidError, issue_access_token, read_access_token
from api.database.base import uuid7
from api.settings import get_settings
from tests.support.fake_issuer import ALGORITHMS, MISSING, FakeIssuer, private_key, public_jwk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio

OURS = "0123456789abcdef" * 4
SECRET = "fedcba9876543210" * 4


def configure(monkeypatch: pytest.MonkeyPatch, issuer: FakeIssuer, **variables: str) -> None:
    """Name the issuer in the settings."""
    known = {
        "DATABASE_URL": "postgresql://app@db.example.com/app",
        "AUTH_SECRET": OURS,
        "BOUGH_ISSUER": issuer.url,
        "BOUGH_ISSUER_AUDIENCE": "authenticated",
    }
    for name, value in (known | variables).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    _key_set.cache_clear()


@pytest_asyncio.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeIssuer]:
    """The configured issuer."""
    with FakeIssuer() as made:
        configure(monkeypatch, made)
        yield made
    get_settings.cache_clear()
    _key_set.cache_clear()


def signed_by_hand(header: str, payload: str, secret: bytes) -> str:
    """Return a token that PyJWT refuses to make."""
    parts = [urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (header, payload)]
    text = b".".join(parts)
    return b".".join([text, urlsafe_b64encode(hmac.digest(secret, text, "sha256")).rstrip(b"=")]).decode()


class TestReadForeignToken:
    """Signature, issuer, audience, lifetime."""

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    async def test_good_token_names_its_subject(
        self, issuer: FakeIssuer, algorithm: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With each kind of key; its claims come along."""
        with FakeIssuer(algorithm=algorithm) as other:
            configure(monkeypatch, other)
            token = other.token(sub="ada", aud=["other", "authenticated"])
            assert is_foreign(token)
            identity = await read_foreign_token(token)
            assert (identity.issuer, identity.subject) == (other.url, "ada")
            assert identity.claims["email"] == "ada@example.com"

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"key": private_key("ES256", 9)}, id="another key"),
            pytest.param({"key": private_key("RS256"), "algorithm": "RS256"}, id="another kind of key"),
            {"algorithm": "none", "key": ""},
            {"headers": {"kid": "key-9"}},
            {"headers": {"crit": ["exp"]}},
            {"iss": "https://other.example"},
            {"aud": "other"},
            {"aud": []},
            {"sub": ""},
            {"sub": "x" * 256},
            {"sub": "zoë"},
            {"sub": "ada\x00"},
            {"iat": 4102444800},
            {"nbf": 4102444800},
            *({claim: MISSING} for claim in ("iss", "aud", "sub", "exp")),
        ],
        ids=str,
    )
    async def test_changed_token_is_refused(self, issuer: FakeIssuer, changes: dict[str, Any]) -> None:
        """Another key, algorithm, issuer, audience or subject, too early, or a claim missing."""
        with pytest.raises(TokenInvalidError):
            await read_foreign_token(issuer.token(**changes))

    async def test_expired_token_is_told_apart(self, issuer: FakeIssuer) -> None:
        """After the half minute by which clocks may differ."""
        now = datetime.now(UTC)
        await read_foreign_token(
            issuer.token(exp=now - timedelta(seconds=20), nbf=now + timedelta(seconds=20))
        )
        with pytest.raises(TokenExpiredError):
            await read_foreign_token(issuer.token(exp=now - timedelta(seconds=40)))

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    @pytest.mark.parametrize("secret", ["", SECRET])
    async def test_public_key_is_no_shared_secret(
        self, issuer: FakeIssuer, algorithm: str, secret: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The classic confusion: HS256 by what everybody can read. Neither with nor without a real secret."""
        configure(monkeypatch, issuer, BOUGH_ISSUER_SECRET=secret)
        issuer.keys = [public_jwk(algorithm, "key-0")]
        public = private_key(algorithm).public_key()
        payload = f'{{"iss": "{issuer.url}", "aud": "authenticated", "sub": "ada", "exp": 4102444800}}'
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for material in (pem, pem.strip(), issuer.document("/.well-known/jwks.json")):
            token = signed_by_hand('{"alg": "HS256", "kid": "key-0"}', payload, material)
            with pytest.raises(TokenInvalidError):
                await read_foreign_token(token)

    async def test_algorithm_that_is_not_accepted_asks_nobody(
        self, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is accepted is configuration's to say, whatever keys the issuer has."""
        configure(monkeypatch, issuer, BOUGH_ISSUER_ALGORITHMS="RS256")
        with pytest.raises(TokenInvalidError):
            await read_foreign_token(issuer.token())
        assert issuer.asked == []

    async def test_shared_secret_works_where_it_is_configured(
        self, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Supabase's legacy secret; the issuer is not asked."""
        legacy = {"key": SECRET, "algorithm": "HS256", "headers": {"kid": MISSING}}
        with pytest.raises(TokenInvalidError):
            await read_foreign_token(issuer.token(**legacy))
        configure(monkeypatch, issuer, BOUGH_ISSUER_SECRET=SECRET)
        assert (await read_foreign_token(issuer.token(**legacy))).issuer == issuer.url
        with pytest.raises(TokenInvalidError):
            await read_foreign_token(issuer.token(**(legacy | {"key": OURS})))
        assert issuer.asked == []
        assert (await read_foreign_token(issuer.token())).issuer == issuer.url

    async def test_unreachable_issuer_is_no_verdict_on_the_token(self, issuer: FakeIssuer) -> None:
        """503, so that clients try again instead of signing out."""
        issuer.stop()
        with pytest.raises(IssuerUnavailableError):
            await read_foreign_token(issuer.token())

    @pytest.mark.parametrize(
        "claims", [{"role": "anon"}, {"role": "authenticated", "is_anonymous": True, "email": ""}], ids=str
    )
    async def test_anonymous_visitor_is_told_to_sign_in(
        self, issuer: FakeIssuer, claims: dict[str, Any]
    ) -> None:
        """Supabase signs for them too."""
        with pytest.raises(AnonymousTokenError):
            await read_foreign_token(issuer.token(**claims))

    @pytest.mark.parametrize(
        "header", ['{"alg": "ES256", "kid": 7}', '{"alg": ["ES256"]}', '{"kid": "key-0"}']
    )
    async def test_header_of_other_types_is_only_an_invalid_token(
        self, issuer: FakeIssuer, header: str
    ) -> None:
        """No input escapes as another exception."""
        with pytest.raises(TokenInvalidError):
            await read_foreign_token(signed_by_hand(header, f'{{"iss": "{issuer.url}"}}', b""))

    @pytest.mark.parametrize("depth", [10_000, 100_000])
    async def test_deep_nesting_is_only_an_invalid_token(self, issuer: FakeIssuer, depth: int) -> None:
        """In the header, which is read before the signature, and in the payload."""
        deep = "[" * depth
        for token in (signed_by_hand(deep, "{}", b""), signed_by_hand('{"alg": "ES256"}', deep, b"")):
            assert not is_foreign(token)
            for read in (read_foreign_token, read_access_token):
                with pytest.raises(TokenInvalidError):
                    result = read(token)
                    await result  # type: ignore[misc]  # ours raises before


class TestIsForeign:
    """Who is asked about a token."""

    async def test_our_own_tokens_are_not(self, issuer: FakeIssuer) -> None:
        """They work as before, side by side."""
        user = uuid7()
        token = issue_access_token(user)
        assert not is_foreign(token)
        assert read_access_token(token) == user
        with pytest.raises(TokenInvalidError):
            read_access_token(issuer.token())

    @pytest.mark.parametrize("text", ["", ".", "a.b", "a.é.c", "a.W10.c", "a.bnVsbA.c"])
    async def test_nonsense_is_not(self, issuer: FakeIssuer, text: str) -> None:
        """It is refused as one of our own would be."""
        assert not is_foreign(text)

    async def test_nothing_is_without_an_issuer(
        self, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The default."""
        monkeypatch.delenv("BOUGH_ISSUER")
        get_settings.cache_clear()
        assert not is_foreign(issuer.token())
