"""An issuer on loopback: discovery, JWKS, keys that rotate, and everything that can go wrong with them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.support.loopback_server import Handler, LoopbackServer

if TYPE_CHECKING:
    from types import TracebackType

AUDIENCE: Final = "authenticated"
ALGORITHMS: Final = ("ES256", "RS256", "EdDSA")
#: A claim changed to this is left out.
MISSING: Final = "(missing)"


@cache
def private_key(algorithm: str, number: int = 0) -> Any:
    """Return a key, made once for all tests; `number` tells several apart."""
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(algorithm: str, key_id: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the public half as a JWK, as Supabase and Better Auth publish it."""
    kind: Any = {"ES256": ECAlgorithm, "RS256": RSAAlgorithm, "EdDSA": OKPAlgorithm}[algorithm]
    jwk: dict[str, Any] = kind.to_jwk(private_key(algorithm, number).public_key(), as_dict=True)
    return {**jwk, "kid": key_id, "alg": algorithm, "use": "sig", "key_ops": ["verify"], **changes}


class FakeIssuer:
    """An issuer whose tokens are signed by one key and whose server answers as a test wants.

    Attributes:
        path: What comes after the host in its identifier; `/auth/v1` is Supabase's.
        keys: What the JWKS document holds.
        asked: The paths that were asked for.
        status: What it answers with.
        delay: Seconds before it answers.
        body: What it answers instead of the document.
    """

    def __init__(self, path: str = "", algorithm: str = "ES256") -> None:
        """Listen on a free port once entered."""
        self.path = path
        self.algorithm = algorithm
        self.number = 0
        self.keys = [public_jwk(algorithm, "key-0")]
        self.asked: list[str] = []
        self.status, self.delay, self.body = 200, 0.0, b""
        self.discovered: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Serve from threads."""
        issuer = self

        class Answering(Handler):
            def do_GET(self) -> None:  # noqa: N802  named by the base class
                issuer.asked.append(self.path)
                time.sleep(issuer.delay)
                body = issuer.body or issuer.document(self.path)
                self.send_response(issuer.status if body else 404)
                if issuer.status == 302:
                    self.send_header("Location", f"{issuer.url}/elsewhere.json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = LoopbackServer(Answering)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        self.stop()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.server.stop()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.server.url

    @property
    def url(self) -> str:
        """Its identifier: `iss`."""
        return self.origin + self.path

    def document(self, path: str) -> bytes:
        """Return what is served at a path; nothing where there is nothing."""
        jwks = f"{self.path}/.well-known/jwks.json"
        documents = {
            jwks: {"keys": self.keys},
            f"{self.path}/elsewhere.json": {"keys": self.keys},
            f"{self.path}/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": self.origin + jwks,
                **self.discovered,
            },
        }
        return json.dumps(documents[path]).encode() if path in documents else b""

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is still published."""
        self.number += 1
        self.keys.append(public_jwk(self.algorithm, f"key-{self.number}", self.number))

    def token(
        self, *, headers: dict[str, Any] | None = None, key: Any = None, algorithm: str = "", **changes: Any
    ) -> str:
        """Return a good token of Ada's, with changed claims, headers, key or algorithm."""
        now = datetime.now(UTC)
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "5f1c2c6e-3c1b-4a53-9d0e-6c1a2f7b9d11",
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "email": "ada@example.com",
            "email_verified": True,
            **changes,
        }
        headers = {"kid": f"key-{self.number}", **(headers or {})}
        return jwt.encode(
            {name: value for name, value in claims.items() if value != MISSING},
            private_key(self.algorithm, self.number) if key is None else key,
            algorithm or self.algorithm,
            {name: value for name, value in headers.items() if value != MISSING},
        )

    def headers(self, **changes: Any) -> dict[str, str]:
        """Return the `Authorization` header with such a token."""
        return {"Authorization": f"Bearer {self.token(**changes)}"}
