"""What `sslmode` means to asyncpg: a context that checks what libpq would check.

asyncpg's own reading of a mode's name is not used where a certificate matters: it looks into the
environment and the home folder, and ends without a CA file in `~/.postgresql`.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.database.connection_url_syntax import ConnectionUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Where distributions keep all public CAs in one file, for a Python or a libpq that was built
#: elsewhere: psycopg's wheel looks in a folder of its own that does not exist.
_BUNDLES: Final = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def system_bundle() -> Path | None:
    """Return the file with the system's CAs (`SSL_CERT_FILE` first), where there is one."""
    found = ssl.get_default_verify_paths().cafile
    return Path(found) if found else next((path for path in _BUNDLES if path.is_file()), None)


def client_context(sslmode: str, parameters: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context for `require`, `verify-ca` or `verify-full`.

    As in libpq, `require` with an `sslrootcert` verifies like `verify-ca`. Unlike libpq, a mode
    that verifies and has no `sslrootcert` trusts the system's CAs. Loading those takes about 25 ms;
    an `sslrootcert` with one CA takes none.

    Raises:
        ConnectionUrlError: A certificate or key cannot be read.
    """
    # Not create_default_context(): from Python 3.13 on it refuses private CAs that libpq accepts.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = sslmode == "verify-full"
    root = parameters.get("sslrootcert")
    if sslmode == "require" and root is None:
        context.verify_mode = ssl.CERT_NONE
    elif root is None or root == "system":
        _trust_system(context)
    else:
        _load("sslrootcert", root, lambda: context.load_verify_locations(cafile=root))
    if (certificate := parameters.get("sslcert")) is not None:
        key = parameters.get("sslkey")
        # The passphrase's callback keeps OpenSSL from asking on the terminal.
        _load("sslcert or sslkey", certificate, lambda: context.load_cert_chain(certificate, key, str))
    context.minimum_version = _VERSIONS[parameters.get("ssl_min_protocol_version", "TLSv1.2")]
    if (maximum := parameters.get("ssl_max_protocol_version")) is not None:
        context.maximum_version = _VERSIONS[maximum]
    # PostgreSQL 17 and later insist on it for sslnegotiation=direct.
    context.set_alpn_protocols(["postgresql"])
    return context


def _trust_system(context: ssl.SSLContext) -> None:
    context.load_default_certs()
    bundle = system_bundle()
    if bundle is not None and not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(cafile=bundle)


def _load(what: str, path: str, load: Callable[[], None]) -> None:
    try:
        load()
    except OSError as error:  # ssl.SSLError is one
        message = f"The connection URL's {what} cannot be loaded: {path}"
        raise ConnectionUrlError(message, hint=error.strerror) from error
