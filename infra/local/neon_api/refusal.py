"""How a PostgreSQL client is told that there is no server for it."""

from __future__ import annotations

import asyncio
import struct
from typing import Final

#: What a client may ask for before it says who it is (PostgreSQL's protocol, "Message Formats").
_ENCRYPTION_REQUESTS: Final = frozenset({80877103, 80877104})
_CANCEL_REQUEST: Final = 80877102
#: Every request before the login is its length and its code.
_REQUEST: Final = struct.Struct("!II")
_PROTOCOL_3: Final = 3
#: `cannot_connect_now`, which drivers know as worth another try.
_SQLSTATE: Final = "57P03"


class Refusal(asyncio.Protocol):
    """Waits for the client's first message and answers with an error, then closes."""

    def __init__(self, transport: asyncio.Transport, reason: str) -> None:
        """Take over a client that has been sent nothing."""
        self._transport = transport
        self._reason = reason
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer the messages that are complete."""
        self._received += data
        while len(self._received) >= _REQUEST.size:
            _, code = _REQUEST.unpack_from(self._received)
            if code in _ENCRYPTION_REQUESTS:
                # Refused, as every server here does: clients go on without or give up by themselves.
                self._transport.write(b"N")
                # Not by the length that it claims, which may be none.
                self._received = self._received[_REQUEST.size :]
                continue
            if code != _CANCEL_REQUEST and code >> 16 == _PROTOCOL_3:
                self._transport.write(error_response(self._reason))
            self._transport.close()
            return


def error_response(reason: str) -> bytes:
    """Return the message that ends a login attempt."""
    fields = {"S": "FATAL", "V": "FATAL", "C": _SQLSTATE, "M": f"the branch's server did not start: {reason}"}
    body = b"".join(f"{key}{value}".encode().replace(b"\0", b"") + b"\0" for key, value in fields.items())
    return b"E" + struct.pack("!I", len(body) + 5) + body + b"\0"
