"""An issuer's keys: when they are fetched, kept and given up, against a server on loopback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from api.auth import keys
from api.auth.keys import LIFETIME, LIFETIME_IN_OUTAGE, PAUSE, SHORT_PAUSE, IssuerUnavailableError, KeySet
from api.database.timeouts import deadline
from tests.support.fake_issuer import ALGORITHMS, FakeIssuer, public_jwk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio

JWKS = "/.well-known/jwks.json"
DISCOVERY = "/.well-known/openid-configuration"


class Clock:
    """Wall-clock seconds that pass when a test says so."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[FakeIssuer]:
    """An issuer of Supabase's layout, which needs no discovery."""
    with FakeIssuer("/auth/v1") as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    """The keys' clock."""
    return Clock()


@pytest.fixture
def key_set(issuer: FakeIssuer, clock: Clock) -> KeySet:
    """Its keys, none of them fetched."""
    return KeySet(issuer.url, None, clock=clock)


class TestFetching:
    """How often the issuer is asked."""

    async def test_keys_are_fetched_once_for_many_tokens(self, issuer: FakeIssuer, key_set: KeySet) -> None:
        """Also for those that come at the same time."""
        found = await asyncio.gather(*(key_set.find("key-0", "ES256") for _ in range(20)))
        assert all(found)
        assert issuer.asked == [f"/auth/v1{JWKS}"]

    async def test_keys_are_fetched_again_after_their_lifetime(
        self, issuer: FakeIssuer, key_set: KeySet, clock: Clock
    ) -> None:
        """A revoked key stops working then."""
        await key_set.find("key-0", "ES256")
        issuer.keys = [public_jwk("ES256", "key-1", 1)]
        clock.now += LIFETIME - 1
        assert await key_set.find("key-0", "ES256") is not None
        clock.now += 1
        assert await key_set.find("key-0", "ES256") is None

    async def test_rotated_key_is_found_at_once(self, issuer: FakeIssuer, key_set: KeySet) -> None:
        """No request fails, even right after a fetch."""
        await key_set.find("key-0", "ES256")
        issuer.rotate()
        assert await key_set.find("key-1", "ES256") is not None
        assert await key_set.find("key-0", "ES256") is not None
        assert len(issuer.asked) == 2

    async def test_made_up_ids_do_not_reach_the_issuer(
        self, issuer: FakeIssuer, key_set: KeySet, clock: Clock
    ) -> None:
        """One fetch for all of them, and the next after the pause."""
        await key_set.find("key-0", "ES256")
        for number in range(50):
            assert await key_set.find(f"made-up-{number}", "ES256") is None
        assert len(issuer.asked) == 2
        clock.now += PAUSE
        await key_set.find("made-up", "ES256")
        assert len(issuer.asked) == 3

    async def test_clock_set_back_counts_as_expired(
        self, issuer: FakeIssuer, key_set: KeySet, clock: Clock
    ) -> None:
        """How old the keys are is unknown then."""
        await key_set.find("key-0", "ES256")
        clock.now -= 5
        assert await key_set.find("key-0", "ES256") is not None
        assert len(issuer.asked) == 2


class TestOutage:
    """The issuer is down, slow, or talks nonsense."""

    async def test_without_keys_it_is_unavailable(self, issuer: FakeIssuer, key_set: KeySet) -> None:
        """Not invalid: nobody knows. For two seconds it is not even asked."""
        issuer.status = 500
        for _ in range(5):
            with pytest.raises(IssuerUnavailableError) as caught:
                await key_set.find("key-0", "ES256")
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "2"})
        assert len(issuer.asked) == 1

    async def test_it_recovers(self, issuer: FakeIssuer, key_set: KeySet, clock: Clock) -> None:
        """The next request after the short pause works."""
        issuer.status = 500
        with pytest.raises(IssuerUnavailableError):
            await key_set.find("key-0", "ES256")
        issuer.status = 200
        clock.now += SHORT_PAUSE
        assert await key_set.find("key-0", "ES256") is not None

    async def test_with_keys_it_does_not_matter(
        self, issuer: FakeIssuer, key_set: KeySet, clock: Clock
    ) -> None:
        """Keys past their lifetime serve on for as long as tokens from before the outage last."""
        await key_set.find("key-0", "ES256")
        issuer.stop()
        clock.now += LIFETIME_IN_OUTAGE - 1
        assert await key_set.find("key-0", "ES256") is not None
        clock.now += PAUSE
        with pytest.raises(IssuerUnavailableError):
            await key_set.find("key-0", "ES256")

    async def test_slow_issuer_delays_one_request_only(
        self, issuer: FakeIssuer, key_set: KeySet, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While there are keys, it is asked again after the pause."""
        monkeypatch.setattr(keys, "TIMEOUT", 0.1)
        await key_set.find("key-0", "ES256")
        issuer.delay = 0.5
        clock.now += LIFETIME
        for _ in range(10):
            assert await key_set.find("key-0", "ES256") is not None
        assert len(issuer.asked) == 2

    async def test_deadline_of_the_invocation_comes_first(self, issuer: FakeIssuer, key_set: KeySet) -> None:
        """There is still time to answer."""
        issuer.delay = 0.5
        loop = asyncio.get_running_loop()
        token = deadline.set(loop.time() + 0.05)
        async with asyncio.timeout(0.4):
            with pytest.raises(IssuerUnavailableError):
                await key_set.find("key-0", "ES256")
        deadline.reset(token)

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>",
            b"[]",
            b'{"keys": 7}',
            b'{"keys": []}',
            b'{"keys": [7, {"kty": "oct", "k": "AAAA", "kid": "key-0"}]}',
            b'{"keys": [{"kty": "EC", "kid": "key-0", "use": "enc"}]}',
            b'{"keys": [{"kty": "EC", "kid": ["key-0"]}]}',
            b'{"keys": [{"kty": ["EC"], "kid": "key-0"}]}',
            b"[" * 60_000,
            b'{"keys": []}' + b" " * 70_000,
        ],
        ids=lambda body: body[:40],
    )
    async def test_nonsense_is_an_outage(self, issuer: FakeIssuer, key_set: KeySet, body: bytes) -> None:
        """It replaces no keys; neither does a document that is too large."""
        issuer.body = body
        with pytest.raises(IssuerUnavailableError):
            await key_set.find("key-0", "ES256")

    @pytest.mark.parametrize(
        "answer", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab"]
    )
    async def test_what_is_no_http_is_an_outage(self, answer: bytes) -> None:
        """Another service on the port, or an answer that was cut off."""

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(IssuerUnavailableError):
                await KeySet(f"http://127.0.0.1:{port}/auth/v1", None).find("key-0", "ES256")

    async def test_redirect_is_not_followed(self, issuer: FakeIssuer, key_set: KeySet) -> None:
        """Who is asked is configuration's to say."""
        issuer.status = 302
        with pytest.raises(IssuerUnavailableError):
            await key_set.find("key-0", "ES256")
        assert issuer.asked == [f"/auth/v1{JWKS}"]


class TestDiscovery:
    """Where the keys are."""

    async def test_oidc_issuer_says_where(self, clock: Clock) -> None:
        """By its discovery document, also when its identifier ends with a slash."""
        with FakeIssuer("/realms/shop") as issuer:
            assert await KeySet(issuer.url, None, clock=clock).find("key-0", "ES256") is not None
            assert issuer.asked == [f"/realms/shop{DISCOVERY}", f"/realms/shop{JWKS}"]
        with FakeIssuer() as issuer:
            issuer.discovered = {"issuer": issuer.url + "/"}
            assert await KeySet(issuer.url + "/", None, clock=clock).find("key-0", "ES256") is not None

    async def test_configured_address_is_asked_directly(self, clock: Clock) -> None:
        """Neon Auth: the issuer is an origin, its keys are below a path."""
        with FakeIssuer("/neondb/auth", "EdDSA") as issuer:
            found = await KeySet(issuer.origin, issuer.url + JWKS, clock=clock).find("key-0", "EdDSA")
            assert found is not None
            assert issuer.asked == [f"/neondb/auth{JWKS}"]

    @pytest.mark.parametrize(
        "discovered",
        [
            {"issuer": "https://other.example"},
            {"jwks_uri": "http://keys.example/jwks.json"},
            {"jwks_uri": "file:///etc/hostname"},
            {"jwks_uri": None},
        ],
        ids=str,
    )
    async def test_document_of_another_or_unsafe_address_is_refused(
        self, discovered: dict[str, str], clock: Clock
    ) -> None:
        """Discovery section 4.3; and keys that anyone on the way could replace are worth nothing."""
        with FakeIssuer() as issuer:
            issuer.discovered = discovered
            with pytest.raises(IssuerUnavailableError):
                await KeySet(issuer.url, None, clock=clock).find("key-0", "ES256")
            assert issuer.asked == [DISCOVERY]


class TestFind:
    """Which key fits."""

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    async def test_key_is_for_its_own_algorithm_only(
        self, issuer: FakeIssuer, key_set: KeySet, algorithm: str
    ) -> None:
        """Whatever the token says."""
        issuer.keys = [public_jwk(algorithm, "key-0")]
        others = {"ES256", "ES384", "RS256", "RS512", "PS256", "EdDSA"} - {algorithm}
        assert await key_set.find("key-0", algorithm) is not None
        for other in others:
            assert await key_set.find("key-0", other) is None

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    async def test_without_alg_the_type_and_curve_decide(
        self, issuer: FakeIssuer, key_set: KeySet, algorithm: str
    ) -> None:
        """An RSA key then serves any RSA signature; a curve has one."""
        issuer.keys = [{k: v for k, v in public_jwk(algorithm, "key-0").items() if k != "alg"}]
        fitting = {"RS256", "RS512", "PS256"} if algorithm == "RS256" else {algorithm}
        for each in ("ES256", "ES384", "RS256", "RS512", "PS256", "EdDSA"):
            assert (await key_set.find("key-0", each) is not None) == (each in fitting), each

    async def test_missing_id_means_the_only_key(self, issuer: FakeIssuer, key_set: KeySet) -> None:
        """RFC 7515 makes the id optional; among several keys nobody guesses."""
        assert await key_set.find(None, "ES256") is not None
        issuer.rotate()
        assert await key_set.find("key-1", "ES256") is not None
        assert await key_set.find(None, "ES256") is None
